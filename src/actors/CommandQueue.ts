/**
 * The commands that wait for the sequencer, in one lane a kind of sender. Lanes are served in turn, so that no client can
 * starve deadlines and invocations; each lane is bounded, so that a flood is pushed back instead of kept.
 */
import type { Exit } from "effect"
import type { Offset, RecordedEvent, StreamId } from "../events/Event.js"
import type { Deadline } from "../events/Journal.js"
import type { ActorKind, CommandShape } from "./ActorKind.js"
import type { ActorState } from "./fold.js"
import type { Refused } from "./Refused.js"

/** Who sends: people and programs from outside, the timer wheel, running invocations, the hub's own housekeeping. */
export type Lane = "caller" | "deadline" | "invocation" | "hub"

/** What a command led to: the events it appended (none if it was so already) and the state after them. */
export interface Outcome {
  readonly stream: StreamId
  readonly events: ReadonlyArray<RecordedEvent>
  readonly state: ActorState
  /** Hub time of the decision. */
  readonly at: number
}

/** A command on its way through the sequencer. */
export interface Envelope {
  readonly kind: ActorKind
  /** Undefined when the kind chooses the actor. */
  readonly stream: StreamId | undefined
  readonly command: CommandShape
  /** Set when the command is that this deadline came due. */
  readonly deadline?: Deadline
  readonly lane: Lane
  readonly by: string
  readonly commandId: string
  /** The sender chose the id, so it may have been seen before. */
  readonly repeatable: boolean
  readonly causation: Offset | null
  readonly correlation: string | null
  /** Order of arrival. */
  readonly sequence: number
  /** Hub time of arrival. */
  readonly arrivedAt: number
  /** Hub time until which the sender waits for a command that may succeed later. */
  readonly waitUntil: number
  /** Called once, unless the sender gave up first. */
  readonly answer: (exit: Exit.Exit<Outcome, Refused>) => void
  /** The sender gave up: a command that is not decided yet is dropped. */
  cancelled: boolean
}

/** Commands that may wait in one lane (contracts: hub 5, ledger 4 SlowDown). */
const maxWaiting = 10_000

export class CommandQueue {
  readonly #lanes: Record<Lane, Array<Envelope>> = { hub: [], deadline: [], invocation: [], caller: [] }
  readonly #woken: Array<Envelope> = []
  #wake: (() => void) | undefined

  get waiting(): number {
    return Object.values(this.#lanes).reduce((sum, lane) => sum + lane.length, this.#woken.length)
  }

  /** False when the lane is full: the sender must slow down. */
  offer(envelope: Envelope): boolean {
    const lane = this.#lanes[envelope.lane]
    if (lane.length >= maxWaiting) return false
    lane.push(envelope)
    this.#signal()
    return true
  }

  /** Puts commands that were let through ahead of everything else, in their order: they have waited longest. */
  putFirst(envelopes: ReadonlyArray<Envelope>): void {
    this.#woken.push(...envelopes)
    if (envelopes.length > 0) this.#signal()
  }

  /** At most `limit` commands: each lane gets its share, and what one does not use falls to the others. */
  take(limit: number): ReadonlyArray<Envelope> {
    const taken = this.#woken.splice(0, limit)
    const lanes = Object.values(this.#lanes).sort((a, b) => a.length - b.length)
    for (const [index, lane] of lanes.entries()) {
      const share = Math.ceil((limit - taken.length) / (lanes.length - index))
      taken.push(...lane.splice(0, share))
    }
    return taken.filter(({ cancelled }) => !cancelled)
  }

  /** Calls back once a command is waiting. One waiter: the sequencer. */
  onWaiting(wake: () => void): void {
    this.#wake = wake
    if (this.waiting > 0) this.#signal()
  }

  #signal(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
