/** The kinds `workflow` and `run` as tests need them: with nothing that runs in their states, and short histories to begin with. */
import { Effect } from "effect"
import type { RunEventOf } from "../../src/actors/run/RunEvent.js"
import { RunIndex } from "../../src/actors/run/RunIndex.js"
import { makeRunKind } from "../../src/actors/run/runKind.js"
import type { WorkflowSettings } from "../../src/actors/workflow/WorkflowEvent.js"
import { makeWorkflowKind } from "../../src/actors/workflow/workflowKind.js"
import type { Past } from "./given.js"

export const settings: WorkflowSettings = {
  concurrency: 1,
  overflow: "drop",
  maxQueue: 100,
  timeoutMs: 86_400_000,
  roleTimeoutMs: 3_600_000,
  drainTimeoutMs: 30_000,
  onReload: "interrupt",
  maxRounds: 100
}

const nothing = { run: () => Effect.never, lost: () => ({ type: "Lost" }) }

export const makeKinds = ({ isDraining = false } = {}) => {
  const runs = new RunIndex()
  const workflowKind = makeWorkflowKind(runs, { worker: nothing, drainRuns: nothing })
  const runKind = makeRunKind({
    index: runs,
    workflows: workflowKind.index,
    isDraining: () => isDraining,
    invocations: { moderator: nothing, roleAttempt: nothing, recoverRun: nothing, stopAttempt: nothing }
  })
  return { runs, workflowKind, runKind }
}

/** A workflow's past: it is in the configuration. */
export const registered = (changes: Partial<WorkflowSettings> = {}): Past =>
  ({
    type: "WorkflowRegistered",
    settings: { ...settings, ...changes }
  }) as Past

export const workerReady = (workerId = "w-1") => ({
  type: "WorkflowWorkerReady",
  workerId,
  pid: 1,
  pidStartedAt: null,
  definitionHash: "h1",
  roles: ["scout", "cleaner"]
})

export const workerLost = (at: number, reason = "exit") => ({
  type: "WorkflowWorkerLost",
  workerId: "w-1",
  code: 1,
  signal: null,
  reason,
  runs: [],
  stderrTail: "",
  at
})

/** A run's past: a step at a time. */
export const requested = (changes: Partial<RunEventOf<"RunRequested">> = {}): Past =>
  ({
    type: "RunRequested",
    workflow: "tidy",
    prompt: "tidy up",
    maxRounds: 3,
    dryRun: false,
    depth: 0,
    origin: { kind: "cli" },
    ...changes
  }) as Past

export const started: Past = { type: "RunStarted", timeoutMs: 60_000 } as Past

export const selected = (
  round: number,
  role = "scout",
  changes: Partial<RunEventOf<"RoleSelected">> = {}
): Past =>
  ({
    type: "RoleSelected",
    round,
    role,
    executor: { kind: "worker" },
    inDoubt: "retry",
    maxAttempts: 3,
    timeoutMs: 10_000,
    definitionHash: "h1",
    ...changes
  }) as Past

export const attempted = (round: number, attempt = 1): Past =>
  ({ type: "RoleAttemptStarted", round, attempt, workerId: "w-1" }) as Past

export const stepped = (round: number, role = "scout", attempt = 1): Past =>
  ({
    type: "RoleStepRecorded",
    round,
    role,
    attempt,
    content: `${role} did it`,
    meta: {},
    durationMs: 5
  }) as Past

export const suspended = (reason = "worker_lost"): Past => ({ type: "RunSuspended", reason }) as Past
