/**
 * A command that is not carried out: nothing was appended, and the reason is one of a closed list. Each kind adds its
 * own reasons to these, which any command may meet.
 */
import { Data, Schema } from "effect"
import { Offset } from "../events/Event.js"

export const SystemReason = Schema.Union(
  Schema.TaggedStruct("InvalidCommand", { path: Schema.String, problem: Schema.String }),
  Schema.TaggedStruct("NotAllowed", { need: Schema.String }),
  Schema.TaggedStruct("StreamQuarantined", { stream: Schema.String, offset: Offset, problem: Schema.String }),
  Schema.TaggedStruct("CommandIdReused", { commandId: Schema.String, stream: Schema.String }),
  Schema.TaggedStruct("IllegalInState", { state: Schema.String, event: Schema.String }),
  Schema.TaggedStruct("TooLarge", { limit: Schema.Number }),
  Schema.TaggedStruct("SlowDown", { waiting: Schema.Number }),
  Schema.TaggedStruct("Recovering", {}),
  Schema.TaggedStruct("Draining", {}),
  Schema.TaggedStruct("ReadOnly", { reason: Schema.String, detail: Schema.String }),
  Schema.TaggedStruct("OutcomeUnknown", { commandId: Schema.String }),
  Schema.TaggedStruct("Defect", { problem: Schema.String })
)
export type SystemReason = typeof SystemReason.Type

/** Any reason: one of those that every command may meet, or one of a kind's own. */
export type Reason = SystemReason | { readonly _tag: string }

/** What a person is told about a reason: what was wrong, and what to do about it. */
export interface Explanation {
  readonly message: string
  readonly fix?: string
}

/** An explanation for each reason of a closed list. */
export type Explanations<Reasons extends { readonly _tag: string }> = {
  readonly [Tag in Reasons["_tag"]]: (reason: Extract<Reasons, { readonly _tag: Tag }>) => Explanation
}

export class Refused<
  out Reason extends { readonly _tag: string } = { readonly _tag: string }
> extends Data.TaggedError("Refused")<{ readonly reason: Reason | SystemReason }> {}

/** What people are told about the reasons that any command may meet. */
export const systemExplanations: Explanations<SystemReason> = {
  InvalidCommand: (reason) => ({ message: `${reason.path}: ${reason.problem}` }),
  NotAllowed: (reason) => ({ message: `this needs ${reason.need}` }),
  StreamQuarantined: (reason) => ({
    message: `the history of ${reason.stream} does not fold at offset ${reason.offset}: ${reason.problem}`,
    fix: `mound journal replay --stream ${reason.stream}`
  }),
  CommandIdReused: (reason) => ({
    message: `the command id ${reason.commandId} already belongs to another command, on ${reason.stream}`,
    fix: "choose a fresh command id for each command and repeat it only to retry that command"
  }),
  IllegalInState: (reason) => ({ message: `${reason.event} cannot happen in state ${reason.state}` }),
  TooLarge: (reason) => ({ message: `the body is larger than ${reason.limit} bytes` }),
  SlowDown: (reason) => ({ message: `${reason.waiting} commands are waiting`, fix: "try again in a second" }),
  Recovering: () => ({ message: "the hub is starting", fix: "try again in a second" }),
  Draining: () => ({ message: "the hub is stopping and starts no work", fix: "try again when it is back" }),
  ReadOnly: (reason) => ({
    message: `the journal takes no writes (${reason.reason}): ${reason.detail}`,
    fix: reason.reason === "enospc" ? "free some disk space; writing resumes by itself" : "see the hub's log"
  }),
  OutcomeUnknown: (reason) => ({
    message: "the store failed while this was written; whether it was is not known yet",
    fix: `retry with the command id ${reason.commandId}: it will be done once`
  }),
  Defect: (reason) => ({
    message: `a defect in the hub: ${reason.problem}`,
    fix: "see health, and report it"
  })
}
