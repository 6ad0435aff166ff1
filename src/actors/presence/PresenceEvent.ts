/** What can happen to a peer on one runtime (contracts: peers 3, 5). Messages live in the stream of their recipient. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Upcaster } from "../../events/Upcasters.js"
import { intelligences } from "../peer/Identity.js"

const orNull = Schema.NullOr

export const Sender = Schema.Struct({
  personality: Schema.String,
  runtime: Schema.String,
  intelligence: Schema.Literal(...intelligences)
})
export type Sender = typeof Sender.Type

export const Attachment = Schema.Struct({
  /** Base name that the recipient sees. */
  name: Schema.String,
  sha256: Schema.String,
  bytes: Schema.Int
})

export const Trigger = Schema.Literal("message", "operator", "attach", "renew", "always-on", "role")
export const Intent = Schema.Literal("natural", "fresh", "resume")
export const WakeMode = Schema.Literal("fresh", "resume")
export const WakeCause = Schema.Literal(
  "renew",
  "eager-fresh",
  "operator-fresh",
  "attach",
  "soft-reload",
  "ephemeral-policy",
  "crash-or-self-close",
  "first-wake",
  "idle-reaped-human",
  "idle-reaped-human-no-resume",
  "idle-reaped-no-resume",
  "idle-reaped-no-topic",
  "idle-reaped-new-topic",
  "idle-reaped-resume"
)
export const WakeFailure = Schema.Literal(
  "cwd-missing",
  "command-missing",
  "host-missing",
  "runtime-unknown",
  "nothing-to-resume",
  "spawn-error"
)
/** Why the hub or a person ends a session. */
export const EndRequest = Schema.Literal(
  "idle",
  "renew",
  "self-fresh",
  "remove",
  "shutdown",
  "hub-fault",
  "ephemeral-done",
  "ephemeral-unarmed"
)
export const EndReason = Schema.Literal(...EndRequest.literals, "stop", "exit", "boot-timeout")
export const Disposition = Schema.Literal("parked", "gone", "discarded")
export const Evidence = Schema.Literal("ack", "reply", "transcript", "written")

/** What an end or a failed start means for the next one; decided once, with the event. */
const aftermath = {
  /** An exit that nobody asked for and that was no orderly one. */
  death: Schema.Boolean,
  /** Held until then, because too many deaths lie in the window. */
  heldUntil: orNull(Schema.Number),
  /** Unasked ends in a row of sessions that did not live long. */
  streak: Schema.Int,
  restartInMs: Schema.Int
}

/** Every event says of which registration it is: what comes late for an earlier one is told apart. */
const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), incarnation: Offset, ...fields })

