/** How each event changes what a presence knows. Pure; the machine beside it says in which state which event may come. */
import { type Ending, emptyContext, type Of, type PresenceContext, type Session } from "./PresenceContext.js"

type Next = Partial<PresenceContext>

const keptTopics = 16
const keptSettled = 256
const keptDeaths = 16

export const declare = (
  context: PresenceContext,
  { incarnation, restart, resume, wake, offset }: Of<"PresenceDeclared">
): PresenceContext => ({
  ...(context.incarnation === incarnation ? context : emptyContext),
  incarnation,
  restart,
  resume,
  wakePolicy: wake,
  declaredAt: offset
})

export const requestWake = (
  { deaths, streak, eager }: PresenceContext,
  { trigger, intent, topic, override, offset }: Of<"WakeRequested">
): Next => ({
  wake: { trigger, intent, topic, offset },
  eager: trigger === "renew" ? { reason: "renew", offset } : eager,
  deaths: override ? [] : deaths,
  streak: override ? 0 : streak,
  heldUntil: null,
  restartAt: null
})

export const rest = { wake: null, heldUntil: null, restartAt: null } as const

export const stop = (_: PresenceContext, { offset }: Of<"PresenceStopped">): Next => ({
  ...rest,
  stoppedAt: offset,
  stopRequested: false,
  eager: null
})

export const start: Next = { stoppedAt: null, deaths: [], streak: 0 }

export const chooseMode = (
  { lineage }: PresenceContext,
  { sessionId, mode, host, argv, cwd, bootMs, idleMs, quietMs, at }: Of<"WakeModeChosen">
): Next => ({
  wake: null,
  lineage: mode === "fresh" ? emptyContext.lineage : lineage,
  session: {
    id: sessionId,
    mode,
    host,
    argv,
    cwd,
    bootMs,
    idleMs,
    quietMs,
    isServed: false,
    isFinished: false,
    process: null,
    readyAt: null,
    outputOffset: 0,
    activeAt: at
  }
})

export const failToDecide = (_: PresenceContext, { offset, restartInMs, at }: Of<"WakeFailed">): Next => ({
  wake: null,
  lastEnd: { offset, type: "WakeFailed" },
  restartAt: at + restartInMs
})

export const spawn = (
  { session }: PresenceContext,
  { pid, startTime, bootId }: Of<"SessionSpawned">
): Next => ({ session: session && { ...session, process: { pid, startTime, bootId } } })

export const becomeReady = (
  { session, lineage, freshNext }: PresenceContext,
  { at, offset, outputOffset }: Of<"SessionReady">
): Next =>
  session
    ? {
        session: { ...session, readyAt: at, activeAt: at, outputOffset },
        lineage: { ...lineage, resumeRef: { sessionId: session.id, offset } },
        eager: null,
        wakeFailures: 0,
        freshNext: session.mode === "fresh" ? null : freshNext
      }
    : {}

export const beActive = (
  { session }: PresenceContext,
  { activeAt, outputOffset }: Of<"ActivityObserved">
): Next => ({
  session: session && {
    ...session,
    activeAt: Math.max(session.activeAt, activeAt),
    outputOffset: outputOffset ?? session.outputOffset
  }
})

/** One that is done need not be waited for any longer than it takes to see that it is. */
export const finish = ({ session }: PresenceContext, { at }: Of<"WorkerFinished">): Next => ({
  session: session && {
    ...session,
    isFinished: true,
    idleMs: session.quietMs ?? session.idleMs,
    activeAt: Math.max(session.activeAt, at)
  }
})

/** Somebody looks at it, or has spoken to it. */
export const touch = (
  { session }: PresenceContext,
  { at }: Of<"SessionAttached"> | Of<"SessionInterrupted"> | Of<"SessionCompacted">
): Next => ({ session: activeNow(session, at) })

/** What somebody has just done here is activity. */
const activeNow = (session: Session | null, at: number): Session | null =>
  session && { ...session, activeAt: Math.max(session.activeAt, at) }

export const enqueue = (
  { queue, session }: PresenceContext,
  { messageId, topic, offset, at }: Of<"MessageAccepted">
): Next => ({
  queue: [...queue, { messageId, topic, offset, attempts: 0, attemptedAt: null }],
  session: activeNow(session, at)
})

export const attempt = (
  { queue, lineage }: PresenceContext,
  { attempt: attempts, sessionId, topic, at, offset }: Of<"DeliveryAttempted">
): Next => {
  const [head, ...others] = queue
  if (!head) return {}
  const known = topic === null || lineage.topics.some((each) => each.topic === topic)
  return {
    queue: others,
    inFlight: { ...head, attempts, sessionId, attemptedAt: at },
    lineage: known
      ? lineage
      : { ...lineage, topics: [...lineage.topics, { topic, offset }].slice(-keptTopics) }
  }
}

