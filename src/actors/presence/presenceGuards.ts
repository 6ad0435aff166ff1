/** When an event that may come leads where (contracts: peers 3.2; the machine beside it has the rows). */
import {
  isAsked,
  isOwed,
  isServed,
  type MachineEvent,
  type Of,
  type PresenceContext
} from "./PresenceContext.js"

type Guard = (given: { readonly context: PresenceContext; readonly event: MachineEvent }) => boolean

export const presenceGuards = {
  isDeclared: ({ context }) => context.incarnation !== null,
  declaresAlways: ({ event }) => event.type === "PresenceDeclared" && event.restart === "always",
  isOverride: ({ event }) => event.type === "WakeRequested" && event.override,
  isOwed: ({ context }) => isOwed(context),
  wasNeverRun: ({ context }) => context.memory === "neverRun",
  wasParked: ({ context }) => context.memory === "parked",
  failsDecisionAlwaysOn: ({ context, event }) => isOfDecision(event) && context.restart === "always",
  failsDecisionNeverRun: ({ context, event }) => isOfDecision(event) && context.memory === "neverRun",
  failsDecisionParked: ({ context, event }) => isOfDecision(event) && context.memory === "parked",
  failsDecision: ({ event }) => isOfDecision(event),
  failsToSpawnHeld: ({ event }) => isOfSpawn(event) && event.heldUntil !== null,
  failsToSpawnOwed: ({ context, event }) => isOfSpawn(event) && isOwed(context),
  failsToSpawn: ({ event }) => isOfSpawn(event),
  hasQueue: ({ context }) => context.queue.length > 0,
  /** It takes a single message, and has had it. */
  isServed: ({ context }) => isServed(context),
  servesNoMore: ({ context, event }) =>
    context.session?.quietMs != null && isAboutInFlight(context, event) && isSettling(event),
  hasNoneInFlight: ({ context }) => context.inFlight === null,
  isLastSettled: ({ context, event }) => isLastSettled(context, event),
  isAboutInFlight: ({ context, event }) => isAboutInFlight(context, event),
  isRemovalOrRenewal: ({ event }) =>
    event.type === "SessionEndRequested" && (event.reason === "remove" || event.reason === "renew"),
  endsRemoved: ({ context }) => context.ending?.reason === "remove",
  endsStopped: ({ context }) => context.stopRequested,
  endsRenewed: ({ context: { ending } }) => ending?.reason === "renew" || ending?.reason === "self-fresh",
  endsHeld: ({ event }) => event.type === "SessionEnded" && event.heldUntil !== null,
  endsAskedAndOwed: ({ context, event }) =>
    (isAsked(context) || isDoneInOrder(event)) && context.ending?.reason !== "shutdown" && isOwed(context),
  endsUnaskedAndOwed: ({ context }) => !isAsked(context) && isOwed(context),
  endsParked: ({ event }) => event.type === "SessionEnded" && event.disposition === "parked"
} satisfies { readonly [name: string]: Guard }

const isOfDecision = (event: MachineEvent): event is Of<"WakeFailed"> =>
  event.type === "WakeFailed" && event.phase === "decide"
const isOfSpawn = (event: MachineEvent): event is Of<"WakeFailed"> =>
  event.type === "WakeFailed" && event.phase === "spawn"

const isAboutInFlight = ({ inFlight }: PresenceContext, event: MachineEvent): boolean =>
  "messageId" in event && inFlight?.messageId === event.messageId

/** It is the last that happens to a delivery. */
const isSettling = (event: MachineEvent): boolean => event.type !== "DeliveryUnconfirmed" || event.final

/** A session of one message has gone by itself, in good order. */
const isDoneInOrder = (event: MachineEvent): boolean =>
  event.type === "SessionEnded" && event.reason === "ephemeral-done"

/** The one delivery under way comes to its end, and nothing waits behind it. */
const isLastSettled = ({ queue, inFlight }: PresenceContext, event: MachineEvent): boolean => {
  if (!("messageId" in event) || !isSettling(event)) return false
  const others = queue.filter((queued) => queued.messageId !== event.messageId)
  return others.length === 0 && (inFlight === null || inFlight.messageId === event.messageId)
}