export const PresenceEvent = Schema.Union(
  fact("PresenceDeclared", {
    restart: Schema.Literal("onDemand", "always"),
    resume: Schema.Literal("topic", "always", "never"),
    wake: Schema.Literal("shared", "ephemeral")
  }),
  fact("PresenceRetired", {}),
  fact("PresenceStopped", {}),
  fact("PresenceStarted", {}),
  fact("WakeRequested", {
    trigger: Trigger,
    intent: Intent,
    topic: orNull(Schema.String),
    override: Schema.Boolean
  }),
  fact("WakeModeChosen", {
    sessionId: Schema.String,
    mode: WakeMode,
    cause: WakeCause,
    /** The session that is gone on with. */
    resumeRef: orNull(Schema.String),
    /** Offsets of the events that it was decided from. */
    basis: Schema.Array(Offset),
    trigger: Trigger,
    topic: orNull(Schema.String),
    host: Schema.String,
    argv: Schema.Array(Schema.String),
    cwd: Schema.String,
    bootMs: Schema.Int,
    /** Null for never: an always-on presence is not parked. */
    idleMs: orNull(Schema.Int),
    /** Idle time once it is done with the one message that it takes; null for one that takes more. */
    quietMs: orNull(Schema.Int)
  }),
  fact("WakeFailed", {
    phase: Schema.Literal("decide", "spawn"),
    reason: WakeFailure,
    detail: Schema.String,
    sessionId: orNull(Schema.String),
    ...aftermath
  }),
  fact("SessionSpawned", {
    sessionId: Schema.String,
    pid: Schema.Int,
    /** With the pid and the boot id they tell this process from any other that has its pid later. */
    startTime: Schema.String,
    bootId: Schema.String,
    tokenSha256: Schema.String
  }),
  fact("SessionReady", {
    sessionId: Schema.String,
    evidence: Schema.String,
    afterMs: Schema.Int,
    outputOffset: Schema.Int
  }),
  fact("BootTimedOut", { sessionId: Schema.String }),
  fact("IdlePeriodElapsed", { sessionId: Schema.String }),
  fact("ActivityObserved", {
    sessionId: Schema.String,
    kind: Schema.String,
    activeAt: Schema.Number,
    /** Where its output is read from now on, when it was cut. */
    outputOffset: orNull(Schema.Int)
  }),
  fact("SessionAttached", { sessionId: Schema.String }),
  fact("SessionInterrupted", { sessionId: Schema.String }),
  /** It has shown that its memory is smaller now. */
  fact("SessionCompacted", { sessionId: Schema.String, evidence: Schema.Literal("control", "transcript") }),
  /** One that takes a single message is done with it. */
  fact("WorkerFinished", { sessionId: Schema.String, by: Schema.Literal("message", "self", "control") }),
  fact("SessionEndRequested", {
    sessionId: Schema.String,
    reason: EndRequest,
    disposition: Disposition,
    idleForMs: orNull(Schema.Int)
  }),
  fact("SessionEnded", {
    sessionId: Schema.String,
    reason: EndReason,
    initiator: Schema.Literal("hub", "operator", "self", "unknown"),
    code: orNull(Schema.Int),
    signal: orNull(Schema.String),
    disposition: Disposition,
    detectedBy: Schema.Literal("exit", "reconcile"),
    ready: Schema.Boolean,
    liveMs: Schema.Int,
    idleForMs: orNull(Schema.Int),
    outputTail: orNull(Schema.String),
    ...aftermath
  }),
  fact("RestartFellDue", {}),
  fact("CrashLoopCleared", { by: Schema.Literal("deadline", "operator") }),
  fact("FreshNextArmed", {}),
  fact("MessageAccepted", {
    messageId: Schema.String,
    from: Sender,
    to: Schema.String,
    body: Schema.String,
    topic: orNull(Schema.String),
    replyTo: orNull(Schema.String),
    attachments: Schema.Array(Attachment),
    /** Local time with its offset, to the second: sender and recipient see the same text. */
    sentAt: Schema.String
  }),
  fact("DeliveryAttempted", {
    messageId: Schema.String,
    attempt: Schema.Int,
    sessionId: Schema.String,
    /** The message's: the session knows of it from now on. */
    topic: orNull(Schema.String)
  }),
  fact("DeliveryConfirmed", {
    messageId: Schema.String,
    evidence: Evidence,
    afterMs: Schema.Int,
    /** It came after the delivery had been given up. */
    late: Schema.Boolean,
    outputOffset: orNull(Schema.Int)
  }),
  fact("DeliveryUnconfirmed", {
    messageId: Schema.String,
    attempt: Schema.Int,
    waitedMs: Schema.Int,
    /** It is not tried again. */
    final: Schema.Boolean
  }),
  fact("MessageFailed", {
    messageId: Schema.String,
    reason: Schema.Literal("removed", "wake-failed", ...WakeFailure.literals)
  })
)
export type PresenceEvent = typeof PresenceEvent.Type

/** What happened, before it is said of which registration. */
export type PresenceFact = PresenceEvent extends infer Each
  ? Each extends PresenceEvent
    ? Omit<Each, "incarnation">
    : never
  : never

/** One event type of a presence. */
export type PresenceEventOf<Type extends PresenceEvent["type"]> = Extract<
  PresenceEvent,
  { readonly type: Type }
>

/** What is recorded of a message: with the sender and the time that the hub gave it. */
export type AcceptedMessage = Omit<PresenceEventOf<"MessageAccepted">, "type">

/** Sessions that take a single message came later. */
export const presenceUpcasters: { readonly [Type in PresenceEvent["type"]]: ReadonlyArray<Upcaster> } = {
  PresenceDeclared: [(data) => ({ ...data, wake: "shared" })],
  PresenceRetired: [],
  PresenceStopped: [],
  PresenceStarted: [],
  WakeRequested: [],
  WakeModeChosen: [(data) => ({ ...data, quietMs: null })],
  WakeFailed: [],
  SessionSpawned: [],
  SessionReady: [],
  BootTimedOut: [],
  IdlePeriodElapsed: [],
  ActivityObserved: [],
  SessionAttached: [],
  SessionInterrupted: [],
  SessionCompacted: [],
  WorkerFinished: [],
  SessionEndRequested: [],
  SessionEnded: [],
  RestartFellDue: [],
  CrashLoopCleared: [],
  FreshNextArmed: [],
  MessageAccepted: [],
  DeliveryAttempted: [],
  DeliveryConfirmed: [],
  DeliveryUnconfirmed: [],
  MessageFailed: []
}
