/** The actor kind `run`: one execution of a workflow, in one stream `run/<id>`. */
import type { ActorHistory, ActorKind, InvocationDefinition } from "../ActorKind.js"
import { makeFold } from "../fold.js"
import type { WorkflowIndex } from "../workflow/WorkflowIndex.js"
import { completeRun, decideRun } from "./decideRun.js"
import type { RunCommand } from "./RunCommand.js"
import { type RunEvent, runUpcasters } from "./RunEvent.js"
import type { RunIndex, RunState } from "./RunIndex.js"
import type { RunReason } from "./RunRefusal.js"
import { runMachine } from "./runMachine.js"

export type RunKind = ActorKind<RunCommand, RunReason> & { readonly index: RunIndex }

export type RunInvocations = {
  readonly [Src in "moderator" | "roleAttempt" | "recoverRun" | "stopAttempt"]: InvocationDefinition
}

/** What the rules of runs look at outside the runs. */
export interface RunRules {
  readonly index: RunIndex
  readonly workflows: WorkflowIndex
  readonly isDraining: () => boolean
  readonly invocations: RunInvocations
}

const yields: { readonly [Type in RunCommand["type"]]: ReadonlyArray<RunEvent["type"]> } = {
  KillRun: ["RunKillRequested", "RoleAttemptAbandoned", "RunKilled"],
  ResumeRun: ["RunRequeued", "RoleStepRecorded", "RunResumed", "RoleAttemptStarted", "RoleOffered"],
  StartRun: ["RunStarted", "RunDropped"],
  DropRun: ["RunDropped"],
  SelectRole: [
    "RoleSelected",
    "RoleAttemptStarted",
    "RoleOffered",
    "RunCompleted",
    "RunFailed",
    "RunSuspended"
  ],
  FailRun: ["RunFailed"],
  RecordRoleOutput: [
    "RoleStepRecorded",
    "RoleAttemptFailed",
    "RoleSelected",
    "RoleAttemptStarted",
    "RoleOffered",
    "RunCompleted",
    "RunFailed",
    "RunSuspended"
  ],
  RecordRoleError: ["RoleAttemptFailed", "RunFailed"],
  RecordRoleClaim: ["RoleClaimed"],
  SuspendRun: ["RunSuspended"],
  RecoverRun: [
    "RoleStepRecorded",
    "RoleAttemptAbandoned",
    "RunResumed",
    "RunHeld",
    "RoleAttemptStarted",
    "RoleOffered",
    "RunCrashed"
  ],
  InterruptRun: ["RunInterrupted", "RunDropped"],
  CrashRun: ["RunCrashed"],
  FinishStop: ["RoleAttemptAbandoned", "RunKilled", "RunFailed"]
}

export const runHistory: ActorHistory = {
  name: "run",
  version: 1,
  fold: makeFold(runMachine),
  // A run that crashed or was interrupted may be resumed.
  finalStates: new Set(["completed", "failed", "killed", "dropped"]),
  upcasters: runUpcasters
}

export const makeRunKind = ({ index, invocations, ...rules }: RunRules): RunKind => ({
  ...runHistory,
  yields,
  startsWork: new Set(["StartRun", "RecoverRun", "ResumeRun"]),
  decide: (state: RunState, command, context) => decideRun(state, command, { ...context, ...rules }),
  complete: (state: RunState, { event }, context) =>
    completeRun(state, event as RunEvent, { ...context, ...rules }),
  holdsDeadlines: true,
  index,
  invocations
})
