/** One measured number as it is reported: beside what it stands, and what it is to reach. */

export interface Figure {
  /** What was measured, in words: `32 callers`. */
  readonly what: string
  readonly value: number
  readonly unit: string
  /** The other contender of the same rounds. */
  readonly beside?: { readonly what: string; readonly value: number }
  readonly target?: Target
}

/** A bound of the value itself, or of its ratio to what it stands beside. */
export type Target = {
  readonly of: "value" | "ratio"
  readonly bound: "least" | "most"
  readonly than: number
}

export const least = (than: number): Target => ({ of: "value", bound: "least", than })
export const most = (than: number): Target => ({ of: "value", bound: "most", than })
export const leastRatio = (than: number): Target => ({ of: "ratio", bound: "least", than })

/** The value as a multiple of what it stands beside; null when it stands alone. */
export const ratioOf = ({ value, beside }: Figure): number | null => (beside ? value / beside.value : null)

/** Whether the target is reached; null when there is none. */
export const isReached = (figure: Figure): boolean | null => {
  const { target, value } = figure
  if (!target) return null
  const measured = target.of === "value" ? value : (ratioOf(figure) ?? Number.NaN)
  return target.bound === "least" ? measured >= target.than : measured <= target.than
}
