/** What can happen to a sense (contracts: senses and workflows 4). Facts in the past tense: journal rows and machine events alike. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Upcaster } from "../../events/Upcasters.js"

/** Why a sense computes. */
export const SenseCause = Schema.Struct({
  kind: Schema.Literal("interval", "signal", "manual"),
  /** When it arose: for a tick the planned time. */
  at: Schema.Number,
  /** Length of the interval that ticked. */
  everyMs: Schema.optional(Schema.Int),
  /** Of the signal. */
  offset: Schema.optional(Offset),
  /** Whose signal it is. */
  sense: Schema.optional(Schema.String),
  /** Who asked. */
  by: Schema.optional(Schema.String)
})
export type SenseCause = typeof SenseCause.Type

/** What a sense is configured to. */
export const SenseSettings = Schema.Struct({
  group: Schema.String,
  throttleMs: Schema.Int,
  timeoutMs: Schema.Int,
  graceMs: Schema.Int,
  intervalsMs: Schema.Array(Schema.Int),
  on: Schema.Array(Schema.String)
})
export type SenseSettings = typeof SenseSettings.Type

/** How a worker was lost. */
const loss = {
  workerId: Schema.String,
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  reason: Schema.Literal("exit", "overdue", "load_timeout", "spawn"),
  blamed: Schema.Boolean,
  stderrTail: Schema.String
}

const loaded = {
  workerId: Schema.String,
  pid: Schema.Int,
  pidStartedAt: Schema.NullOr(Schema.String),
  hash: Schema.String,
  /** Files that were applied now. */
  migrations: Schema.Array(Schema.String)
}

const directive = { workflow: Schema.String, maxRounds: Schema.Int, prompt: Schema.String }
const rejected = { text: Schema.String, reason: Schema.String }
/** A value too large for the journal, kept as a blob. */
export const BlobReference = Schema.Struct({
  blob: Schema.String,
  bytes: Schema.Int,
  preview: Schema.String
})

/** The fields that a command shares with the event that it leads to. */
export const senseFields = { loss, loaded, directive, rejected }

const reloadReason = Schema.Literal("changed", "sibling", "group")

const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const SenseEvent = Schema.Union(
  fact("SenseRegistered", SenseSettings.fields),
  fact("SenseReconfigured", SenseSettings.fields),
  fact("SenseRemoved", {}),
  fact("SenseArmed", { graceMs: Schema.Int }),
  fact("SenseGraceEnded", {}),
  fact("SenseTriggered", { cause: SenseCause, depth: Schema.Int, dueAt: Schema.Number }),
  fact("SenseComputeStarted", {
    causes: Schema.Array(SenseCause),
    depth: Schema.Int,
    workerId: Schema.String
  }),
  fact("SenseComputeCompleted", {
    token: Offset,
    outcome: Schema.Literal("silent", "signal", "launch", "rejected"),
    state: Schema.optional(Schema.Unknown),
    durationMs: Schema.Int
  }),
  /** `failures` counts the failures in a row, this one with them. */
  fact("SenseComputeFailed", {
    token: Offset,
    error: Schema.String,
    durationMs: Schema.Int,
    failures: Schema.Int
  }),
  fact("SenseComputeTimedOut", { token: Offset, failures: Schema.Int }),
  fact("SenseComputeAborted", { token: Offset }),
  fact("SenseComputeAbandoned", { token: Offset }),
  /** `sequence` counts the sense's signals, from 1. */
  fact("SignalEmitted", { payload: Schema.Unknown, depth: Schema.Int, sequence: Schema.Int }),
  fact("SenseLaunched", {
    ...directive,
    evidence: Schema.optional(Schema.Unknown),
    depth: Schema.Int
  }),
  fact("SenseDirectiveRejected", rejected),
  fact("SenseLoaded", loaded),
  fact("SenseLoadFailed", { error: Schema.String }),
  fact("SenseReloading", { reason: reloadReason }),
  fact("SenseWorkerLost", loss),
  fact("SenseCircuitOpened", { losses: Schema.Int }),
  fact("SenseCircuitHalfOpened", {}),
  fact("SenseCircuitClosed", { by: Schema.Literal("compute", "operator", "reload") })
)
export type SenseEvent = typeof SenseEvent.Type
export type SenseEventOf<Type extends SenseEvent["type"]> = Extract<SenseEvent, { readonly type: Type }>
export type ReloadReason = typeof reloadReason.Type

/** All have had one shape so far. */
export const senseUpcasters: { readonly [Type in SenseEvent["type"]]: ReadonlyArray<Upcaster> } = {
  SenseRegistered: [],
  SenseReconfigured: [],
  SenseRemoved: [],
  SenseArmed: [],
  SenseGraceEnded: [],
  SenseTriggered: [],
  SenseComputeStarted: [],
  SenseComputeCompleted: [],
  SenseComputeFailed: [],
  SenseComputeTimedOut: [],
  SenseComputeAborted: [],
  SenseComputeAbandoned: [],
  SignalEmitted: [],
  SenseLaunched: [],
  SenseDirectiveRejected: [],
  SenseLoaded: [],
  SenseLoadFailed: [],
  SenseReloading: [],
  SenseWorkerLost: [],
  SenseCircuitOpened: [],
  SenseCircuitHalfOpened: [],
  SenseCircuitClosed: []
}
