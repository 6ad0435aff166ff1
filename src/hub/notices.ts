/**
 * Tells a peer what became of a message that it sent, when that is no good news and its call was over before it was known: by a message
 * from the hub, which wakes nobody (contracts: peers 3.5).
 */
import { Effect } from "effect"
import type { ActorKind } from "../actors/ActorKind.js"
import { parseIdentity, reservedNames } from "../actors/peer/Identity.js"
import type { PresenceCommandOf } from "../actors/presence/PresenceCommand.js"
import type { PresenceKind } from "../actors/presence/presenceKind.js"
import type { Reflex, ReflexCommand } from "../actors/Reflex.js"
import { idOf } from "../events/Event.js"
import type { ReadRows } from "../projections/Projector.js"
import { findMessage } from "../projections/registryQueries.js"
import type { ToldSenders } from "./ToldSenders.js"

/** A message's id has so many characters at most. */
const maxId = 128

export const notices = (kind: PresenceKind, read: ReadRows, told: ToldSenders): Reflex => ({
  name: "message-notices",
  on: new Set(["MessageFailed", "DeliveryUnconfirmed"]),
  rule: ({ stream, type, data }) => {
    const messageId = String(data.messageId)
    if ((type === "DeliveryUnconfirmed" && data.final !== true) || told.has(messageId)) return []
    return Effect.map(findMessage(read, messageId), (row): ReadonlyArray<ReflexCommand> => {
      const sender = row && parseIdentity(row.sender)
      if (!row || !sender || reservedNames.has(sender.personality)) return []
      const to = idOf(stream)
      const command: PresenceCommandOf<"SendMessage"> = {
        type: "SendMessage",
        messageId: `notice:${messageId}`.slice(0, maxId),
        from: { personality: "hub", runtime: "hub", intelligence: "absent" },
        body:
          type === "MessageFailed"
            ? `your message ${messageId} to ${to} was not delivered: ${data.reason}`
            : `your message ${messageId} to ${to} may have been seen: there is no evidence`,
        replyTo: messageId,
        onlyLive: true
      }
      return [{ kind: kind as ActorKind, id: row.sender, command, target: row.sender }]
    })
  }
})
