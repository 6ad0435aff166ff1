/** What can happen to a run (contracts: senses and workflows 4). Facts in the past tense: journal rows and machine events alike. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Upcaster } from "../../events/Upcasters.js"
import { Personality, RuntimeName } from "../peer/Identity.js"
import { Failing } from "../workflow/WorkflowEvent.js"

/** Whatever a caller hands on to the roles. */
const maxEvidenceBytes = 262_144
export const Evidence = Schema.Unknown.pipe(
  Schema.filter((value) => Buffer.byteLength(JSON.stringify(value) ?? "") <= maxEvidenceBytes, {
    message: () => `must be at most ${maxEvidenceBytes} bytes of JSON`
  })
)

/** Who asked for a run: `ref` names the sense, or whatever the caller calls itself. */
export const Origin = Schema.Struct({
  kind: Schema.Literal("sense", "cli", "http", "mcp"),
  ref: Schema.optional(Schema.String)
})

/** What is too large for an event: its digest, its bytes, its length in UTF-16 units, and how it begins. */
export const BlobRef = Schema.Struct({
  blob: Schema.String,
  bytes: Schema.Int,
  chars: Schema.Int,
  preview: Schema.String
})
export type BlobRef = typeof BlobRef.Type

export const Content = Schema.Union(Schema.String, BlobRef)
export const Meta = Schema.Union(BlobRef, Schema.Record({ key: Schema.String, value: Schema.Unknown }))

/** How long whoever claims a role has, and how many may try. */
const offering = { leaseMs: Schema.Int, maxAttempts: Schema.optional(Schema.Int) }

/** Who plays a role: the workflow's worker, whoever claims it, or one peer, which is woken for it. */
export const Executor = Schema.Union(
  Schema.Struct({ kind: Schema.Literal("worker") }),
  Schema.Struct({
    kind: Schema.Literal("open"),
    stance: Schema.String,
    ...offering
  }),
  Schema.Struct({
    kind: Schema.Literal("peer"),
    peer: Personality,
    runtime: Schema.optional(RuntimeName),
    ...offering
  })
)
export type Executor = typeof Executor.Type

export const SuspendReason = Schema.Literal("worker_lost", "hub_lost", "hub_stop", "collateral", "reload")
export const FailReason = Schema.Literal(
  "role_error",
  "unknown_role",
  "moderator_error",
  "max_rounds",
  "timeout",
  "corrupt_history",
  "too_large"
)
export const CrashReason = Schema.Literal("crash_loop", "load_failed", "resume_limit")
export const DropReason = Schema.Literal("overflow", "circuit_open", "evicted", "workflow_removed")
export const InterruptReason = Schema.Literal("hot_reload", "workflow_removed")

const round = Schema.Int
const attempt = Schema.Int
const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const RunEvent = Schema.Union(
  fact("RunRequested", {
    workflow: Schema.String,
    prompt: Schema.String,
    maxRounds: Schema.Int,
    dryRun: Schema.Boolean,
    evidence: Schema.optional(Schema.Unknown),
    depth: Schema.Int,
    origin: Origin
  }),
  fact("RunQueued", {}),
  fact("RunStarted", { timeoutMs: Schema.Int, definitionHash: Schema.optional(Schema.String) }),
  fact("RunDropped", { reason: DropReason, by: Schema.optional(Schema.String) }),
  fact("RoleSelected", {
    round,
    role: Schema.String,
    executor: Executor,
    /** What becomes of an attempt whose outcome nobody knows. */
    inDoubt: Schema.Literal("retry", "hold"),
    maxAttempts: Schema.Int,
    timeoutMs: Schema.Int,
    definitionHash: Schema.String
  }),
  fact("RoleAttemptStarted", { round, attempt, workerId: Schema.NullOr(Schema.String) }),
  fact("RoleOffered", {
    round,
    attempt,
    claim: Schema.String,
    executor: Executor,
    ask: Schema.String
  }),
  fact("RoleClaimed", { claim: Schema.String, peer: Schema.String, token: Offset }),
  fact("RoleStepRecorded", {
    round,
    role: Schema.String,
    attempt,
    content: Content,
    meta: Meta,
    durationMs: Schema.Int,
    recoveredFrom: Schema.optional(Schema.Literal("outbox", "operator")),
    /** The peer that played an offered role. */
    peer: Schema.optional(Schema.String)
  }),
  fact("RoleAttemptFailed", { round, attempt, error: Failing, retryInMs: Schema.NullOr(Schema.Int) }),
  fact("RoleAttemptTimedOut", { round, attempt }),
  fact("RoleAttemptAbandoned", { round, attempt, reason: Schema.String }),
  fact("RunSuspended", { reason: SuspendReason }),
  fact("RunHeld", {}),
  fact("RunResumed", { by: Schema.String, definitionHash: Schema.optional(Schema.String) }),
  fact("RunRequeued", { by: Schema.String }),
  fact("RunCompleted", { rounds: Schema.Int }),
  fact("RunFailed", { reason: FailReason, error: Schema.optional(Failing), exitCode: Schema.Int }),
  fact("RunCrashed", { reason: CrashReason }),
  fact("RunInterrupted", { reason: InterruptReason }),
  fact("RunTimedOut", {}),
  fact("RunKillRequested", { reason: Schema.NullOr(Schema.String) }),
  fact("RunKilled", { reason: Schema.NullOr(Schema.String) })
)
export type RunEvent = typeof RunEvent.Type
export type RunEventOf<Type extends RunEvent["type"]> = Extract<RunEvent, { readonly type: Type }>

/** All have had one shape so far. */
export const runUpcasters: { readonly [Type in RunEvent["type"]]: ReadonlyArray<Upcaster> } = {
  RunRequested: [],
  RunQueued: [],
  RunStarted: [],
  RunDropped: [],
  RoleSelected: [],
  RoleAttemptStarted: [],
  RoleOffered: [],
  RoleClaimed: [],
  RoleStepRecorded: [],
  RoleAttemptFailed: [],
  RoleAttemptTimedOut: [],
  RoleAttemptAbandoned: [],
  RunSuspended: [],
  RunHeld: [],
  RunResumed: [],
  RunRequeued: [],
  RunCompleted: [],
  RunFailed: [],
  RunCrashed: [],
  RunInterrupted: [],
  RunTimedOut: [],
  RunKillRequested: [],
  RunKilled: []
}
