/**
 * What can be asked of a presence, by people and peers, and what its own invocations report to it (contracts: peers 3.4, 5). The
 * HTTP bodies are made of these fields.
 */
import { Schema } from "effect"
import { Attachment, Evidence, Intent, Sender, Trigger, WakeFailure } from "./PresenceEvent.js"

const text = (most: number) =>
  Schema.String.pipe(
    Schema.minLength(1, { message: () => "must not be empty" }),
    Schema.maxLength(most, { message: () => `must be at most ${most} characters` })
  )
/** Longer than its limit is a matter of size, not of form. */
export const maxBody = 16_000
export const Topic = text(200)
export const MessageId = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9._:-]{1,128}$/, { message: () => "must be 1 to 128 of A-Za-z0-9._:-" })
)
const orNull = Schema.NullOr
const command = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const WakePresence = command("WakePresence", {
  intent: Schema.optional(Intent),
  topic: Schema.optional(Topic),
  /** Also out of a crash loop. */
  override: Schema.optional(Schema.Boolean),
  trigger: Schema.optional(Trigger)
})
export const SendMessage = command("SendMessage", {
  messageId: MessageId,
  from: Sender,
  body: text(maxBody),
  topic: Schema.optional(Topic),
  replyTo: Schema.optional(MessageId),
  attachments: Schema.optional(Schema.Array(Attachment)),
  /** It wakes nobody: one that is not live does not get it. */
  onlyLive: Schema.optional(Schema.Boolean)
})
export const ConfirmDelivery = command("ConfirmDelivery", {
  messageId: MessageId,
  evidence: Evidence,
  outputOffset: Schema.optional(Schema.Int)
})

const sessionId = Schema.String

export const PresenceCommand = Schema.Union(
  command("DeclarePresence", {}),
  command("RetirePresence", {}),
  WakePresence,
  command("StopPresence", {}),
  command("StartPresence", {}),
  command("RenewPresence", { topic: Schema.optional(Topic) }),
  command("RefreshPresence", {}),
  command("ResetCrashLoop", {}),
  SendMessage,
  ConfirmDelivery,
  command("SelfFresh", { sessionId }),
  /** Without a session the one that runs is meant. */
  command("SelfDone", {
    sessionId: Schema.optional(sessionId),
    how: Schema.Literal("message", "self", "control")
  }),
  /** What was done to a session, told by whoever did it. */
  command("AttachSession", { sessionId }),
  command("InterruptSession", { sessionId }),
  command("CompactSession", { sessionId, evidence: Schema.Literal("control", "transcript") }),
  command("EndSession", {
    sessionId,
    reason: Schema.Literal("idle", "shutdown", "hub-fault"),
    idleForMs: Schema.optional(Schema.Int)
  }),
  /** By `probe`: what it found. `problem` says why nothing can be started. */
  command("ReportProbe", {
    sessionId,
    problem: Schema.optional(Schema.Struct({ reason: WakeFailure, detail: Schema.String })),
    host: Schema.String,
    /** The runtime can resume at all; and there is something that it would find. */
    canResume: Schema.Boolean,
    isFound: Schema.Boolean,
    freshArgv: Schema.Array(Schema.String),
    resumeArgv: Schema.Array(Schema.String),
    cwd: Schema.String,
    bootMs: Schema.Int,
    idleMs: Schema.Int
  }),
  /** By `bringUp`. */
  command("ReportSpawned", {
    sessionId,
    pid: Schema.Int,
    startTime: Schema.String,
    bootId: Schema.String,
    tokenSha256: Schema.String
  }),
  command("ReportSpawnFailed", { sessionId, reason: WakeFailure, detail: Schema.String }),
  command("ReportReady", {
    sessionId,
    evidence: Schema.String,
    afterMs: Schema.Int,
    outputOffset: Schema.Int
  }),
  /** By whoever watches the session in its state. */
  command("ReportSessionEnded", {
    sessionId,
    code: orNull(Schema.Int),
    signal: orNull(Schema.String),
    detectedBy: Schema.Literal("exit", "reconcile"),
    outputTail: orNull(Schema.String)
  }),
  command("ReportActivity", {
    sessionId,
    kind: Schema.String,
    activeAt: Schema.Number,
    /** Its output is about to be cut. */
    outputOffset: Schema.optional(Schema.Int)
  }),
  /** By `attend`: changes nothing, and is answered with how the session stands. */
  command("ConsultSession", { sessionId }),
  /** By `drain`: takes the queue's head in hand; unchanged when one is in hand already. */
  command("BeginDelivery", { sessionId }),
  command("ReportNoEvidence", {
    sessionId,
    messageId: Schema.String,
    attempt: Schema.Int,
    waitedMs: Schema.Int,
    /** It must not be tried again, however few attempts there were. */
    final: Schema.optional(Schema.Boolean)
  })
)
export type PresenceCommand = typeof PresenceCommand.Type
export type PresenceCommandOf<Type extends PresenceCommand["type"]> = Extract<
  PresenceCommand,
  { readonly type: Type }
>
