/** The actor kind `workflow`: who of a workflow's runs may work, and its worker, in one stream `workflow/<name>`. */
import type { ActorHistory, ActorKind, InvocationDefinition } from "../ActorKind.js"
import { makeFold } from "../fold.js"
import type { RunIndex } from "../run/RunIndex.js"
import { completeWorkflow, decideWorkflow } from "./decideWorkflow.js"
import type { WorkflowCommand } from "./WorkflowCommand.js"
import { type WorkflowEvent, workflowUpcasters } from "./WorkflowEvent.js"
import { WorkflowIndex, type WorkflowState } from "./WorkflowIndex.js"
import type { WorkflowReason } from "./WorkflowRefusal.js"
import { workflowMachine } from "./workflowMachine.js"

export type WorkflowKind = ActorKind<WorkflowCommand, WorkflowReason> & { readonly index: WorkflowIndex }

export type WorkflowInvocations = { readonly [Src in "worker" | "drainRuns"]: InvocationDefinition }

const yields: { readonly [Type in WorkflowCommand["type"]]: ReadonlyArray<WorkflowEvent["type"]> } = {
  RequestRun: ["RunAdmitted", "RunEvicted", "RunEnqueued", "RunTurnedAway"],
  RegisterWorkflow: ["WorkflowRegistered", "WorkflowReconfigured", "RunDequeued"],
  RemoveWorkflow: ["RunWithdrawn", "WorkflowDrainStarted"],
  AdmitRun: ["RunEnqueued", "RunDequeued"],
  ReleaseRun: ["SlotFreed", "RunWithdrawn", "WorkflowCircuitClosed", "RunDequeued"],
  RecordWorkerReady: ["WorkflowWorkerReady"],
  RecordWorkerLoss: ["WorkflowWorkerLost", "WorkflowCircuitOpened"],
  RecordLoadFailure: ["WorkflowLoadFailed", "WorkflowCircuitOpened"],
  RecordReloadFailure: ["WorkflowReloadFailed"],
  StartDrain: ["WorkflowCircuitClosed", "WorkflowDrainStarted"],
  EndDrain: ["WorkflowDrainEnded", "RunDequeued"],
  ResetWorkflow: ["WorkflowCircuitClosed", "RunDequeued"]
}

export const workflowHistory: ActorHistory = {
  name: "workflow",
  version: 1,
  fold: makeFold(workflowMachine),
  upcasters: workflowUpcasters
}

export const makeWorkflowKind = (runs: RunIndex, invocations: WorkflowInvocations): WorkflowKind => ({
  ...workflowHistory,
  yields,
  startsWork: new Set(["RequestRun", "StartDrain"]),
  decide: (state: WorkflowState, command, context) => decideWorkflow(state, command, { ...context, runs }),
  complete: (state: WorkflowState, { event }, context) =>
    completeWorkflow(state, event as WorkflowEvent, { ...context, runs }),
  // A worker that is started, a run that is let in: all of it is work that a stopping hub leaves to the next one.
  holdsDeadlines: true,
  index: new WorkflowIndex(),
  invocations
})
