/** A message as a session reads it on its standard input: one line of JSON (contracts: peers 4). */
import type { AcceptedMessage } from "../actors/presence/PresenceEvent.js"

export const messageLine = (
  { messageId, from, to, topic, replyTo, sentAt, body }: AcceptedMessage,
  attempt: number,
  attachments: ReadonlyArray<string>
): string =>
  JSON.stringify({
    type: "message",
    messageId,
    from,
    to,
    ...(topic !== null && { topic }),
    ...(replyTo !== null && { replyTo }),
    sentAt,
    attempt,
    attachments,
    body
  })

export const seedLine = (body: string): string => JSON.stringify({ type: "seed", body })

export const refusedLine = (messageId: string, reason: string): string =>
  JSON.stringify({ type: "refused", messageId, reason })
