/** Every reason for which a request is refused, with its HTTP status: one table for the whole protocol. */
import { type ClaimReason, claimExplanations } from "../actors/claim/ClaimRefusal.js"
import { type HubReason, hubExplanations } from "../actors/hub/HubRefusal.js"
import { type PeerReason, peerExplanations } from "../actors/peer/PeerRefusal.js"
import { type OwnPresenceReason, presenceExplanations } from "../actors/presence/PresenceRefusal.js"
import {
  type Explanation,
  type Explanations,
  Refused,
  type SystemReason,
  systemExplanations
} from "../actors/Refused.js"
import { type RunReason, runExplanations } from "../actors/run/RunRefusal.js"
import { type SenseReason, senseExplanations } from "../actors/sense/SenseRefusal.js"
import { type ServerReason, serverExplanations } from "../actors/server/ServerRefusal.js"
import { type WorkflowReason, workflowExplanations } from "../actors/workflow/WorkflowRefusal.js"
import type { Failure } from "./api.js"
import type { TokenFault } from "./StreamToken.js"

/** Reasons of the reading routes, which are no commands. */
export type QueryReason =
  | { readonly _tag: "OffsetAhead"; readonly head: number }
  | { readonly _tag: "JournalChanged"; readonly journalId: string }
  | { readonly _tag: "LedgerUnreadable"; readonly path: string; readonly problem: string }
  | { readonly _tag: "UnknownProjection"; readonly name: string }
  | { readonly _tag: "OperationBusy"; readonly operation: string }
  | { readonly _tag: "NothingToArchive"; readonly lowWater: number; readonly heldBy: string | null }
  | { readonly _tag: "ArchiveMissing"; readonly detail: string }
  | { readonly _tag: "TooManyFollowers"; readonly limit: number }
  | { readonly _tag: "UnknownBlob"; readonly sha256: string }
  | { readonly _tag: "BlobCorrupt"; readonly sha256: string; readonly problem: string }
  | { readonly _tag: "ConfigRejected"; readonly errors: ReadonlyArray<unknown> }
  | StreamReason
  | AccessReason
  | MarkReason

/** Reasons for which a request is turned away before anything of it is read. */
export type AccessReason =
  | Extract<SystemReason, { readonly _tag: "NotAllowed" }>
  | { readonly _tag: "TooManyRequests"; readonly retryAfterMs: number }

/** Reasons for which an agent may not leave or inflate a mark. */
export type MarkReason =
  | Extract<SystemReason, { readonly _tag: "NotAllowed" }>
  | { readonly _tag: "KindUnregistered"; readonly kind: string }
  | {
      readonly _tag: "InflateBudget"
      readonly max: number
      readonly windowMs: number
      readonly retryAfterMs: number
    }

/** Reasons of the routes that read streams (contracts: streams 4). */
export type StreamReason =
  | Exclude<TokenFault, { readonly _tag: "OffsetAhead" }>
  | { readonly _tag: "BadParameter"; readonly parameter: string; readonly problem: string }
  | { readonly _tag: "StreamNotFound"; readonly name: string }
  | { readonly _tag: "ReadOnlyStream"; readonly name: string }

export type AnyReason =
  | SystemReason
  | ClaimReason
  | HubReason
  | PeerReason
  | OwnPresenceReason
  | SenseReason
  | RunReason
  | WorkflowReason
  | ServerReason
  | QueryReason

