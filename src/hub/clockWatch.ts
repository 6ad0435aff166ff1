/**
 * Notices that time did something else than pass: the process was frozen, or the wall clock stepped ahead. Either is recorded before
 * any deadline is delivered, so that nobody's lease ends in time that nobody had (contracts: hub 3.7).
 */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubClock } from "../actors/HubClock.js"
import type { HubKind } from "../actors/hub/hubKind.js"

/** Between two looks the wheel sleeps for a second at most; this much more is no sleep. */
const frozenMs = 6_000

export const makeClockWatch = (
  clock: HubClock["Type"],
  system: ActorSystem["Type"],
  hubKind: HubKind
): Effect.Effect<void> => {
  let lookedAt = clock.now()
  return Effect.suspend(() => {
    const now = clock.now()
    const frozenFor = now - lookedAt > frozenMs ? now - lookedAt : 0
    const stepped = clock.stepAhead()
    lookedAt = now
    if (frozenFor === 0 && stepped === 0) return Effect.void
    clock.advance(stepped)
    const jump = { type: "RecordClockJump", wallMs: frozenFor + stepped, monotonicMs: frozenFor } as const
    return system.send(hubKind, "", jump, { by: "hub" }).pipe(
      Effect.map(({ at }) => at),
      // The jump cannot be written now; the leases get their grace all the same.
      Effect.catchAll(() => Effect.sync(clock.now)),
      Effect.map((at) => {
        lookedAt = clock.now()
        system.raiseFloor(at, stepped)
      })
    )
  })
}
