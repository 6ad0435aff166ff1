/** What a presence knows, and how each event changes it. Pure; the machine beside it says in which state which event may come. */
import type { Offset } from "../../events/Event.js"
import type { Recorded } from "../fold.js"
import type { PresenceEvent, PresenceEventOf } from "./PresenceEvent.js"

/** A message that waits. Its body stays in the journal, at its offset. */
export interface QueuedMessage {
  readonly messageId: string
  readonly offset: Offset
  readonly topic: string | null
  readonly attempts: number
  /** Null until it is tried. */
  readonly attemptedAt: number | null
}

export interface InFlight extends QueuedMessage {
  readonly attemptedAt: number
  readonly sessionId: string
}

/** The sessions since the last fresh one. */
export interface Lineage {
  /** The last session of it that was ready, and where that stands. */
  readonly resumeRef: { readonly sessionId: string; readonly offset: Offset } | null
  readonly topics: ReadonlyArray<{ readonly topic: string; readonly offset: Offset }>
}

export interface Session {
  readonly id: string
  readonly mode: "fresh" | "resume"
  readonly host: string
  readonly argv: ReadonlyArray<string>
  readonly cwd: string
  readonly bootMs: number
  readonly idleMs: number | null
  readonly process: { readonly pid: number; readonly startTime: string; readonly bootId: string } | null
  readonly readyAt: number | null
  /** How far its output has been read, for certain. */
  readonly outputOffset: number
  readonly activeAt: number
}

export interface Ending {
  readonly reason: Exclude<PresenceEventOf<"SessionEnded">["reason"], "exit">
  readonly disposition: "parked" | "gone" | "discarded"
  readonly initiator: "hub" | "operator" | "self"
  readonly idleForMs: number | null
  readonly offset: Offset
}

export interface PresenceContext {
  readonly incarnation: Offset | null
  readonly declaredAt: Offset | null
  readonly restart: "onDemand" | "always"
  readonly resume: "topic" | "always" | "never"
  /** What is left of the last session. */
  readonly memory: "neverRun" | "parked" | "gone"
  readonly lineage: Lineage
  readonly queue: ReadonlyArray<QueuedMessage>
  readonly inFlight: InFlight | null
  /** The newest messages that came to an end, for evidence that comes late or twice. */
  readonly settled: ReadonlyArray<{
    readonly messageId: string
    readonly outcome: "confirmed" | "unconfirmed" | "failed"
    readonly attemptedAt: number
  }>
  readonly deaths: ReadonlyArray<{ readonly offset: Offset; readonly at: number }>
  readonly streak: number
  readonly wakeFailures: number
  readonly stoppedAt: Offset | null
  readonly stopRequested: boolean
  readonly freshNext: Offset | null
  /** A fresh start that was promised; kept until one was ready. */
  readonly eager: { readonly reason: "renew" | "self-fresh"; readonly offset: Offset } | null
  /** What it was asked to wake for, until that was decided. */
  readonly wake:
    | (Pick<PresenceEventOf<"WakeRequested">, "trigger" | "intent" | "topic"> & {
        readonly offset: Offset
      })
    | null
  readonly session: Session | null
  readonly ending: Ending | null
  readonly heldUntil: number | null
  readonly restartAt: number | null
  readonly lastEnd: { readonly offset: Offset; readonly type: "SessionEnded" | "WakeFailed" } | null
}

export const emptyContext: PresenceContext = {
  incarnation: null,
  declaredAt: null,
  restart: "onDemand",
  resume: "topic",
  memory: "neverRun",
  lineage: { resumeRef: null, topics: [] },
  queue: [],
  inFlight: null,
  settled: [],
  deaths: [],
  streak: 0,
  wakeFailures: 0,
  stoppedAt: null,
  stopRequested: false,
  freshNext: null,
  eager: null,
  wake: null,
  session: null,
  ending: null,
  heldUntil: null,
  restartAt: null,
  lastEnd: null
}

export type MachineEvent = Recorded<PresenceEvent>
export type Of<Type extends PresenceEvent["type"]> = Recorded<PresenceEventOf<Type>>
type Next = Partial<PresenceContext>

const keptTopics = 16
const keptSettled = 256
const keptDeaths = 16

/** Something must come of it without anybody asking again. */
export const isOwed = ({ restart, queue, inFlight, eager }: PresenceContext): boolean =>
  restart === "always" || queue.length > 0 || inFlight !== null || eager !== null

/** The end under way was wanted by the hub or a person; one that did not boot in time was not. */
export const isAsked = ({ ending }: PresenceContext): boolean =>
  ending !== null && ending.reason !== "boot-timeout"

export const declare = (
  context: PresenceContext,
  { incarnation, restart, resume, offset }: Of<"PresenceDeclared">
): PresenceContext => ({
  ...(context.incarnation === incarnation ? context : emptyContext),
  incarnation,
  restart,
  resume,
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
  { sessionId, mode, host, argv, cwd, bootMs, idleMs, at }: Of<"WakeModeChosen">
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

type Settled = PresenceContext["settled"][number]
const settle = (settled: PresenceContext["settled"], entry: Settled): PresenceContext["settled"] =>
  [...settled.filter(({ messageId }) => messageId !== entry.messageId), entry].slice(-keptSettled)

export const confirm = (
  { queue, inFlight, settled, session }: PresenceContext,
  { messageId, outputOffset, at }: Of<"DeliveryConfirmed">
): Next => {
  const known = [...(inFlight ? [inFlight] : []), ...settled].find((each) => each.messageId === messageId)
  const attemptedAt = known?.attemptedAt ?? at
  const read = Math.max(session?.outputOffset ?? 0, outputOffset ?? 0)
  const active = activeNow(session, at)
  return {
    queue: queue.filter((queued) => queued.messageId !== messageId),
    inFlight: inFlight?.messageId === messageId ? null : inFlight,
    settled: settle(settled, { messageId, outcome: "confirmed", attemptedAt }),
    session: active && { ...active, outputOffset: read }
  }
}

export const doubt = (
  { queue, inFlight, settled }: PresenceContext,
  { messageId, final }: Of<"DeliveryUnconfirmed">
): Next => {
  if (inFlight?.messageId !== messageId) return {}
  const { sessionId: _, ...message } = inFlight
  const { attemptedAt } = inFlight
  return final
    ? { inFlight: null, settled: settle(settled, { messageId, outcome: "unconfirmed", attemptedAt }) }
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
