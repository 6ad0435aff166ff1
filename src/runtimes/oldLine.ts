/**
 * One line of an old append-only ledger. Its server could be killed in the middle of a write, and the next one began right where that
 * had broken off: such a line holds the rest of a lost record, and a whole one that was acknowledged (contracts: ledger 3.4 no. 4).
 */

/** The entries on a line, and whether they had to be searched for. Undefined when there is none. */
export interface OldLine {
  readonly entries: ReadonlyArray<unknown>
  readonly isGlued: boolean
}

/** How every entry begins that the old server appended. */
const beginning = '{"type":'

export const readLine = (line: string): OldLine | undefined => {
  const whole = parse(line)
  if (whole) return { entries: [whole.value], isGlued: false }
  for (let at = line.indexOf(beginning, 1); at > 0; at = line.indexOf(beginning, at + 1)) {
    const rest = parse(line.slice(at))
    if (!rest) continue
    // Where only the line's end was lost, what stands before it is whole too.
    const before = parse(line.slice(0, at))
    return { entries: [...(before ? [before.value] : []), rest.value], isGlued: true }
  }
  return undefined
}

const parse = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}
