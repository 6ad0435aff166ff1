/**
 * What a change of a workflow's code leads to: the new code is loaded in a process that does nothing else, so that a broken edit takes
 * nothing down (contracts: senses and workflows 3.2).
 */
import { Effect } from "effect"
import type { WorkflowCommand } from "../actors/workflow/WorkflowCommand.js"
import { loadModule, type WorkflowRuntime } from "./workflowInvocations.js"
import { workflowProtocol } from "./workflowProtocol.js"

export const reloadCommand = (
  runtime: WorkflowRuntime,
  workflow: string,
  reason: "hot_reload" | "operator"
): Effect.Effect<WorkflowCommand> =>
  Effect.gen(function* () {
    const { workers, entry } = runtime
    const worker = yield* workers.start({ name: `probe-${workflow}`, entry, protocol: workflowProtocol })
    const loaded = yield* loadModule(runtime, workflow, worker)
    if (loaded === "load_timeout") return failed(`it did not load within ${runtime.limits.loadMs / 1_000} s`)
    if ("exit" in loaded) return failed(`the process ended while it loaded: ${loaded.exit.stderrTail}`)
    const { definitionHash: hash } = loaded
    return loaded.type === "LoadFailed"
      ? ({ type: "RecordReloadFailure", error: loaded.error, hash } as const)
      : ({ type: "StartDrain", reason, hash } as const)
  }).pipe(
    Effect.catchTag("SpawnFailed", ({ problem }) => Effect.succeed(failed(problem))),
    Effect.scoped
  )

const failed = (message: string): WorkflowCommand => ({
  type: "RecordReloadFailure",
  error: { message },
  hash: null
})
