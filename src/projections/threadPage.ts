/**
 * Which rounds of a thread a page shows (contracts: senses and workflows 5.1): whole rounds, the newest ones backwards until a budget of
 * characters is reached; the round that crosses it is shown too. Pure: it asks for lengths only as far as it looks.
 */

/** A round and its length as a page shows it. */
export interface Measured {
  readonly round: number
  readonly chars: number
}

export interface ThreadPage {
  /** In ascending order. */
  readonly rounds: ReadonlyArray<number>
  /** Rounds that are left out between the first one and the others. */
  readonly omitted: number
  /** Where the next page back begins; null when nothing is left out. */
  readonly before: number | null
}

export const defaultBudget = 8_000

/** The newest rounds, after the first one, which tells what a thread is about. */
export const newestPage = (rounds: ReadonlyArray<Measured>, budget = defaultBudget): ThreadPage => {
  const [first, ...others] = rounds
  if (!first) return { rounds: [], omitted: 0, before: null }
  const shown = backwards(others, budget - first.chars)
  const omitted = others.length - shown.length
  const before = omitted === 0 ? null : (shown[0] ?? (rounds.at(-1)?.round ?? 0) + 1)
  return { rounds: [first.round, ...shown], omitted, before }
}

/** The rounds before one, the nearest ones until the budget is reached; the first round is one like any other. */
export const pageBefore = (
  rounds: ReadonlyArray<Measured>,
  before: number,
  budget = defaultBudget
): ThreadPage => {
  const earlier = rounds.filter(({ round }) => round < before)
  const shown = backwards(earlier, budget)
  const omitted = earlier.length - shown.length
  return { rounds: shown, omitted, before: omitted === 0 ? null : (shown[0] ?? before) }
}

const backwards = (rounds: ReadonlyArray<Measured>, budget: number): ReadonlyArray<number> => {
  const shown: Array<number> = []
  let left = budget
  for (let index = rounds.length - 1; index >= 0 && left > 0; index--) {
    const { round, chars } = rounds[index] as Measured
    shown.unshift(round)
    left -= chars
  }
  return shown
}

export const gapLine = (omitted: number, before: number): string =>
  `... ${omitted} rounds omitted (use --before ${before}) ...`
