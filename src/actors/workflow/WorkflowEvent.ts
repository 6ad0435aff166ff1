/** What can happen to a workflow: who may run, who waits, and how its worker fares (contracts: senses and workflows 4). */
import { Schema } from "effect"
import type { Upcaster } from "../../events/Upcasters.js"

/** A workflow's settings as `mound.yaml` has them, in ms. `maxRounds` is the workspace's default for a run. */
export const WorkflowSettings = Schema.Struct({
  concurrency: Schema.Int,
  overflow: Schema.Literal("drop", "queue"),
  maxQueue: Schema.Int,
  timeoutMs: Schema.Int,
  roleTimeoutMs: Schema.Int,
  drainTimeoutMs: Schema.Int,
  onReload: Schema.Literal("interrupt", "resume"),
  maxRounds: Schema.Int
})
export type WorkflowSettings = typeof WorkflowSettings.Type

/** What user code, or the loading of it, failed with. */
export const Failing = Schema.Struct({ message: Schema.String, stack: Schema.optional(Schema.String) })
export type Failing = typeof Failing.Type

/** How a worker was lost. Only `exit`, `spawn` and `load_timeout` count: what the hub did itself is nobody's fault. */
export const LossReason = Schema.Literal("exit", "spawn", "load_timeout", "killed", "hub_lost")
export type LossReason = typeof LossReason.Type

export const DrainReason = Schema.Literal("hot_reload", "removed", "operator")
export type DrainReason = typeof DrainReason.Type

/** What becomes of the runs that a drain could not wait for. */
export const Fate = Schema.Literal("interrupt", "resume")

const runId = Schema.String
const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

const ready = {
  workerId: Schema.String,
  pid: Schema.Int,
  pidStartedAt: Schema.NullOr(Schema.String),
  definitionHash: Schema.String,
  roles: Schema.Array(Schema.String)
}
const lost = {
  workerId: Schema.NullOr(Schema.String),
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  reason: LossReason,
  /** Runs that it was working for. */
  runs: Schema.Array(runId),
  stderrTail: Schema.String
}

/** The fields that a command shares with the event that it leads to. */
export const workflowFields = { ready, lost }

export const WorkflowEvent = Schema.Union(
  fact("WorkflowRegistered", { settings: WorkflowSettings }),
  fact("WorkflowReconfigured", { settings: WorkflowSettings }),
  fact("RunAdmitted", { runId }),
  fact("RunEnqueued", { runId, atHead: Schema.Boolean }),
  fact("RunDequeued", { runId }),
  fact("RunEvicted", { runId, by: runId }),
  fact("RunWithdrawn", { runId, reason: Schema.Literal("ended", "workflow_removed") }),
  fact("RunTurnedAway", { runId, reason: Schema.Literal("overflow", "circuit_open") }),
  fact("SlotFreed", { runId, status: Schema.String }),
  fact("WorkflowWorkerReady", ready),
  fact("WorkflowWorkerLost", lost),
  fact("WorkflowLoadFailed", { error: Failing }),
  fact("WorkflowWorkerRetried", {}),
  fact("WorkflowWorkerIdled", {}),
  fact("WorkflowDrainStarted", {
    reason: DrainReason,
    deadlineAt: Schema.Number,
    hash: Schema.NullOr(Schema.String)
  }),
  fact("WorkflowDrainEnded", {
    reason: DrainReason,
    timedOut: Schema.Boolean,
    /** Runs that it did not wait for, or that cannot go on, and what becomes of them. */
    open: Schema.Array(runId),
    fate: Fate
  }),
  fact("WorkflowReloadFailed", { error: Failing, hash: Schema.NullOr(Schema.String) }),
  fact("WorkflowCircuitOpened", { cause: Schema.Literal("losses", "load_failed") }),
  fact("WorkflowCircuitHalfOpened", {}),
  fact("WorkflowCircuitClosed", { by: Schema.Literal("run", "operator", "reload") })
)
export type WorkflowEvent = typeof WorkflowEvent.Type
export type WorkflowEventOf<Type extends WorkflowEvent["type"]> = Extract<
  WorkflowEvent,
  { readonly type: Type }
>

/** All have had one shape so far. */
export const workflowUpcasters: { readonly [Type in WorkflowEvent["type"]]: ReadonlyArray<Upcaster> } = {
  WorkflowRegistered: [],
  WorkflowReconfigured: [],
  RunAdmitted: [],
  RunEnqueued: [],
  RunDequeued: [],
  RunEvicted: [],
  RunWithdrawn: [],
  RunTurnedAway: [],
  SlotFreed: [],
  WorkflowWorkerReady: [],
  WorkflowWorkerLost: [],
  WorkflowLoadFailed: [],
  WorkflowWorkerRetried: [],
  WorkflowWorkerIdled: [],
  WorkflowDrainStarted: [],
  WorkflowDrainEnded: [],
  WorkflowReloadFailed: [],
  WorkflowCircuitOpened: [],
  WorkflowCircuitHalfOpened: [],
  WorkflowCircuitClosed: []
}
