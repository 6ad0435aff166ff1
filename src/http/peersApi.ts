/** The part of the protocol that is about peers, their presences and their messages (contracts: peers 5). */
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { IntelligenceWord, Personality, RuntimeName } from "../actors/peer/Identity.js"
import { AmendPeer, RegisterPeer } from "../actors/peer/PeerCommand.js"
import { MessageId, maxBody, Topic, WakePresence } from "../actors/presence/PresenceCommand.js"
import { Attachment, Sender } from "../actors/presence/PresenceEvent.js"

const orNull = Schema.NullOr
const Instant = Schema.Int.annotations({ description: "epoch ms of the hub clock" })
const number = Schema.NumberFromString
const at = { at: Schema.optional(Schema.String) }
const page = {
  limit: Schema.optional(number.pipe(Schema.int(), Schema.between(1, 1_000))),
  cursor: Schema.optional(Schema.String)
}
const maxWaitMs = 600_000
const wait = {
  wait: Schema.optional(number.pipe(Schema.int(), Schema.between(0, maxWaitMs)))
}
const personality = Schema.Struct({ personality: Personality })

const { type: _, ...amendFields } = AmendPeer.fields
const { type: __, cwd: cwdField, ...registerFields } = RegisterPeer.fields

export const PresenceRow = Schema.Struct({
  kind: Schema.Literal("presence"),
  identity: Schema.String,
  personality: Schema.String,
  runtime: Schema.String,
  incarnation: orNull(Schema.Int),
  state: Schema.String,
  status: Schema.String,
  since: Instant,
  host: orNull(Schema.String),
  sessionId: orNull(Schema.String),
  pid: orNull(Schema.Int),
  mode: orNull(Schema.String),
  cause: orNull(Schema.String),
  lastActiveAt: orNull(Instant),
  topics: Schema.Array(Schema.String),
  queueDepth: Schema.Int,
  inFlight: orNull(Schema.String),
  deathsInWindow: Schema.Int,
  heldUntil: orNull(Instant),
  restartAt: orNull(Instant),
  freshNext: Schema.Boolean,
  lastEnd: Schema.Unknown,
  offset: Schema.Int
}).annotations({ identifier: "PresenceRow" })
export type PresenceRow = typeof PresenceRow.Type

/** A program that has registered here, beside the peers. */
export const ServerRow = Schema.Struct({
  kind: Schema.Literal("server"),
  id: Schema.String,
  state: Schema.Literal("registered", "stale"),
  since: Schema.Number,
  url: Schema.String,
  port: Schema.Int,
  pid: Schema.Int,
  metadata: Schema.Unknown,
  /** Offset of its registration. */
  token: Schema.Int,
  offset: Schema.Int
}).annotations({ identifier: "ServerRow" })
export type ServerRow = typeof ServerRow.Type

/** What only operators see is null for anybody else. */
export const PeerRow = Schema.Struct({
  kind: Schema.Literal("peer"),
  personality: Schema.String,
  state: Schema.String,
  since: Instant,
  incarnation: orNull(Schema.Int),
  cwd: orNull(Schema.String),
  runtimes: Schema.Array(Schema.String),
  defaultRuntime: Schema.String,
  intelligence: Schema.String,
  description: Schema.String,
  restart: Schema.String,
  resume: Schema.String,
  wake: Schema.String,
  launch: Schema.Unknown,
  seedPrompt: orNull(Schema.String),
  interfaces: Schema.Unknown,
  offset: Schema.Int
}).annotations({ identifier: "PeerRow" })
export type PeerRow = typeof PeerRow.Type

const Peer = Schema.Struct({ ...PeerRow.fields, presences: Schema.Array(PresenceRow) }).annotations({
  identifier: "Peer"
})

const Registered = Schema.Struct({
  peer: Peer,
  truncated: Schema.optional(Schema.Boolean).annotations({ description: "the description was cut" }),
  offset: Schema.Int
})

const Outcome = Schema.Struct({
  personality: Schema.String,
  runtime: Schema.String,
  action: Schema.String,
  reason: Schema.optional(Schema.String),
  mode: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.String),
  target: Schema.optional(Schema.Array(Schema.String)).annotations({
    description: "the command that shows its screen"
  })
}).annotations({ identifier: "PresenceOutcome" })
export type PresenceOutcome = typeof Outcome.Type

