/** One row for every message and how far it has come (contracts: peers 3.5). Its body stays in the journal, at `accepted_offset`. */
import { idOf, makeStreamId, type RecordedEvent } from "../events/Event.js"
import type { Projection, Row } from "./Projection.js"

interface Attempt {
  readonly attempt: number
  readonly at: number
  readonly sessionId: string
  readonly waitedMs?: number
}

const identityOf = ({ personality, runtime }: { readonly personality: string; readonly runtime: string }) =>
  `${runtime}-${personality}`

const attemptsOf = (row: Row): ReadonlyArray<Attempt> => JSON.parse(row.attempts as string)

const moves: ReadonlySet<string> = new Set([
  "MessageAccepted",
  "DeliveryAttempted",
  "DeliveryConfirmed",
  "DeliveryUnconfirmed",
  "MessageFailed"
])

const accept = ({ data, at, offset }: RecordedEvent): Row => ({
  message_id: data.messageId as string,
  recipient: data.to as string,
  sender: identityOf(data.from as never),
  topic: (data.topic as string | null) ?? null,
  reply_to: (data.replyTo as string | null) ?? null,
  sent_at: data.sentAt as string,
  accepted_at: at,
  accepted_offset: offset,
  state: "queued",
  attempts: "[]",
  evidence: null,
  reason: null,
  settled_at: null
})

const next = (row: Row, { type, data, at }: RecordedEvent): Row => {
  switch (type) {
    case "DeliveryAttempted": {
      const attempt = { attempt: data.attempt, at, sessionId: data.sessionId }
      return { ...row, state: "attempted", attempts: JSON.stringify([...attemptsOf(row), attempt]) }
    }
    case "DeliveryUnconfirmed": {
      const attempts = attemptsOf(row).map((each) =>
        each.attempt === data.attempt ? { ...each, waitedMs: data.waitedMs } : each
      )
      const doubted = { ...row, attempts: JSON.stringify(attempts) }
      return data.final
        ? { ...doubted, state: "unconfirmed", settled_at: at }
        : { ...doubted, state: "queued" }
    }
    case "DeliveryConfirmed":
      return { ...row, state: "confirmed", evidence: data.evidence as string, settled_at: at }
    default:
      return { ...row, state: "failed", reason: data.reason as string, settled_at: at }
  }
}

export const messages: Projection = {
  name: "messages",
  version: 1,
  columns: {
    /** Recipient and id: all that happens to a message happens to its recipient. */
    key: "TEXT",
    message_id: "TEXT",
    recipient: "TEXT",
    sender: "TEXT",
    topic: "TEXT",
    reply_to: "TEXT",
    sent_at: "TEXT",
    accepted_at: "INTEGER",
    accepted_offset: "INTEGER",
    state: "TEXT",
    attempts: "TEXT",
    evidence: "TEXT",
    reason: "TEXT",
    settled_at: "INTEGER",
    offset: "INTEGER"
  },
  indexes: ["(message_id)", "(recipient, state)", "(accepted_offset)"],
  keys: ({ stream, type, data }) => (moves.has(type) ? [`${idOf(stream)}/${data.messageId}`] : []),
  streamOf: (key) => makeStreamId("presence", key.slice(0, key.indexOf("/"))),
  reduce: (row, event, key) => {
    if (event.type === "MessageAccepted") return { key, ...accept(event), offset: event.offset }
    return row && { ...next(row, event), offset: event.offset }
  }
}
