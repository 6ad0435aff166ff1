/** What a presence knows. How its events change that is in `changePresence`. */
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
  /** Idle time of one that takes a single message, once it has finished that. */
  readonly quietMs: number | null
  /** It has had the one message that it takes. */
  readonly isServed: boolean
  /** It has said that it is done with it. */
  readonly isFinished: boolean
  readonly process: { readonly pid: number; readonly startTime: string; readonly bootId: string } | null
  readonly readyAt: number | null
  /** How far its output has been read, for certain. */
  readonly outputOffset: number
  readonly activeAt: number
}

/** What does not change of a session while it is watched. */
export type Launched = Pick<Session, "id" | "mode" | "host" | "argv" | "cwd" | "process">

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
  /** `ephemeral`: a fresh session for each message. */
  readonly wakePolicy: "shared" | "ephemeral"
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
  wakePolicy: "shared",
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

/** Something must come of it without anybody asking again. */
export const isOwed = ({ restart, queue, inFlight, eager }: PresenceContext): boolean =>
  restart === "always" || queue.length > 0 || inFlight !== null || eager !== null

/** The end under way was wanted by the hub or a person; one that did not boot in time was not. */
export const isAsked = ({ ending }: PresenceContext): boolean =>
  ending !== null && ending.reason !== "boot-timeout"

/** The session takes no message more: those that wait are for the next. */
export const isServed = ({ session }: PresenceContext): boolean => session?.isServed === true