const Told = Schema.Struct({
  offset: Schema.Int,
  at: Instant,
  stream: Schema.String,
  type: Schema.String,
  data: Schema.Unknown
})

export const Why = Schema.Struct({
  identity: Schema.String,
  state: Schema.String,
  since: Instant,
  decision: orNull(Schema.Struct({ ...Told.fields, row: orNull(Schema.String), basis: Schema.Array(Told) })),
  lastEnd: orNull(Told),
  deaths: Schema.Array(Schema.Struct({ offset: Schema.Int, at: Instant })),
  heldUntil: orNull(Instant),
  queue: Schema.Array(
    Schema.Struct({ messageId: Schema.String, state: Schema.String, offset: Schema.Int, at: Instant })
  ),
  nextDeadline: orNull(Schema.Struct({ type: Schema.String, at: Instant })),
  offset: Schema.Int
}).annotations({ identifier: "Why" })
export type Why = typeof Why.Type

export const MessageRow = Schema.Struct({
  messageId: Schema.String,
  to: Schema.String,
  from: Schema.String,
  topic: orNull(Schema.String),
  replyTo: orNull(Schema.String),
  sentAt: Schema.String,
  state: Schema.String,
  evidence: orNull(Schema.String),
  reason: orNull(Schema.String),
  acceptedAt: Instant,
  settledAt: orNull(Instant),
  offset: Schema.Int
}).annotations({ identifier: "MessageRow" })

export const Message = Schema.Struct({
  ...MessageRow.fields,
  sender: Sender,
  body: Schema.String,
  attachments: Schema.Array(Attachment),
  attempts: Schema.Array(
    Schema.Struct({
      attempt: Schema.Int,
      at: Instant,
      sessionId: Schema.String,
      waitedMs: Schema.optional(Schema.Int)
    })
  )
}).annotations({ identifier: "Message" })

export const Sent = Schema.Struct({
  messageId: Schema.String,
  to: Schema.String,
  state: Schema.String,
  woke: Schema.Boolean,
  queueDepth: Schema.Int,
  sentAt: Schema.String,
  evidence: Schema.optional(Schema.String),
  reason: Schema.optional(Schema.String),
  offset: Schema.Int
}).annotations({ identifier: "Sent" })

/** Absolute paths on the hub's machine. */
export const AttachmentPaths = Schema.Array(Schema.String).pipe(
  Schema.maxItems(20, { message: () => "must be at most 20 paths" })
)

const rowsOf = <Row extends Schema.Schema.Any>(row: Row) =>
  Schema.Struct({ offset: Schema.Int, now: Instant, rows: Schema.Array(row), next: orNull(Schema.String) })

const Outcomes = Schema.Struct({ outcomes: Schema.Array(Outcome) })

const runtime = { runtime: Schema.optional(RuntimeName) }
const { type: ___, trigger: ____, ...wakeFields } = WakePresence.fields

const verb = <Name extends string, Fields extends Schema.Struct.Fields>(
  name: Name,
  path: string,
  fields: Fields
) =>
  HttpApiEndpoint.post(name, `/peers/:personality/${path}`)
    .setPath(personality)
    .setUrlParams(Schema.Struct(wait))
    .setPayload(Schema.Struct({ ...runtime, ...fields }))
    .addSuccess(Outcomes)
    .addSuccess(Outcomes, { status: 202 })

