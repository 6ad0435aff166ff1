/**
 * Sends messages, for whoever asks: a person, another program, a session. A message's id is its command's id, so that it is one
 * message however often it is sent, also across restarts (contracts: peers 2, 5).
 */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { Outcome } from "../actors/CommandQueue.js"
import { formatIdentity, type Identity, intelligenceOf, parseIdentity } from "../actors/peer/Identity.js"
import type { PeerIndex } from "../actors/peer/PeerIndex.js"
import type { PresenceCommandOf } from "../actors/presence/PresenceCommand.js"
import type { AcceptedMessage, Sender } from "../actors/presence/PresenceEvent.js"
import type { PresenceReason } from "../actors/presence/PresenceRefusal.js"
import type { PresenceKind } from "../actors/presence/presenceKind.js"
import { Refused } from "../actors/Refused.js"
import { dataOf, type RecordedEvent } from "../events/Event.js"

export interface Letter extends Pick<PresenceCommandOf<"SendMessage">, "messageId" | "body"> {
  /** A personality or an identity. */
  readonly to: string
  readonly runtime?: string | undefined
  readonly topic?: string | undefined
  readonly replyTo?: string | undefined
  readonly attachments?: PresenceCommandOf<"SendMessage">["attachments"] | undefined
}

export interface Accepted {
  readonly identity: string
  readonly message: AcceptedMessage
  readonly outcome: Outcome
}

export interface Postman {
  readonly send: (from: Identity, letter: Letter) => Effect.Effect<Accepted, Refused<PresenceReason>>
}

const refusal = (reason: PresenceReason): Refused<PresenceReason> => new Refused({ reason })

export interface PostmanServices {
  readonly system: ActorSystem["Type"]
  readonly peers: PeerIndex
  readonly kind: PresenceKind
}

export const makePostman = ({ system, peers, kind }: PostmanServices): Postman => {
  const senderOf = ({ personality, runtime }: Identity): Sender => {
    const own: { readonly [name: string]: Sender["intelligence"] } = { operator: "natural", hub: "absent" }
    const intelligence = own[personality] ?? peers.get(personality)?.intelligence ?? intelligenceOf(runtime)
    return { personality, runtime, intelligence }
  }

  /** Whoever answers a message has it. */
  const confirmAnswered = (from: Identity, replyTo: string | undefined) =>
    replyTo === undefined || !peers.get(from.personality)
      ? Effect.void
      : Effect.ignore(
          system.send(
            kind,
            formatIdentity(from),
            { type: "ConfirmDelivery", messageId: replyTo, evidence: "reply" },
            { by: formatIdentity(from) }
          )
        )

  /** Who has a session for each message is done with one when it has written something. */
  const finishWork = (from: Identity) =>
    peers.get(from.personality)?.wake !== "ephemeral"
      ? Effect.void
      : Effect.ignore(
          system.send(
            kind,
            formatIdentity(from),
            { type: "SelfDone", how: "message" },
            { by: formatIdentity(from) }
          )
        )

  return {
    send: (from, { to, runtime, messageId, body, topic, replyTo, attachments = [] }) =>
      Effect.gen(function* () {
        const recipient = resolveRecipient(peers, to, runtime)
        if (!recipient) return yield* refusal({ _tag: "UnknownPeer", personality: to })
        const identity = formatIdentity(recipient)
        const sender = senderOf(from)
        const command: PresenceCommandOf<"SendMessage"> = {
          type: "SendMessage",
          messageId,
          from: sender,
          body,
          topic,
          replyTo,
          attachments
        }
        const reused = refusal({ _tag: "MessageIdReused", messageId })
        const outcome = yield* system
          .send(kind, identity, command, { by: formatIdentity(from), commandId: `message:${messageId}` })
          .pipe(Effect.mapError((refused) => (refused.reason._tag === "CommandIdReused" ? reused : refused)))
        const accepted = outcome.events.find(({ type }) => type === "MessageAccepted") as RecordedEvent
        const message = dataOf<AcceptedMessage>(accepted)
        if (!isSame(message, command)) return yield* reused
        yield* confirmAnswered(from, replyTo)
        yield* finishWork(from)
        return { identity, message, outcome }
      })
  }
}

/** A registered name wins over an identity that reads alike; without a runtime a peer's default one is meant. */
export const resolveRecipient = (
  peers: PeerIndex,
  to: string,
  runtime: string | undefined
): Identity | undefined => {
  const peer = peers.get(to)
  if (peer) return { personality: to, runtime: runtime ?? peer.defaultRuntime }
  const identity = parseIdentity(to)
  return identity && (runtime === undefined || runtime === identity.runtime) ? identity : undefined
}

const isSame = (
  sent: AcceptedMessage,
  { from, body, topic, replyTo, attachments = [] }: PresenceCommandOf<"SendMessage">
): boolean =>
  sent.body === body &&
  sent.topic === (topic ?? null) &&
  sent.replyTo === (replyTo ?? null) &&
  sent.attachments.length === attachments.length &&
  sent.attachments.every(({ sha256 }, index) => sha256 === attachments[index]?.sha256) &&
  sent.from.personality === from.personality &&
  sent.from.runtime === from.runtime
