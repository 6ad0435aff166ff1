/**
 * What can be asked of a claim, with every limit of contracts: ledger 2.1 and 4. The fields of these schemas are the bodies of
 * the HTTP routes. Defaults that depend on configuration (ttl, grace) are filled in by `decideClaim`.
 */
import { Schema } from "effect"
import { Offset, Version } from "../../events/Event.js"
import type { Holder, MarkRecord } from "./ClaimEvent.js"

/** `peer`, `instance`. */
export const PeerName = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9._:@/-]{1,128}$/, { message: () => "must be 1 to 128 of A-Za-z0-9._:@/-" })
)
const PresenceStream = PeerName.pipe(
  Schema.pattern(/^presence\/./, {
    message: () => "must be the stream of a presence, such as presence/claude-ann"
  })
)
const between = (least: number, most: number) =>
  Schema.Int.pipe(
    Schema.between(least, most, { message: () => `must be an integer from ${least} to ${most}` })
  )
const text = (most: number) =>
  Schema.String.pipe(Schema.maxLength(most, { message: () => `must be at most ${most} characters` }))
const Token = Offset.annotations({ message: () => "must be the token of a grant, a positive integer" })
const Reason = text(2_000)

const maxResultBytes = 64 * 1024
const Result = Schema.Unknown.pipe(
  Schema.filter((value) => Buffer.byteLength(JSON.stringify(value) ?? "") <= maxResultBytes, {
    message: () => "must be at most 64 KiB of JSON"
  })
)
const Evidence = Schema.Array(
  Schema.Struct({ kind: text(2_000), uri: text(2_000), digest: Schema.optional(text(2_000)) })
).pipe(Schema.maxItems(16, { message: () => "must be at most 16 entries" }))

/** How long a claim holds. `ttlMs: null` is for ever; `boundTo` lasts as long as that presence is live. */
const lease = {
  ttlMs: Schema.optional(Schema.NullOr(between(1_000, 86_400_000))),
  graceMs: Schema.optional(between(0, 3_600_000)),
  boundTo: Schema.optional(PresenceStream)
}
const taker = { peer: PeerName, instance: Schema.optional(PeerName), ...lease }

/** `holder`: who has proved to be that peer acts as nobody else, though tokens of claims are no secret. */
const holding = { token: Token, holder: Schema.optional(PeerName) }

const finite = Schema.Number.pipe(Schema.finite({ message: () => "must be a finite number" }))
const Weights = Schema.Record({
  key: Schema.String,
  value: Schema.Number.pipe(Schema.between(0, 1, { message: () => "must be a weight from 0 to 1" }))
})

const command = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

/** The record has been checked by `decodeMark`, which knows the old ledger's words for its faults. */
const Record: Schema.Schema<MarkRecord> = Schema.declare(
  (value): value is MarkRecord => typeof value === "object" && value !== null && !Array.isArray(value),
  {
    identifier: "Mark",
    description: "a mark as it is published; any other key is kept and returned unchanged",
    jsonSchema: {
      type: "object",
      required: ["id", "stanceTarget", "baseIntensity", "decayRate"],
      properties: {
        id: { type: "string", minLength: 1 },
        stanceTarget: { type: "string" },
        baseIntensity: { type: "number" },
        decayRate: { type: "number", minimum: 0, description: "per second" },
        seq: { type: "number" },
        inflations: { type: "integer", minimum: 0, description: "the floor that it begins with" }
      }
    }
  }
)

export const DepositPheromone = command("DepositPheromone", {
  record: Record,
  maxAttempts: Schema.optional(between(1, 1_000)),
  expectedVersion: Schema.optional(Version)
})
export const InflatePheromone = command("InflatePheromone", {})
/** By an operator, or by a sweep: then with its floor, and only if nothing has happened to the claim since it looked. */
export const EvaporatePheromone = command("EvaporatePheromone", {
  reason: Schema.optional(Reason),
  sweep: Schema.optional(
    Schema.Struct({
      cause: Schema.Literal("sweep", "size", "age"),
      floor: finite,
      expectedVersion: Version
    })
  )
})
export const ClaimWork = command("ClaimWork", { ...taker, preclaim: Schema.optional(Schema.Boolean) })
export const ClaimNext = command("ClaimNext", {
  ...taker,
  stances: Schema.optional(Schema.Union(Schema.Array(Schema.String), Weights)),
  minScore: Schema.optional(finite),
  prefix: Schema.optional(Schema.String)
})
export const RenewClaim = command("RenewClaim", holding)
/** By the hub alone: the session that the lease is bound to has ended, and may come again. */
export const SuspectClaim = command("SuspectClaim", { token: Token })
export const VerifyClaim = command("VerifyClaim", { token: Token })
export const ReleaseClaim = command("ReleaseClaim", { ...holding, reason: Schema.optional(Reason) })
export const CompleteClaim = command("CompleteClaim", {
  ...holding,
  summary: Schema.optional(Reason),
  result: Schema.optional(Result),
  evidence: Schema.optional(Evidence)
})
export const FailClaim = command("FailClaim", {
  ...holding,
  reason: Reason,
  retry: Schema.optional(Schema.Boolean),
  retryAfterMs: Schema.optional(between(0, 86_400_000))
})
export const OfferHandoff = command("OfferHandoff", {
  ...holding,
  to: PeerName,
  offerMs: Schema.optional(between(1_000, 900_000))
})
export const WithdrawHandoff = command("WithdrawHandoff", holding)
export const DeclineHandoff = command("DeclineHandoff", { peer: PeerName })
export const AcceptHandoff = command("AcceptHandoff", taker)
export const ReclaimWork = command("ReclaimWork", {
  ...taker,
  expectedToken: Token,
  reason: Reason,
  force: Schema.optional(Schema.Boolean)
})
export const RevokeClaim = command("RevokeClaim", { reason: Reason, token: Schema.optional(Token) })
/** The final state of one id in an old ledger; asked by the hub itself alone. */
export const ImportClaim = command("ImportClaim", {
  record: Schema.optional(Record),
  publishedAt: Schema.optional(finite),
  claim: Schema.optional(Schema.Struct({ token: Schema.String, claimedAt: Schema.optional(finite) }))
})
export const ReopenClaim = command("ReopenClaim", { reason: Reason })

export const ClaimCommand = Schema.Union(
  DepositPheromone,
  InflatePheromone,
  EvaporatePheromone,
  ClaimWork,
  ClaimNext,
  RenewClaim,
  SuspectClaim,
  VerifyClaim,
  ReleaseClaim,
  CompleteClaim,
  FailClaim,
  OfferHandoff,
  WithdrawHandoff,
  DeclineHandoff,
  AcceptHandoff,
  ReclaimWork,
  RevokeClaim,
  ReopenClaim,
  ImportClaim
)
export type ClaimCommand = typeof ClaimCommand.Type

/** The most a `ClaimNext` may wait for a mark to open, ms. */
export const maxWaitMs = 60_000

export type { Holder }
