/**
 * The only clock of the hub. It never runs backwards: it starts at the journal's last time or the wall clock, whichever
 * is later, goes on with the monotonic clock, and follows the wall clock's steps forward only once they are recorded.
 */
import { Context, Effect, Layer } from "effect"

/** How far the wall clock may be ahead before it counts as a step (contracts: hub 3.7). */
const stepMs = 2_000

export class HubClock extends Context.Tag("mound/HubClock")<
  HubClock,
  {
    /** Epoch ms, never less than any time it gave before. */
    readonly now: () => number
    /** How far the wall clock has stepped ahead of this clock, ms; 0 unless it is a step. */
    readonly stepAhead: () => number
    /** Takes a step forward over, once it is recorded. */
    readonly advance: (ms: number) => void
  }
>() {}

/** A clock that goes on from the time of the journal's last event. */
export const layer = (lastAt: number): Layer.Layer<HubClock> => Layer.effect(HubClock, make(lastAt))

const make = (lastAt: number) =>
  Effect.map(Effect.clock, (clock) => {
    const monotonicMs = () => Number(clock.unsafeCurrentTimeNanos() / 1_000n) / 1_000
    let base = Math.max(clock.unsafeCurrentTimeMillis(), lastAt) - monotonicMs()
    const now = () => Math.floor(base + monotonicMs())
    return HubClock.of({
      now,
      stepAhead: () => {
        const ahead = clock.unsafeCurrentTimeMillis() - now()
        return ahead > stepMs ? ahead : 0
      },
      advance: (ms) => {
        base += ms
      }
    })
  })
