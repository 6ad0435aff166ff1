/** Why a claim command is refused (contracts: ledger 4), beside the reasons that every command may meet. */
import { Schema } from "effect"
import { Offset, Version } from "../../events/Event.js"
import type { Explanations } from "../Refused.js"

const Outcome = Schema.NullOr(Schema.String)

export const ClaimReason = Schema.Union(
  Schema.TaggedStruct("StanceUnknown", { stanceTarget: Schema.String }),
  Schema.TaggedStruct("StaleToken", { given: Offset, current: Schema.NullOr(Offset), state: Schema.String }),
  Schema.TaggedStruct("UnknownClaim", { id: Schema.String }),
  Schema.TaggedStruct("AlreadyClaimed", {
    by: Schema.String,
    instance: Schema.optional(Schema.String),
    token: Offset,
    since: Schema.Number,
    expiresAt: Schema.NullOr(Schema.Number),
    state: Schema.String
  }),
  Schema.TaggedStruct("AlreadyDone", { outcome: Outcome }),
  Schema.TaggedStruct("NotHeld", { state: Schema.String }),
  Schema.TaggedStruct("NotDone", { state: Schema.String }),
  Schema.TaggedStruct("NoOffer", { state: Schema.String }),
  Schema.TaggedStruct("NotAddressee", { to: Schema.String }),
  Schema.TaggedStruct("TokenChanged", { current: Schema.NullOr(Offset) }),
  Schema.TaggedStruct("HolderLive", { by: Schema.String, expiresAt: Schema.NullOr(Schema.Number) }),
  Schema.TaggedStruct("PresenceNotLive", { presence: Schema.String }),
  Schema.TaggedStruct("NoneOpen", {}),
  Schema.TaggedStruct("VersionConflict", { current: Version }),
  Schema.TaggedStruct("QuotaReached", { held: Schema.Number, limit: Schema.Number })
)
export type ClaimReason = typeof ClaimReason.Type

/** What people are told about each. */
export const claimExplanations: Explanations<ClaimReason> = {
  StanceUnknown: (reason) => ({
    message: `the stance ${JSON.stringify(reason.stanceTarget)} is not in the stance registry`,
    fix: "use a registered stance, or add it to the files that ledger.stance_registry names and restart"
  }),
  StaleToken: (reason) => ({
    message: `the token ${reason.given} is not current: ${whatIs(reason)}, the claim is ${reason.state}`,
    fix: "stop this work: somebody else may be doing it; claim it again to go on"
  }),
  UnknownClaim: (reason) => ({
    message: `there is no mark ${JSON.stringify(reason.id)}`,
    fix: "deposit it first, or check the id"
  }),
  AlreadyClaimed: (reason) => ({
    message: `${reason.by} holds this claim under token ${reason.token}`,
    fix: whenFree(reason)
  }),
  AlreadyDone: (reason) => ({
    message: `this work is settled (${reason.outcome ?? "claimed for ever and swept"})`,
    fix: "an operator can reopen it"
  }),
  NotHeld: (reason) => ({ message: `nobody holds this claim: it is ${reason.state}` }),
  NotDone: (reason) => ({ message: `this claim is not settled: it is ${reason.state}` }),
  NoOffer: (reason) => ({ message: `no handoff is offered: the claim is ${reason.state}` }),
  NotAddressee: (reason) => ({ message: `the handoff is offered to ${reason.to}` }),
  TokenChanged: (reason) => ({
    message: `the claim has moved on: its newest token is ${reason.current}`,
    fix: "look at it again"
  }),
  HolderLive: (reason) => ({
    message: `${reason.by} holds this claim and its lease has not ended`,
    fix: "wait for its grace to begin, or reclaim with force"
  }),
  PresenceNotLive: (reason) => ({
    message: `the presence ${reason.presence} is not live`,
    fix: "claim with a ttl, or start it"
  }),
  NoneOpen: () => ({
    message: "no open mark matches",
    fix: "wait for one with waitMs, or ask for other stances"
  }),
  VersionConflict: (reason) => ({
    message: `the claim is at version ${reason.current}`,
    fix: "read it again and decide anew"
  }),
  QuotaReached: (reason) => ({
    message: `this peer holds ${reason.held} claims, its limit is ${reason.limit}`,
    fix: "end one first"
  })
}

type ReasonOf<Tag extends ClaimReason["_tag"]> = Extract<ClaimReason, { readonly _tag: Tag }>

const whatIs = ({ given, current }: ReasonOf<"StaleToken">): string => {
  if (current === null) return "nobody has held this claim"
  return current === given ? "its lease is over" : `the newest is ${current}`
}

const whenFree = ({ expiresAt, state }: ReasonOf<"AlreadyClaimed">): string => {
  if (expiresAt === null)
    return "it is held for ever: ask the holder to release it, or an operator to revoke it"
  if (state === "held.grace") return "its lease has ended: reclaim it, or try again when its grace is over"
  return `try again after ${new Date(expiresAt).toISOString()}`
}
