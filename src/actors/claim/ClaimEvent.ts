/** What can happen to a claim (contracts: ledger 4). Facts in the past tense: journal rows and machine events alike. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Upcaster } from "../../events/Upcasters.js"

/** Who has a claim. `instance` tells two processes of one peer apart. */
export const Holder = Schema.Struct({
  peer: Schema.String,
  instance: Schema.optional(Schema.String),
  boundTo: Schema.optional(Schema.String)
})
export type Holder = typeof Holder.Type

/** The body as published, without its `intensity`; keys of any kind, kept in their order. */
export type MarkRecord = { readonly [key: string]: unknown }
const MarkRecord: Schema.Schema<MarkRecord> = Schema.declare(
  (value): value is MarkRecord => typeof value === "object" && value !== null && !Array.isArray(value)
)

const Token = Offset
const ttlMs = Schema.NullOr(Schema.Int)
const graceMs = Schema.Int

const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const ClaimEvent = Schema.Union(
  fact("PheromoneDeposited", {
    record: MarkRecord,
    maxAttempts: Schema.optional(Schema.Int),
    publishedAt: Schema.optional(Schema.Number)
  }),
  /** `intensity` is the one it led to: followers need not fold to know it. */
  fact("PheromoneInflated", { intensity: Schema.Number }),
  fact("PheromoneEvaporated", {
    intensity: Schema.Number,
    floor: Schema.optional(Schema.Number),
    reason: Schema.Literal("sweep", "size", "age", "operator"),
    note: Schema.optional(Schema.String)
  }),
  fact("ClaimGranted", {
    ...Holder.fields,
    ttlMs,
    graceMs,
    attempt: Schema.Int,
    preclaim: Schema.optional(Schema.Boolean),
    /** The score that `ClaimNext` chose it for. */
    score: Schema.optional(Schema.Number),
    /** What the old ledger knew of a claim that was imported from it: its own token, and when it was made. */
    importedToken: Schema.optional(Schema.String),
    claimedAt: Schema.optional(Schema.Number)
  }),
  fact("ClaimRenewed", { token: Token }),
  fact("ClaimGraceStarted", { token: Token, cause: Schema.Literal("deadline", "presence") }),
  fact("ClaimExpired", { token: Token, overdueMs: Schema.Int }),
  fact("ClaimReleased", { token: Token, reason: Schema.NullOr(Schema.String) }),
  fact("ClaimCompleted", {
    token: Token,
    summary: Schema.NullOr(Schema.String),
    result: Schema.Unknown,
    evidence: Schema.Array(Schema.Unknown)
  }),
  fact("ClaimFailed", {
    token: Token,
    reason: Schema.String,
    retry: Schema.Boolean,
    retryAfterMs: Schema.Int
  }),
  fact("ClaimRevoked", { token: Token, reason: Schema.String }),
  fact("ClaimReopened", { reason: Schema.String }),
  fact("ClaimTransferred", {
    from: Holder,
    to: Holder,
    previousToken: Token,
    ttlMs,
    graceMs,
    cause: Schema.Literal("handoff", "reclaim"),
    reason: Schema.optional(Schema.String)
  }),
  fact("HandoffOffered", { token: Token, to: Schema.String, offerMs: Schema.Int }),
  fact("HandoffDeclined", { token: Token, to: Schema.String }),
  fact("HandoffWithdrawn", { token: Token, to: Schema.String }),
  fact("HandoffLapsed", { token: Token, to: Schema.String })
)
export type ClaimEvent = typeof ClaimEvent.Type

/** One event type of a claim. */
export type ClaimEventOf<Type extends ClaimEvent["type"]> = Extract<ClaimEvent, { readonly type: Type }>

/** All have had one shape so far. */
export const claimUpcasters: { readonly [Type in ClaimEvent["type"]]: ReadonlyArray<Upcaster> } = {
  PheromoneDeposited: [],
  PheromoneInflated: [],
  PheromoneEvaporated: [],
  ClaimGranted: [],
  ClaimRenewed: [],
  ClaimGraceStarted: [],
  ClaimExpired: [],
  ClaimReleased: [],
  ClaimCompleted: [],
  ClaimFailed: [],
  ClaimRevoked: [],
  ClaimReopened: [],
  ClaimTransferred: [],
  HandoffOffered: [],
  HandoffDeclined: [],
  HandoffWithdrawn: [],
  HandoffLapsed: []
}
