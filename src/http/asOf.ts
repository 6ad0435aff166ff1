/** Time travel for queries: `at` names an offset, or an instant as an ISO 8601 date; left out it means now. */
import { Effect, type Scope } from "effect"
import type { Refused } from "../actors/Refused.js"
import type { Offset } from "../events/Event.js"
import { type Journal, type JournalUnavailable, offsetAtTime } from "../events/Journal.js"
import type { UnknownEvent } from "../events/Upcasters.js"
import type { Projector, ReadRows } from "../projections/Projector.js"
import { type AnyReason, refusal } from "./refusals.js"

/** Where a query reads, and the instant and offset that its answer is true at. */
export interface Moment {
  readonly read: ReadRows
  readonly offset: Offset
  readonly now: number
  readonly isPast: boolean
}

export interface Clockwork {
  readonly journal: Journal["Type"]
  readonly projector: Projector["Type"]
  readonly now: () => number
}

export const momentOf = (
  { journal, projector, now }: Clockwork,
  projection: string,
  at: string | undefined
): Effect.Effect<Moment, Refused<AnyReason> | JournalUnavailable | UnknownEvent, Scope.Scope> =>
  Effect.gen(function* () {
    const head = yield* journal.head
    if (at === undefined) return { read: projector.read, offset: head.offset, now: now(), isPast: false }
    const instant = instantOf(at)
    if (instant !== undefined) {
      const offset = yield* offsetAtTime(journal, instant)
      const read = yield* projector.asOf(projection, offset)
      // What fades goes on fading between two events; what is to come is not known.
      return { read, offset, now: Math.min(instant, now()), isPast: true }
    }
    if (!/^\d{1,15}$/.test(at)) {
      const problem = "must be an offset or an ISO 8601 date"
      return yield* refusal({ _tag: "InvalidCommand", path: "at", problem })
    }
    const offset = Number(at) as Offset
    if (offset > head.offset) return yield* refusal({ _tag: "OffsetAhead", head: head.offset })
    const [event] = offset === 0 ? [] : yield* journal.read((offset - 1) as Offset, 1)
    return { read: yield* projector.asOf(projection, offset), offset, now: event?.at ?? 0, isPast: true }
  })

/** Epoch ms of an ISO 8601 date, or undefined: `Date.parse` alone takes almost any text with a number in it. */
const instantOf = (at: string): number | undefined => {
  const instant = /^\d{4}-\d{2}-\d{2}(T|$)/.test(at) ? Date.parse(at) : Number.NaN
  return Number.isNaN(instant) ? undefined : instant
}
