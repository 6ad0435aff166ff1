/** The reflexes between workflows and their runs (contracts: senses and workflows 3.4). */
import { Effect } from "effect"
import { dataOf, idOf } from "../../events/Event.js"
import type { JournalUnavailable } from "../../events/Journal.js"
import type { Reflex, ReflexCommand } from "../Reflex.js"
import type { WorkflowCommand } from "../workflow/WorkflowCommand.js"
import type { WorkflowEventOf } from "../workflow/WorkflowEvent.js"
import type { WorkflowKind } from "../workflow/workflowKind.js"
import type { RunCommand } from "./RunCommand.js"
import type { RunKind } from "./runKind.js"

interface Kinds {
  readonly workflowKind: WorkflowKind
  readonly runKind: RunKind
}

/** What a workflow decides about a run happens to the run: it starts, it is dropped, it is stopped by a change of the code. */
export const admission = ({ runKind }: Kinds): Reflex => {
  const toRun = (runId: string, command: RunCommand): ReflexCommand => ({
    kind: runKind,
    id: runId,
    command,
    target: `run/${runId}`
  })
  return {
    name: "admission",
    on: new Set(["RunDequeued", "RunEvicted", "RunWithdrawn", "WorkflowDrainEnded"]),
    rule: (event) => {
      const { type, data } = event
      const runId = data.runId as string
      switch (type) {
        case "RunDequeued":
          return [toRun(runId, { type: "StartRun" })]
        case "RunEvicted":
          return [toRun(runId, { type: "DropRun", reason: "evicted", by: data.by as string })]
        case "RunWithdrawn":
          return data.reason === "workflow_removed"
            ? [toRun(runId, { type: "DropRun", reason: "workflow_removed" })]
            : []
        case "WorkflowDrainEnded": {
          const { open, fate, reason } = dataOf<WorkflowEventOf<"WorkflowDrainEnded">>(event)
          const stop: RunCommand =
            fate === "resume"
              ? { type: "SuspendRun", reason: "reload" }
              : { type: "InterruptRun", reason: reason === "removed" ? "workflow_removed" : "hot_reload" }
          return open.map((each) => toRun(each, stop))
        }
        default:
          return []
      }
    }
  }
}

/** A run that ended gives back its slot; one that is resumed asks for one. */
export const slots = (
  { workflowKind, runKind }: Kinds,
  workflowOf: (runId: string) => Effect.Effect<string, JournalUnavailable>
): Reflex => {
  /** Its workflow has gone in the meantime: it would wait for ever. */
  const drop = (runId: string): ReflexCommand => {
    const command: RunCommand = { type: "DropRun", reason: "workflow_removed" }
    return { kind: runKind, id: runId, command, target: `run/${runId}` }
  }
  return {
    name: "slots",
    on: new Set(["RunRequeued", "RunCompleted", "RunFailed", "RunCrashed", "RunInterrupted", "RunKilled"]),
    rule: ({ stream, type, state }) => {
      const isResumed = type === "RunRequeued"
      const runId = idOf(stream)
      const command: WorkflowCommand = isResumed
        ? { type: "AdmitRun", runId }
        : { type: "ReleaseRun", runId, status: state }
      return Effect.map(workflowOf(runId), (workflow) => [
        {
          kind: workflowKind,
          id: workflow,
          command,
          target: `workflow/${workflow}`,
          ...(isResumed && { onRefused: () => drop(runId) })
        }
      ])
    }
  }
}