export const peers = HttpApiGroup.make("peers")
  .add(
    HttpApiEndpoint.post("registerPeer", "/peers")
      .setPayload(
        Schema.Struct({
          personality: Personality,
          cwd: cwdField,
          ...registerFields,
          intelligence: Schema.optional(IntelligenceWord)
        })
      )
      .addSuccess(Registered, { status: 201 })
  )
  .add(
    HttpApiEndpoint.patch("amendPeer", "/peers/:personality")
      .setPath(personality)
      .setPayload(Schema.Struct(amendFields))
      .addSuccess(Registered)
  )
  .add(
    HttpApiEndpoint.del("removePeer", "/peers/:personality")
      .setPath(personality)
      .setUrlParams(Schema.Struct({ force: Schema.optional(Schema.Literal("true", "false")) }))
      .addSuccess(
        Schema.Struct({
          action: Schema.Literal("removed", "absent"),
          sessionsEnded: Schema.Int,
          messagesFailed: Schema.Int
        })
      )
  )
  .add(
    HttpApiEndpoint.get("registry", "/registry")
      .setUrlParams(
        Schema.Struct({
          kind: Schema.optional(Schema.Literal("peer", "presence", "server")),
          state: Schema.optional(Schema.String),
          ...page,
          ...at
        })
      )
      .addSuccess(rowsOf(Schema.Union(PeerRow, PresenceRow, ServerRow)))
  )
  .add(
    HttpApiEndpoint.get("peer", "/peers/:personality")
      .setPath(personality)
      .setUrlParams(Schema.Struct(at))
      .addSuccess(Peer)
  )
  .add(
    HttpApiEndpoint.get("why", "/peers/:personality/why")
      .setPath(personality)
      .setUrlParams(Schema.Struct({ ...runtime, ...at }))
      .addSuccess(Why)
  )
  .add(verb("wakePeer", "wake", wakeFields))
  .add(verb("renewPeer", "new", { topic: Schema.optional(Topic) }))
  .add(verb("stopPeer", "stop", {}))
  .add(verb("startPeer", "start", {}))
  .add(verb("refreshPeer", "refresh", {}))
  .add(verb("resetPeer", "reset", {}))
  .add(verb("attachPeer", "attach", {}))
  .add(verb("interruptPeer", "interrupt", {}))
  .add(verb("compactPeer", "compact", {}))
  .add(
    HttpApiEndpoint.post("selfDone", "/sessions/self/done")
      .setPayload(Schema.Struct({}))
      .addSuccess(Schema.Struct({ sessionId: Schema.String }), { status: 202 })
  )
  .add(
    HttpApiEndpoint.post("selfFresh", "/sessions/self/fresh")
      .setPayload(Schema.Struct({}))
      .addSuccess(Schema.Struct({ sessionId: Schema.String }), { status: 202 })
  )
  .annotate(OpenApi.Description, "Agents: registered once, woken by messages, watched while they live.")

export const messages = HttpApiGroup.make("messages")
  .add(
    HttpApiEndpoint.post("sendMessage", "/messages")
      .setUrlParams(
        Schema.Struct({ wait: Schema.optional(number.pipe(Schema.int(), Schema.between(0, 30_000))) })
      )
      .setPayload(
        Schema.Struct({
          to: Schema.String.annotations({ description: "a personality, or an identity" }),
          ...runtime,
          messageId: Schema.optional(MessageId),
          from: Schema.optional(Schema.String).annotations({
            description: "an identity; by default the session's that asks, else the operator"
          }),
          body: Schema.String.pipe(Schema.minLength(1, { message: () => "must not be empty" })),
          topic: Schema.optional(Topic),
          replyTo: Schema.optional(MessageId),
          attachments: Schema.optional(AttachmentPaths)
        })
      )
      .addSuccess(Sent)
      .addSuccess(Sent, { status: 202 })
  )
  .add(
    HttpApiEndpoint.get("listMessages", "/messages")
      .setUrlParams(
        Schema.Struct({
          to: Schema.optional(Schema.String),
          from: Schema.optional(Schema.String),
          topic: Schema.optional(Schema.String),
          state: Schema.optional(Schema.String),
          ...page,
          ...at
        })
      )
      .addSuccess(rowsOf(MessageRow))
  )
  .add(
    HttpApiEndpoint.get("showMessage", "/messages/:id")
      .setPath(Schema.Struct({ id: MessageId }))
      .addSuccess(Message)
  )
  .add(
    HttpApiEndpoint.post("ackMessage", "/messages/:id/ack")
      .setPath(Schema.Struct({ id: MessageId }))
      .setPayload(Schema.Struct({}))
      .addSuccess(Schema.Struct({ messageId: Schema.String, state: Schema.String }))
  )

export { maxBody }
