/** Runs a hub and weighs it before runs are queued and while they wait. Started with `--expose-gc`. */
import { Effect } from "effect"
import { makeRunId } from "../src/actors/run/makeRunId.js"
import { serveJobs } from "./Helper.js"
import { startHubHere } from "./hubHere.js"
import { growth, type Weight, weigh } from "./weigh.js"

export interface QueueJob {
  readonly workspace: string
  readonly workflow: string
  readonly runs: number
}

serveJobs<QueueJob, Weight>(({ workspace, workflow, runs }) =>
  Effect.gen(function* () {
    const { system, workflowKind } = yield* startHubHere(workspace)
    const request = Effect.gen(function* () {
      const runId = yield* makeRunId(Date.now())
      const origin = { kind: "cli" } as const
      const command = { type: "RequestRun", runId, prompt: "wait for your turn", origin } as const
      yield* system.send(workflowKind, workflow, command, { by: "ada" })
    }).pipe(Effect.orDie)
    // One has the only slot; the others wait.
    yield* request
    const before = weigh()
    yield* Effect.replicateEffect(request, runs, { concurrency: 256, discard: true })
    return growth(before, weigh())
  }).pipe(Effect.scoped, Effect.runPromise)
)
