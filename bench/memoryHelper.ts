/** Runs a hub and weighs it without actors and with them. Started with `--expose-gc`. */
import { Effect } from "effect"
import { serveJobs } from "./Helper.js"
import { startHubHere } from "./hubHere.js"
import { mark } from "./mark.js"
import { type Weight, weigh } from "./weigh.js"

export interface MemoryJob {
  readonly workspace: string
  readonly actors: number
}

/** How much more there was with the actors than without. */
export type MemoryTaken = Weight

serveJobs<MemoryJob, MemoryTaken>(({ workspace, actors }) =>
  Effect.gen(function* () {
    const { system, claimKind } = yield* startHubHere(workspace)
    const claim = (id: string) =>
      Effect.zipRight(
        system.send(claimKind, id, { type: "DepositPheromone", record: mark(id) }, { by: "ada" }),
        system.send(claimKind, id, { type: "ClaimWork", peer: "ada" }, { by: "ada" })
      ).pipe(Effect.orDie)
    const claimAll = (name: string) =>
      Effect.forEach(
        Array.from({ length: actors }, (_, n) => `${name}-${n}`),
        claim,
        {
          concurrency: 256,
          discard: true
        }
      )
    const before = weigh()
    const liveBefore = system.live()
    yield* claimAll("claim")
    if (system.live() - liveBefore !== actors)
      return yield* Effect.dieMessage("not all of the actors are live")
    const after = weigh()
    return {
      heapBytes: after.heapBytes - before.heapBytes,
      residentBytes: after.residentBytes - before.residentBytes
    }
  }).pipe(Effect.scoped, Effect.runPromise)
)