const queryExplanations: Explanations<Exclude<QueryReason, SystemReason>> = {
  OffsetAhead: ({ head }) => ({
    message: `the journal ends at offset ${head}`,
    fix: "ask for an offset up to that"
  }),
  JournalChanged: ({ journalId }) => ({
    message: `this journal is another one (${journalId}): it was restored`,
    fix: "forget the offsets of the old one and begin at 0"
  }),
  LedgerUnreadable: ({ path, problem }) => ({
    message: `the old ledger ${path} cannot be read: ${problem}`,
    fix: "name the file of the old server's ledger, and give the hub's user permission to read it"
  }),
  UnknownProjection: ({ name }) => ({ message: `there is no projection ${name}` }),
  OperationBusy: ({ operation }) => ({
    message: `${operation} is running already`,
    fix: "wait for it to end"
  }),
  NothingToArchive: ({ lowWater, heldBy }) => ({
    message:
      heldBy === null
        ? `no whole day after offset ${lowWater} is old enough`
        : `${heldBy} is still going on, and what comes after its first event stays`,
    ...(heldBy !== null && { fix: "wait until it has ended" })
  }),
  ArchiveMissing: ({ detail }) => ({
    message: `a part of the journal cannot be read: ${detail}`,
    fix: "put the file back into .mound/archive from a backup"
  }),
  TooManyFollowers: ({ limit }) => ({ message: `${limit} followers are connected already` }),
  UnknownBlob: ({ sha256 }) => ({ message: `there is no blob ${sha256}` }),
  BlobCorrupt: ({ sha256, problem }) => ({
    message: `the blob ${sha256} cannot be shown: ${problem}`,
    fix: "write the right bytes again, or restore the file from a backup"
  }),
  ConfigRejected: ({ errors }) => ({
    message: `the configuration has ${errors.length} errors; the one before it stays in force`,
    fix: "mound validate names them"
  }),
  MalformedOffset: ({ given }) => ({
    message: `${JSON.stringify(given)} is no stream offset`,
    fix: "start at -1"
  }),
  ForeignOffset: ({ given }) => ({
    message: `${given} belongs to another kind of stream`,
    fix: "start at -1"
  }),
  OffsetGone: ({ given }) => ({
    message: `${given} belongs to a history that is no more: the journal was restored`,
    fix: "forget what was read and start at -1"
  }),
  BadParameter: ({ parameter, problem }) => ({ message: `${parameter} ${problem}` }),
  StreamNotFound: ({ name }) => ({ message: `there is no stream ${JSON.stringify(name)}` }),
  ReadOnlyStream: ({ name }) => ({
    message: `${name} is a stream of the journal: it is only read here`,
    fix: "send a command instead"
  }),
  TooManyRequests: ({ retryAfterMs }) => ({
    message: "too many requests, or too many with a token that nobody has",
    fix: `try again in ${secondsOf(retryAfterMs)} s`
  }),
  KindUnregistered: ({ kind }) => ({
    message: `the kind ${JSON.stringify(kind)} is not in the registry of kinds`,
    fix: "use a registered kind, or add it to the file that ledger.auth.kind_registry names"
  }),
  InflateBudget: ({ max, windowMs, retryAfterMs }) => ({
    message: `an agent may inflate ${max} times in ${secondsOf(windowMs)} s`,
    fix: `try again in ${secondsOf(retryAfterMs)} s`
  })
}

const secondsOf = (ms: number): number => Math.ceil(ms / 1_000)

/** What a request lacks that is turned away before anything of it is read. */
const accessExplanations: { readonly [need: string]: Explanation } = {
  host: {
    message: "the Host of this request is none of this hub's names",
    fix: "use the url that the hub prints, or add the name to http.allowed_hosts"
  },
  origin: {
    message: "pages of this origin may not talk to this hub",
    fix: "add it to http.allowed_origins if they may"
  },
  token: {
    message: "this hub wants a token that it knows",
    fix: "send Authorization: Bearer TOKEN: an agent's own, MOUND_TOKEN, or what is in .mound/token"
  },
  agent: {
    message: "this token is for reading alone",
    fix: "use one of scope agent: mound token create --as AGENT"
  },
  operator: {
    message: "this is for operators",
    fix: "use a token of scope operator, or ask an operator"
  }
}

const explanations: Explanations<AnyReason> = {
  ...systemExplanations,
  NotAllowed: (reason) => accessExplanations[reason.need] ?? systemExplanations.NotAllowed(reason),
  ...claimExplanations,
  ...hubExplanations,
  ...peerExplanations,
  ...presenceExplanations,
  ...runExplanations,
  ...workflowExplanations,
  ...senseExplanations,
  ...serverExplanations,
  ...queryExplanations
}

