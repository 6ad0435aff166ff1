/** Why a command to a presence is refused (contracts: peers 5), beside those of its peer and those that every command may meet. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { PeerReason } from "../peer/PeerRefusal.js"
import type { Explanations } from "../Refused.js"

export const OwnPresenceReason = Schema.Union(
  Schema.TaggedStruct("UndeclaredRuntime", { personality: Schema.String, runtime: Schema.String }),
  Schema.TaggedStruct("Stopped", { identity: Schema.String, since: Offset }),
  Schema.TaggedStruct("CrashLoop", {
    identity: Schema.String,
    heldUntil: Schema.Number,
    /** Offsets of the deaths that it is held for. */
    deaths: Schema.Array(Offset)
  }),
  Schema.TaggedStruct("NothingToResume", { identity: Schema.String, lastEnd: Schema.NullOr(Offset) }),
  Schema.TaggedStruct("UnknownSender", { sender: Schema.String }),
  Schema.TaggedStruct("Self", { identity: Schema.String }),
  Schema.TaggedStruct("QueueFull", { identity: Schema.String, waiting: Schema.Int }),
  Schema.TaggedStruct("BadAttachment", { path: Schema.String, why: Schema.String }),
  Schema.TaggedStruct("MessageIdReused", { messageId: Schema.String }),
  Schema.TaggedStruct("UnknownMessage", { messageId: Schema.String }),
  Schema.TaggedStruct("NotRecipient", { messageId: Schema.String }),
  Schema.TaggedStruct("NoSession", { identity: Schema.String }),
  Schema.TaggedStruct("Offline", { identity: Schema.String, state: Schema.String }),
  Schema.TaggedStruct("Ambiguous", { personality: Schema.String, runtimes: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("Unsupported", { identity: Schema.String, what: Schema.String }),
  Schema.TaggedStruct("NothingToCompact", { identity: Schema.String })
)
export type OwnPresenceReason = typeof OwnPresenceReason.Type
export type PresenceReason =
  | OwnPresenceReason
  | Extract<PeerReason, { readonly _tag: "UnknownPeer" | "Removing" }>

/** What people are told about each. */
export const presenceExplanations: Explanations<OwnPresenceReason> = {
  UndeclaredRuntime: ({ personality, runtime }) => ({
    message: `${personality} is not registered for the runtime ${runtime}`,
    fix: `mound peer register ${personality} --runtime ${runtime}`
  }),
  Stopped: ({ identity, since }) => ({
    message: `${identity} was stopped (offset ${since})`,
    fix: "start it: mound peer start PEER RUNTIME"
  }),
  CrashLoop: ({ identity, heldUntil, deaths }) => ({
    message: `${identity} died too often (offsets ${deaths.join(", ")}) and is held until ${new Date(heldUntil).toISOString()}`,
    fix: "see mound peer why; mound peer reset lifts the hold"
  }),
  NothingToResume: ({ identity }) => ({
    message: `${identity} has no session to go on with`,
    fix: "wake it without --resume"
  }),
  UnknownSender: ({ sender }) => ({
    message: `${sender} is no registered peer on that runtime`,
    fix: "register it, or send as operator"
  }),
  Self: ({ identity }) => ({ message: `${identity} cannot send to itself` }),
  QueueFull: ({ identity, waiting }) => ({
    message: `${waiting} messages wait for ${identity} already`,
    fix: "wait for some to be delivered"
  }),
  BadAttachment: ({ path, why }) => ({ message: `the attachment ${JSON.stringify(path)} ${why}` }),
  MessageIdReused: ({ messageId }) => ({
    message: `the message id ${messageId} belongs to another message`,
    fix: "choose a fresh id for each message and repeat it only to send that message again"
  }),
  UnknownMessage: ({ messageId }) => ({ message: `there is no message ${messageId}` }),
  NotRecipient: ({ messageId }) => ({ message: `the message ${messageId} is for somebody else` }),
  NoSession: ({ identity }) => ({ message: `this is no session of ${identity} that runs now` }),
  Offline: ({ identity, state }) => ({
    message: `${identity} is ${state}: it has no session that runs`,
    fix: "wake it first: mound peer wake PEER RUNTIME"
  }),
  Ambiguous: ({ personality, runtimes }) => ({
    message: `${personality} runs on ${runtimes.join(" and ")}`,
    fix: "say on which: name the RUNTIME too"
  }),
  Unsupported: ({ identity, what }) => ({
    message: `${identity} cannot be ${what} on its runtime`,
    fix: "see mound peer runtimes"
  }),
  NothingToCompact: ({ identity }) => ({ message: `${identity} has no session to make smaller` })
}
