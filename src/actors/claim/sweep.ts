/**
 * The pass that evaporates what has faded: finished marks, and marks that nobody in particular holds for ever. It chooses from a
 * projection and acts by commands that carry the version they were chosen at, so nothing is lost to a race.
 */
import { Effect } from "effect"
import type { Version } from "../../events/Event.js"
import { slicesOf } from "../../events/slicesOf.js"
import type { ActorSystem } from "../ActorSystem.js"
import type { Refused } from "../Refused.js"
import type { ClaimReason } from "./ClaimRefusal.js"
import type { ClaimKind } from "./claimKind.js"

/** A mark that a sweep chose, the version of its claim at that moment, and why. */
export interface Candidate {
  readonly id: string
  readonly version: Version
  readonly cause: "sweep" | "size" | "age"
}

export interface SweepResult {
  /** Marks still listed afterwards. */
  readonly kept: number
  /** Marks that evaporated. */
  readonly dropped: number
}

/** Commands under way at a time: other callers are served between the batches. */
const batchSize = 500

/** Refusals that say that a mark is no candidate any more: it was claimed, or is gone. The next sweep looks again. */
const overtaken: ReadonlySet<string> = new Set(["AlreadyClaimed", "UnknownClaim", "IllegalInState"])

export const sweep = (
  system: ActorSystem["Type"],
  kind: ClaimKind,
  candidates: ReadonlyArray<Candidate>,
  { floor, by }: { readonly floor: number; readonly by: string }
): Effect.Effect<SweepResult, Refused<ClaimReason>> =>
  Effect.gen(function* () {
    let dropped = 0
    for (const batch of slicesOf(candidates, batchSize)) {
      const evaporated = yield* Effect.forEach(
        batch,
        ({ id, version, cause }) => {
          const command = {
            type: "EvaporatePheromone",
            sweep: { cause, floor, expectedVersion: version }
          } as const
          return system.send(kind, id, command, { by }).pipe(
            Effect.map(({ events }) => events.length),
            Effect.catchIf(
              ({ reason }) => overtaken.has(reason._tag),
              () => Effect.succeed(0)
            )
          )
        },
        { concurrency: "unbounded" }
      )
      dropped += evaporated.reduce((sum, count) => sum + count, 0)
    }
    return { kept: kind.index.listed, dropped }
  })