/** One that takes a single message has had it. */
const served = ({ session, inFlight }: PresenceContext, messageId: string): Session | null =>
  session && session.quietMs !== null && inFlight?.messageId === messageId
    ? { ...session, isServed: true }
    : session

type Settled = PresenceContext["settled"][number]
const settle = (settled: PresenceContext["settled"], entry: Settled): PresenceContext["settled"] =>
  [...settled.filter(({ messageId }) => messageId !== entry.messageId), entry].slice(-keptSettled)

export const confirm = (
  context: PresenceContext,
  { messageId, outputOffset, at }: Of<"DeliveryConfirmed">
): Next => {
  const { queue, inFlight, settled, session } = context
  const known = [...(inFlight ? [inFlight] : []), ...settled].find((each) => each.messageId === messageId)
  const attemptedAt = known?.attemptedAt ?? at
  const read = Math.max(session?.outputOffset ?? 0, outputOffset ?? 0)
  const active = activeNow(served(context, messageId), at)
  return {
    queue: queue.filter((queued) => queued.messageId !== messageId),
    inFlight: inFlight?.messageId === messageId ? null : inFlight,
    settled: settle(settled, { messageId, outcome: "confirmed", attemptedAt }),
    session: active && { ...active, outputOffset: read }
  }
}

export const doubt = (context: PresenceContext, { messageId, final }: Of<"DeliveryUnconfirmed">): Next => {
  const { queue, inFlight, settled } = context
  if (inFlight?.messageId !== messageId) return {}
  const { sessionId: _, ...message } = inFlight
  const { attemptedAt } = inFlight
  return final
    ? {
        inFlight: null,
        session: served(context, messageId),
        settled: settle(settled, { messageId, outcome: "unconfirmed", attemptedAt })
      }
    : { inFlight: null, queue: [message, ...queue] }
}

export const failMessage = (
  { queue, inFlight, settled }: PresenceContext,
  { messageId, at }: Of<"MessageFailed">
): Next => ({
  queue: queue.filter((queued) => queued.messageId !== messageId),
  inFlight: inFlight?.messageId === messageId ? null : inFlight,
  settled: settle(settled, { messageId, outcome: "failed", attemptedAt: at })
})

export const beginEnd = (
  { ending, stopRequested }: PresenceContext,
  event: Of<"PresenceStopped"> | Of<"SessionEndRequested"> | Of<"BootTimedOut">
): Next => {
  const { offset } = event
  switch (event.type) {
    case "PresenceStopped":
      return {
        stopRequested: true,
        stoppedAt: offset,
        ending: ending ?? {
          reason: "stop",
          disposition: "parked",
          initiator: "operator",
          idleForMs: null,
          offset
        }
      }
    case "BootTimedOut":
      return {
        ending: { reason: "boot-timeout", disposition: "gone", initiator: "hub", idleForMs: null, offset }
      }
    case "SessionEndRequested": {
      const { reason, disposition, idleForMs } = event
      return {
        stopRequested,
        ending: { reason, disposition, idleForMs, initiator: initiatorOf(reason), offset }
      }
    }
  }
}

const initiatorOf = (reason: Of<"SessionEndRequested">["reason"]): Ending["initiator"] => {
  if (reason === "self-fresh") return "self"
  return reason === "renew" || reason === "remove" ? "operator" : "hub"
}

/** The end of a session, or of the attempt to start one. */
export const end = (context: PresenceContext, event: Of<"SessionEnded"> | Of<"WakeFailed">): Next => {
  const { offset, at, death, heldUntil, streak, restartInMs } = event
  const { ending, eager, deaths, wakeFailures, stopRequested } = context
  const isRenewal = ending?.reason === "renew" || ending?.reason === "self-fresh"
  const isParked = event.type === "SessionEnded" && event.disposition === "parked"
  return {
    memory: isParked ? "parked" : "gone",
    session: null,
    ending: null,
    inFlight: null,
    stopRequested: false,
    lastEnd: { offset, type: event.type },
    deaths: death ? [...deaths, { offset, at }].slice(-keptDeaths) : deaths,
    streak,
    heldUntil,
    restartAt: at + restartInMs,
    wakeFailures: death && context.session?.readyAt === null ? wakeFailures + 1 : wakeFailures,
    eager: stopRequested
      ? null
      : isRenewal
        ? { reason: ending.reason as "renew" | "self-fresh", offset: ending.offset }
        : eager
  }
}

export const clearHold = ({ deaths, streak }: PresenceContext, { by }: Of<"CrashLoopCleared">): Next => ({
  heldUntil: null,
  restartAt: null,
  ...(by === "operator" ? { deaths: [], streak: 0 } : { deaths, streak })
})
