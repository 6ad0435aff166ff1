/** What can happen to the hub itself, on the one stream without an id (contracts: hub 4). */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Upcaster } from "../../events/Upcasters.js"

const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const PortSource = Schema.Literal("flag", "env", "config", "sticky", "free", "fallback", "ephemeral")
export type PortSource = typeof PortSource.Type

const started = {
  bootId: Schema.String,
  pid: Schema.Int,
  version: Schema.String,
  node: Schema.String,
  format: Schema.Int,
  safe: Schema.Boolean
}
const reassigned = { from: Schema.Int, to: Schema.Int, cause: Schema.String }
const bound = {
  url: Schema.String,
  host: Schema.String,
  port: Schema.Int,
  portSource: PortSource,
  socket: Schema.NullOr(Schema.String)
}
const recovered = {
  streams: Schema.Int,
  eventsReplayed: Schema.Int,
  deadlinesArmed: Schema.Int,
  invocations: Schema.Int,
  quarantined: Schema.Array(Schema.Struct({ stream: Schema.String, offset: Offset })),
  tookMs: Schema.Int
}
const startFailed = { phase: Schema.String, tag: Schema.String, message: Schema.String }
const jumped = { wallMs: Schema.Number, monotonicMs: Schema.Number }
const defect = {
  stream: Schema.NullOr(Schema.String),
  offset: Schema.NullOr(Offset),
  where: Schema.Literal("decide", "reduce", "invocation"),
  message: Schema.String,
  stack: Schema.Array(Schema.String)
}
const resumed = { reason: Schema.String, since: Schema.Number, refused: Schema.Int }
const rebuilt = {
  name: Schema.String,
  version: Schema.Int,
  offset: Offset,
  rows: Schema.Int,
  digest: Schema.NullOr(Schema.String)
}
const diverged = {
  name: Schema.String,
  offset: Offset,
  liveDigest: Schema.String,
  rebuiltDigest: Schema.String
}
/** What was active when a drain began. */
export const OpenWork = Schema.Struct({ claims: Schema.Int, runs: Schema.Int, invocations: Schema.Int })
const Outstanding = Schema.Struct({ stream: Schema.String, what: Schema.String })

const restored = {
  journalId: Schema.String,
  previousJournalId: Schema.String,
  offset: Offset,
  headHash: Schema.String
}

const configLoaded = {
  hash: Schema.String,
  senses: Schema.Array(Schema.String),
  workflows: Schema.Array(Schema.String)
}
/** `senses/a`, `workflows/b`. */
const names = Schema.Array(Schema.String)
const configReloaded = { hash: Schema.String, added: names, removed: names, changed: names }
const configRejected = { hash: Schema.String, errors: Schema.Array(Schema.Unknown) }
const component = {
  component: Schema.String,
  reason: Schema.String,
  subject: Schema.String
}
const degraded = {
  ...component,
  status: Schema.Literal("degraded", "failing"),
  /** What was measured, and what it must not pass. */
  value: Schema.Number,
  limit: Schema.Number
}
const recoveredComponent = { ...component, tookMs: Schema.Number }
const backup = {
  dir: Schema.String,
  offset: Offset,
  headHash: Schema.String,
  bytes: Schema.Int,
  tookMs: Schema.Int
}

/** What an import of an old ledger came to: how many ids, and which lines (or ids) were glued or could not be read. */
export const ImportReport = Schema.Struct({
  pheromones: Schema.Int,
  claims: Schema.Int,
  decoded: Schema.Int,
  existing: Schema.Int,
  ignored: Schema.Int,
  recovered: Schema.Array(Schema.Int),
  skipped: Schema.Array(Schema.Union(Schema.Int, Schema.String))
})
export type ImportReport = typeof ImportReport.Type
const imported = {
  path: Schema.String,
  sha256: Schema.String,
  bytes: Schema.Int,
  report: ImportReport
}

const archived = {
  file: Schema.String,
  fromOffset: Offset,
  toOffset: Offset,
  fromAt: Schema.Number,
  toAt: Schema.Number,
  rows: Schema.Int,
  sha256: Schema.String,
  prevHash: Schema.String,
  lastHash: Schema.String
}

/** The fields that a command shares with the event that it leads to. */
export const hubFields = {
  started,
  reassigned,
  bound,
  recovered,
  startFailed,
  jumped,
  defect,
  resumed,
  rebuilt,
  diverged,
  restored,
  configLoaded,
  configReloaded,
  configRejected,
  component,
  degraded,
  backup,
  imported,
  archived
}

export const HubEvent = Schema.Union(
  fact("HubLossDetected", { previousBootId: Schema.String, lastOffset: Offset, lastAt: Schema.Number }),
  fact("HubStarted", started),
  fact("HubPortReassigned", reassigned),
  fact("HubBound", bound),
  fact("HubReady", { bootId: Schema.String, ...recovered, safe: Schema.Boolean }),
  fact("HubStartFailed", startFailed),
  fact("HubDrainStarted", {
    reason: Schema.String,
    force: Schema.Boolean,
    deadlineAt: Schema.Number,
    open: OpenWork
  }),
  fact("HubDrained", { tookMs: Schema.Int }),
  fact("HubDrainCutShort", {
    cause: Schema.Literal("timeout", "signal"),
    outstanding: Schema.Array(Outstanding),
    total: Schema.Int
  }),
  fact("HubStopped", { clean: Schema.Boolean, uptimeMs: Schema.Int }),
  fact("ClockJumpDetected", jumped),
  fact("DefectRecorded", defect),
  fact("JournalWritesResumed", resumed),
  fact("ProjectionRebuilt", rebuilt),
  fact("ProjectionDiverged", diverged),
  fact("JournalRestored", restored),
  fact("ConfigLoaded", configLoaded),
  fact("ConfigReloaded", configReloaded),
  fact("ConfigRejected", configRejected),
  fact("ComponentDegraded", degraded),
  fact("ComponentRecovered", recoveredComponent),
  fact("BackupTaken", backup),
  fact("LedgerImported", imported),
  fact("JournalArchived", archived)
)
export type HubEvent = typeof HubEvent.Type
export type OpenWork = typeof OpenWork.Type
export type Outstanding = typeof Outstanding.Type

/** All have had one shape so far. */
export const hubUpcasters: { readonly [Type in HubEvent["type"]]: ReadonlyArray<Upcaster> } = {
  HubLossDetected: [],
  HubStarted: [],
  HubPortReassigned: [],
  HubBound: [],
  HubReady: [],
  HubStartFailed: [],
  HubDrainStarted: [],
  HubDrained: [],
  HubDrainCutShort: [],
  HubStopped: [],
  ClockJumpDetected: [],
  DefectRecorded: [],
  JournalWritesResumed: [],
  ProjectionRebuilt: [],
  ProjectionDiverged: [],
  JournalRestored: [],
  ConfigLoaded: [],
  ConfigReloaded: [],
  ConfigRejected: [],
  ComponentDegraded: [],
  ComponentRecovered: [],
  BackupTaken: [],
  LedgerImported: [],
  JournalArchived: []
}
