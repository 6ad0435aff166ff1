/** The routes of messages: send, look, acknowledge (contracts: peers 3.5, 5). */
import { Effect } from "effect"
import { formatIdentity, type Identity, parseIdentity } from "../actors/peer/Identity.js"
import { maxBody } from "../actors/presence/PresenceCommand.js"
import type { Attachment } from "../actors/presence/PresenceEvent.js"
import type { PresenceState } from "../actors/presence/PresenceIndex.js"
import type { PresenceReason } from "../actors/presence/PresenceRefusal.js"
import type { Refused } from "../actors/Refused.js"
import type { Offset } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { findMessage, listMessages, type StoredMessage } from "../projections/registryQueries.js"
import { momentOf } from "./asOf.js"
import { callerOf, operator } from "./callerOf.js"
import type { PeerServices } from "./peerHandlers.js"
import type { Message } from "./peersApi.js"
import { type AnyReason, refusal } from "./refusals.js"
import { toMessageRow } from "./registryRows.js"
import { type Credentials, type Handlers, WithStatus } from "./serve.js"

export interface MessageServices extends PeerServices {
  readonly post: (
    from: Identity,
    letter: {
      readonly to: string
      readonly runtime?: string | undefined
      readonly messageId: string
      readonly body: string
      readonly topic?: string | undefined
      readonly replyTo?: string | undefined
      readonly attachments?: ReadonlyArray<typeof Attachment.Type>
    }
  ) => Effect.Effect<
    {
      readonly identity: string
      readonly message: { readonly sentAt: string }
      readonly outcome: {
        readonly state: unknown
        readonly events: ReadonlyArray<{ readonly offset: number }>
      }
    },
    Refused<PresenceReason>
  >
  /** Keeps copies of files that a message takes along. */
  readonly keep: (
    paths: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<typeof Attachment.Type>, Refused<AnyReason>>
  readonly mintId: Effect.Effect<string>
  /** Whose call says what became of their message. */
  readonly toldSenders: {
    readonly begin: (messageId: string) => void
    readonly leave: (messageId: string) => void
  }
}

type MessageHandlers = Pick<Handlers, "sendMessage" | "listMessages" | "showMessage" | "ackMessage">

const settledStates: ReadonlySet<string> = new Set(["confirmed", "unconfirmed", "failed"])

export const makeMessageHandlers = (services: MessageServices): MessageHandlers => {
  const { journal, projector, system, presenceKind, peers } = services

  /** Whom a message is from: who asks, or whom an operator names. */
  const senderOf = (
    credentials: Credentials,
    named: string | undefined
  ): Effect.Effect<Identity, Refused<AnyReason>> =>
    Effect.flatMap(callerOf(services, credentials), ({ identity, name, isOperator }) => {
      const own = identity ?? (isOperator ? operator : undefined)
      if (named === undefined) {
        return own ? Effect.succeed(own) : refusal({ _tag: "UnknownSender", sender: name ?? "nobody" })
      }
      const from = named === "operator" ? operator : parseIdentity(named)
      if (!from) return refusal({ _tag: "UnknownSender", sender: named })
      const isOther = isOperator
        ? name !== undefined && named !== name && named !== "operator"
        : named !== name
      return isOther
        ? refusal({ _tag: "NotAllowed", need: "the token of the identity that `from` names" })
        : Effect.succeed(from)
    })

  /** The message once it has come to an end, or as it is when the time is over. */
  const awaitSettled = (
    messageId: string,
    until: number
  ): Effect.Effect<StoredMessage | undefined, JournalUnavailable> =>
    Effect.gen(function* () {
      const { offset } = yield* journal.head
      const row = yield* findMessage(projector.read, messageId)
      const left = until - services.now()
      if (!row || settledStates.has(row.state) || left <= 0) return row
      yield* Effect.timeoutOption(journal.awaitBeyond(offset), left)
      return yield* awaitSettled(messageId, until)
    })

  return {
    sendMessage: ({ payload, urlParams: { wait = 0 }, credentials, commandId }) =>
      Effect.gen(function* () {
        const { from: named, body } = payload
        if (body.length > maxBody) return yield* refusal({ _tag: "TooLarge", limit: maxBody })
        const from = yield* senderOf(credentials, named)
        const messageId = payload.messageId ?? idOfKey(commandId) ?? (yield* services.mintId)
        const attachments = yield* services.keep(payload.attachments ?? [])
        const { toldSenders } = services
        const leave = (id: string) => toldSenders.leave(id)
        if (wait > 0) toldSenders.begin(messageId)
        const { identity, message, outcome } = yield* services
          .post(from, { ...payload, messageId, attachments })
          .pipe(Effect.onError(() => Effect.sync(() => leave(messageId))))
        const { name, context } = outcome.state as PresenceState
        const woke = name === "waking.deciding" && context.queue.length === 1
        const row = yield* awaitSettled(messageId, services.now() + wait).pipe(
          Effect.onError(() => Effect.sync(() => leave(messageId)))
        )
        if (!row || !settledStates.has(row.state)) leave(messageId)
        const answer = {
          messageId,
          to: identity,
          state: row?.state ?? "queued",
          woke,
          queueDepth: context.queue.length + (context.inFlight ? 1 : 0),
          sentAt: message.sentAt,
          ...(row?.evidence != null && { evidence: row.evidence }),
          ...(row?.reason != null && { reason: row.reason }),
          offset: outcome.events.at(-1)?.offset ?? 0
        }
        return new WithStatus(settledStates.has(answer.state) ? 200 : 202, answer)
      }),
    listMessages: ({ urlParams: { cursor, limit = 100, at, ...filter } }) =>
      Effect.gen(function* () {
        const after = cursor === undefined ? 0 : Number(cursor)
        if (!Number.isSafeInteger(after)) {
          return yield* refusal({
            _tag: "InvalidCommand",
            path: "cursor",
            problem: "must be the `next` of a page"
          })
        }
        const moment = yield* momentOf(services, "messages", at)
        const found = yield* listMessages(moment.read, { ...filter, limit, after })
        const next = found.length === limit ? String(found.at(-1)?.accepted_offset) : null
        return { offset: moment.offset, now: moment.now, rows: found.map(toMessageRow), next }
      }).pipe(Effect.scoped),
    showMessage: ({ path: { id } }) =>
      Effect.gen(function* () {
        const row = yield* findMessage(projector.read, id)
        if (!row) return yield* refusal({ _tag: "UnknownMessage", messageId: id })
        const [accepted] = yield* journal.read((row.accepted_offset - 1) as Offset, 1)
        const { from, body, attachments } = (accepted?.data ?? {}) as never as Record<string, never>
        return {
          ...toMessageRow(row),
          sender: from,
          body,
          attachments,
          attempts: JSON.parse(row.attempts)
        } as never as typeof Message.Type
      }),
    ackMessage: ({ path: { id }, credentials }) =>
      Effect.gen(function* () {
        const { identity } = yield* callerOf(services, credentials)
        const row = yield* findMessage(projector.read, id)
        if (!row) return yield* refusal({ _tag: "UnknownMessage", messageId: id })
        if (!identity || formatIdentity(identity) !== row.recipient || !peers.get(identity.personality)) {
          return yield* refusal({ _tag: "NotRecipient", messageId: id })
        }
        const confirm = { type: "ConfirmDelivery", messageId: id, evidence: "ack" } as const
        if (row.state !== "confirmed") {
          yield* system.send(presenceKind, row.recipient, confirm, { by: row.recipient })
        }
        return { messageId: id, state: "confirmed" }
      })
  }
}

/** A request that is repeated with its key is the same message also without an id of its own. */
const idOfKey = (key: string | undefined): string | undefined =>
  key === undefined ? undefined : `key:${Buffer.from(key).toString("base64url").slice(0, 120)}`
