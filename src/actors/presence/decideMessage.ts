/** Whether a message is accepted, and what evidence that it arrived leads to (contracts: peers 3.5, 5). */

import type { Offset } from "../../events/Event.js"
import { refuse, unchanged } from "../ActorKind.js"
import { type Identity, peerStream, reservedNames } from "../peer/Identity.js"
import type { PeerState } from "../peer/PeerIndex.js"
import type { Facts, PresenceWorld } from "./decidePresence.js"
import type { PresenceCommandOf } from "./PresenceCommand.js"
import type { PresenceState } from "./PresenceIndex.js"
import { sentAt } from "./sentAt.js"

export const acceptMessage = (
  { name, context }: PresenceState,
  { type: _, from, ...message }: PresenceCommandOf<"SendMessage">,
  { runtime, personality }: Identity,
  world: PresenceWorld
): Facts => {
  const to = `${runtime}-${personality}`
  if (!isKnownSender(from, world)) {
    return refuse({ _tag: "UnknownSender", sender: `${from.runtime}-${from.personality}` })
  }
  if (from.personality === personality && from.runtime === runtime)
    return refuse({ _tag: "Self", identity: to })
  if (name === "stopped" || context.stopRequested) {
    return refuse({ _tag: "Stopped", identity: to, since: context.stoppedAt as Offset })
  }
  if (message.onlyLive === true && !name.startsWith("live.")) {
    return refuse({ _tag: "Offline", identity: to, state: name })
  }
  const waiting = context.queue.length + (context.inFlight ? 1 : 0)
  if (waiting >= world.rules.maxQueued) return refuse({ _tag: "QueueFull", identity: to, waiting })
  const { messageId, body, topic = null, replyTo = null, attachments = [] } = message
  const accepted = { messageId, from, to, body, topic, replyTo, attachments, sentAt: sentAt(world.now) }
  return [{ type: "MessageAccepted", ...accepted }]
}

/** Besides registered peers, the hub and its operators send. */
const isKnownSender = (
  { personality, runtime }: PresenceCommandOf<"SendMessage">["from"],
  { read }: PresenceWorld
): boolean => {
  if (reservedNames.has(personality)) return true
  const { name, context } = read(peerStream(personality)) as PeerState
  return name === "registered" && (context.registration?.runtimes.includes(runtime) ?? false)
}

export const confirmDelivery = (
  { context }: PresenceState,
  { messageId, evidence, outputOffset = undefined }: PresenceCommandOf<"ConfirmDelivery">,
  { now }: PresenceWorld
): Facts => {
  const { inFlight, queue, settled } = context
  const read = outputOffset ?? null
  const confirmed = (attemptedAt: number, late: boolean): Facts => [
    {
      type: "DeliveryConfirmed",
      messageId,
      evidence,
      afterMs: Math.max(0, now - attemptedAt),
      late,
      outputOffset: read
    }
  ]
  if (inFlight?.messageId === messageId) return confirmed(inFlight.attemptedAt, false)
  // In doubt, and waiting for its next attempt.
  const doubted = queue.find((queued) => queued.messageId === messageId)
  if (doubted?.attemptedAt != null) return confirmed(doubted.attemptedAt, false)
  const past = settled.find((each) => each.messageId === messageId)
  if (!past) return refuse({ _tag: "UnknownMessage", messageId })
  return past.outcome === "unconfirmed" ? confirmed(past.attemptedAt, true) : unchanged
}
