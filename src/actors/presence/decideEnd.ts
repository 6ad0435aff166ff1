/**
 * What the end of a session, or of an attempt at one, means: whether it was a death, whether the presence is held, when it is tried
 * again, and what becomes of its messages (contracts: peers 3.2, 3.5). Decided once and recorded with the end.
 */
import type { PresenceCommandOf } from "./PresenceCommand.js"
import { isAsked, type PresenceContext, type Session } from "./PresenceContext.js"
import type { PresenceEventOf, PresenceFact } from "./PresenceEvent.js"

export interface EndRules {
  readonly maxAttempts: number
  /** So many deaths within the window hold an on-demand presence. */
  readonly maxDeaths: number
  readonly deathWindowMs: number
  readonly firstRestartMs: number
  readonly maxRestartMs: number
  /** A session that lived so long was a healthy one. */
  readonly healthyAfterMs: number
}

/** Failed wakes in a row after which the messages that wait are given up. */
const maxWakeFailures = 3

type Failure = PresenceEventOf<"WakeFailed">["reason"]
type Aftermath = Pick<PresenceEventOf<"SessionEnded">, "death" | "heldUntil" | "streak" | "restartInMs">

/** `SessionEnded`, after what happens to the messages with it. */
export const endSession = (
  context: PresenceContext,
  session: Session,
  { code, signal, detectedBy, outputTail }: PresenceCommandOf<"ReportSessionEnded">,
  rules: EndRules,
  now: number
): ReadonlyArray<PresenceFact> => {
  const { ending, inFlight } = context
  const ready = session.readyAt !== null
  const liveMs = session.readyAt === null ? 0 : now - session.readyAt
  const isOrderly = ready && code === 0 && signal === null && inFlight === null
  // To go in good order is how a session of one message may say that it is done.
  const byItself = isOrderly && session.isServed ? "ephemeral-done" : "exit"
  const reason = ending?.reason ?? byItself
  const death = !isAsked(context) && !(ending === null && isOrderly)
  const isWanted = isAsked(context) || byItself !== "exit"
  const after = aftermath(context, isWanted, death, liveMs, rules, now)
  const mayResume = ready || session.mode === "resume"
  const disposition = ending?.disposition ?? (byItself === "exit" ? "gone" : "discarded")
  return [
    ...messagesAfter(context, death && !ready, reason === "remove", rules, now),
    {
      type: "SessionEnded",
      sessionId: session.id,
      reason,
      initiator: ending?.initiator ?? (code === null && signal === null ? "unknown" : "self"),
      code,
      signal,
      disposition: disposition === "parked" && !mayResume ? "discarded" : disposition,
      detectedBy,
      ready,
      liveMs,
      idleForMs: ending?.idleForMs ?? null,
      outputTail: death ? outputTail : null,
      ...after
    }
  ]
}

/** A process that could not be started: a death like any other. */
export const failSpawn = (
  context: PresenceContext,
  reason: Failure,
  detail: string,
  rules: EndRules,
  now: number
): ReadonlyArray<PresenceFact> => [
  ...messagesAfter(context, true, false, rules, now),
  {
    type: "WakeFailed",
    phase: "spawn",
    reason,
    detail,
    sessionId: context.session?.id ?? null,
    ...aftermath(context, false, true, 0, rules, now)
  }
]

/** Nothing can be started at all: no death, and nothing that waits could arrive. */
export const failDecision = (
  context: PresenceContext,
  reason: Failure,
  detail: string,
  { maxRestartMs }: EndRules
): ReadonlyArray<PresenceFact> => [
  ...failAll(context, reason),
  {
    type: "WakeFailed",
    phase: "decide",
    reason,
    detail,
    sessionId: null,
    death: false,
    heldUntil: null,
    streak: context.streak,
    restartInMs: maxRestartMs
  }
]

export const failAll = (
  { queue, inFlight }: PresenceContext,
  reason: PresenceEventOf<"MessageFailed">["reason"]
): ReadonlyArray<PresenceFact> =>
  [...(inFlight ? [inFlight] : []), ...queue].map(({ messageId }) => ({
    type: "MessageFailed",
    messageId,
    reason
  }))

/** The message in hand goes back to the head of the queue as one in doubt; or all are given up. */
const messagesAfter = (
  context: PresenceContext,
  isFailedWake: boolean,
  isRemoval: boolean,
  { maxAttempts }: EndRules,
  now: number
): ReadonlyArray<PresenceFact> => {
  const { inFlight, wakeFailures } = context
  if (isRemoval) return failAll(context, "removed")
  if (isFailedWake && wakeFailures + 1 >= maxWakeFailures) return failAll(context, "wake-failed")
  if (!inFlight) return []
  const { messageId, attempts, attemptedAt } = inFlight
  return [
    {
      type: "DeliveryUnconfirmed",
      messageId,
      attempt: attempts,
      waitedMs: now - attemptedAt,
      final: attempts >= maxAttempts
    }
  ]
}

const aftermath = (
  context: PresenceContext,
  isWanted: boolean,
  death: boolean,
  liveMs: number,
  rules: EndRules,
  now: number
): Aftermath => {
  const { maxDeaths, deathWindowMs, firstRestartMs, maxRestartMs, healthyAfterMs } = rules
  const streak = isWanted || liveMs >= healthyAfterMs ? 0 : context.streak + 1
  const recent = [...context.deaths.map(({ at }) => at).filter((at) => at > now - deathWindowMs), now]
  const isHeld = death && context.restart === "onDemand" && recent.length >= maxDeaths
  return {
    death,
    heldUntil: isHeld ? Math.min(...recent) + deathWindowMs : null,
    streak,
    restartInMs: Math.min(maxRestartMs, Math.max(firstRestartMs, firstRestartMs * 2 ** (streak - 1)))
  }
}
