/**
 * Fair measuring on a machine that does other things too: contenders take turns, so that a busy second falls on all of them, and each
 * is judged by the median of its rounds.
 */
import { Effect } from "effect"

/** How often each contender has its turn; the first times warm up and do not count. */
export interface Rounds {
  readonly warmUps: number
  readonly counted: number
}

/** Every contender's results, by its name. */
export const alternate = <Name extends string, A>(
  { warmUps, counted }: Rounds,
  contenders: { readonly [Each in Name]: Effect.Effect<A> }
): Effect.Effect<{ readonly [Each in Name]: ReadonlyArray<A> }> =>
  Effect.gen(function* () {
    const names = Object.keys(contenders) as Array<Name>
    const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as {
      readonly [Each in Name]: Array<A>
    }
    for (let round = 0; round < warmUps + counted; round++) {
      // Forwards and backwards in turn: nobody always comes after the same other.
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const result = yield* contenders[name]
        if (round >= warmUps) results[name].push(result)
      }
    }
    return results
  })

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** How many times a second callers that run side by side, each one step after the other, get through a step. */
export const rateOf = (
  callers: number,
  forMs: number,
  step: (caller: number) => Effect.Effect<unknown>
): Effect.Effect<number> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    let done = 0
    const call = (caller: number) =>
      Effect.gen(function* () {
        while (performance.now() - startedAt < forMs) {
          yield* step(caller)
          done += 1
        }
      })
    return Effect.map(
      Effect.forEach(
        Array.from({ length: callers }, (_, caller) => caller),
        call,
        {
          concurrency: "unbounded",
          discard: true
        }
      ),
      () => perSecond(done, startedAt)
    )
  })

/** The rate of what has been done since an instant of the monotonic clock. */
export const perSecond = (done: number, startedAt: number): number =>
  done / ((performance.now() - startedAt) / 1_000)