export const statuses: { readonly [Tag in AnyReason["_tag"]]: number } = {
  InvalidCommand: 400,
  StanceUnknown: 400,
  OffsetAhead: 400,
  ConfigRejected: 400,
  KindUnregistered: 400,
  LedgerUnreadable: 400,
  NotAllowed: 403,
  StaleToken: 403,
  UnknownClaim: 404,
  UnknownProjection: 404,
  UnknownRun: 404,
  UnknownWorkflow: 404,
  UnknownSense: 404,
  UnknownBlob: 404,
  AlreadyClaimed: 409,
  AlreadyDone: 409,
  NotHeld: 409,
  NotDone: 409,
  NoOffer: 409,
  NotAddressee: 409,
  TokenChanged: 409,
  HolderLive: 409,
  PresenceNotLive: 409,
  NoneOpen: 409,
  VersionConflict: 409,
  StreamQuarantined: 409,
  CommandIdReused: 409,
  IllegalInState: 409,
  ActiveWork: 409,
  NotDraining: 409,
  JournalChanged: 409,
  OperationBusy: 409,
  NothingToArchive: 409,
  ArchiveMissing: 410,
  AlreadyEnded: 409,
  NotResumable: 409,
  BlobCorrupt: 409,
  SenseBroken: 409,
  CircuitOpen: 409,
  CausalDepth: 409,
  MalformedOffset: 400,
  ForeignOffset: 400,
  BadParameter: 400,
  StaleServerToken: 403,
  StreamNotFound: 404,
  ServerNotRegistered: 404,
  ReadOnlyStream: 405,
  HeardSince: 409,
  OffsetGone: 410,
  TooLarge: 413,
  QuotaReached: 429,
  InflateBudget: 429,
  TooManyRequests: 429,
  TooManyServers: 429,
  SlowDown: 429,
  Defect: 500,
  Recovering: 503,
  Draining: 503,
  ReadOnly: 503,
  OutcomeUnknown: 503,
  TooManyFollowers: 503,
  UnknownPeer: 404,
  NameReserved: 409,
  CwdMissing: 409,
  CwdTaken: 409,
  CwdConflict: 409,
  UnknownRuntime: 409,
  NoCommand: 409,
  RuntimeInUse: 409,
  Removing: 409,
  RefusedLive: 409,
  UndeclaredRuntime: 409,
  Stopped: 409,
  CrashLoop: 409,
  NothingToResume: 409,
  UnknownSender: 403,
  Self: 409,
  QueueFull: 429,
  BadAttachment: 400,
  MessageIdReused: 409,
  UnknownMessage: 404,
  NotRecipient: 403,
  NoSession: 403,
  Offline: 409,
  Ambiguous: 409,
  Unsupported: 409,
  NothingToCompact: 409
}

/** A refusal of a reading route, or of a command that is malformed. */
export const refusal = (reason: AnyReason): Refused<AnyReason> => new Refused({ reason })

export const statusOf = ({ _tag }: AnyReason): number => statuses[_tag]

export const explain = (reason: AnyReason): Explanation =>
  (explanations[reason._tag] as (reason: AnyReason) => Explanation)(reason)

/** Seconds after which a passing refusal is worth another try. */
export const retryAfter = (reason: AnyReason): number | undefined => {
  const { _tag } = reason
  if (_tag === "TooManyRequests" || _tag === "InflateBudget") return secondsOf(reason.retryAfterMs)
  return _tag === "SlowDown" || _tag === "Recovering" || _tag === "Draining" || _tag === "ReadOnly"
    ? 1
    : undefined
}

/** The JSON body: the reason's own fields, a message and what to do. */
export const toFailure = (reason: AnyReason): Failure => {
  const { _tag, ...fields } = reason
  return { _tag, ...explain(reason), ...fields }
}
