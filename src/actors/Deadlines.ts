/**
 * The durable timers in memory. What is armed follows from the actors' states and is stored with their events; this wheel
 * only brings each deadline to the sequencer when it is due, where it is checked again against the state that then is.
 */
import { Effect } from "effect"
import type { StreamId } from "../events/Event.js"
import type { Deadline } from "../events/Journal.js"
import type { ActorState } from "./fold.js"
import { Heap } from "./Heap.js"

/** A deadline on the wheel. `dueAt` may be later than recorded: nobody's lease ends because the hub was away. */
interface Armed {
  readonly stream: StreamId
  readonly deadline: Deadline
  /** Time that it is given after a restart at least; undefined when it is due as recorded, whatever happened. */
  readonly graceMs: number | undefined
  dueAt: number
  cancelled: boolean
}

/** Whether a delivered deadline is settled (acted on, or found stale), or must come again. */
export type Delivery = "settled" | "again"

export interface DeadlinesOptions {
  readonly now: () => number
  readonly deliver: (stream: StreamId, deadline: Deadline) => Effect.Effect<Delivery>
}

/** Deadlines under way at a time: enough to fill a batch, few enough that others are served between. */
const maxInFlight = 256
/** The longest sleep, so that a clock that jumped is noticed. */
const tickMs = 1_000
/** When a deadline that could not be written comes again. */
const againMs = 1_000

/** So many cancelled entries are swept out, once they are more than half of all: a long lease that ends soon must not stay for its time. */
const leastSwept = 1_000

const byTime = (a: Armed, b: Armed): number => a.dueAt - b.dueAt

export class Deadlines {
  #armed = new Map<StreamId, ReadonlyArray<Armed>>()
  #heap = new Heap<Armed>(byTime)
  /** Entries of the heap that were cancelled, at most. */
  #cancelled = 0
  #floorAt = 0
  #wake: (() => void) | undefined

  constructor(private readonly options: DeadlinesOptions) {}

  get size(): number {
    let size = 0
    for (const armed of this.#armed.values()) size += armed.length
    return size
  }

  /** Entries that are kept, cancelled ones too. */
  get held(): number {
    return this.#heap.size
  }

  /** How long the most overdue deadline has waited for its delivery, ms; 0 when none is due. */
  get overdueMs(): number {
    const next = this.#heap.peek()
    return next && !next.cancelled ? Math.max(0, this.options.now() - next.dueAt) : 0
  }

  /** Makes what is armed for a stream follow its new state. */
  update(state: ActorState, graceMs: number | undefined): void {
    const before = this.#armed.get(state.stream) ?? []
    const after = state.deadlines.map(
      (deadline) =>
        before.find(
          (armed) => armed.deadline.id === deadline.id && armed.deadline.armedBy === deadline.armedBy
        ) ?? this.#arm(state, deadline, graceMs)
    )
    for (const armed of before) if (!after.includes(armed)) this.#cancel(armed)
    if (after.length > 0) this.#armed.set(state.stream, after)
    else this.#armed.delete(state.stream)
  }

  /**
   * Gives every deadline with a grace at least that much time from `at` on, after first moving it by `shiftMs`: time that
   * the clock skipped is time that nobody had (contracts: hub 3.7).
   */
  raiseFloor(at: number, shiftMs = 0): void {
    this.#floorAt = at
    const all = [...this.#armed.values()].flat()
    for (const armed of all) {
      if (armed.graceMs !== undefined) armed.dueAt = Math.max(armed.dueAt + shiftMs, at + armed.graceMs)
    }
    this.#refill(all)
    this.#wake?.()
  }

  /** Delivers what comes due, for ever. `checkClock` runs first: a jump is recorded before any deadline is delivered. */
  run(checkClock: Effect.Effect<void>): Effect.Effect<never> {
    return Effect.forever(
      Effect.zipRight(
        checkClock,
        Effect.suspend(() => this.#step())
      )
    )
  }

  #step(): Effect.Effect<void> {
    const now = this.options.now()
    const due: Array<Armed> = []
    while (due.length < maxInFlight) {
      const next = this.#heap.peek()
      if (!next || (next.dueAt > now && !next.cancelled)) break
      this.#heap.pop()
      if (next.cancelled) this.#cancelled -= 1
      else due.push(next)
    }
    if (due.length === 0) return this.#sleep((this.#heap.peek()?.dueAt ?? Number.POSITIVE_INFINITY) - now)
    return Effect.forEach(due, (armed) => this.#deliver(armed), { concurrency: "unbounded", discard: true })
  }

  #deliver(armed: Armed): Effect.Effect<void> {
    return Effect.map(this.options.deliver(armed.stream, armed.deadline), (delivery) => {
      if (delivery === "settled" || armed.cancelled) return
      armed.dueAt = this.options.now() + againMs
      this.#heap.push(armed)
    })
  }

  #cancel(armed: Armed): void {
    armed.cancelled = true
    this.#cancelled += 1
    if (this.#cancelled < leastSwept || 2 * this.#cancelled < this.#heap.size) return
    this.#refill([...this.#heap].filter(({ cancelled }) => !cancelled))
  }

  #refill(entries: ReadonlyArray<Armed>): void {
    this.#heap = new Heap(byTime, entries)
    this.#cancelled = 0
  }

  /** The floor is for what was armed before it; what is armed since comes due as it says. */
  #arm({ stream, at }: ActorState, deadline: Deadline, graceMs: number | undefined): Armed {
    const isOlder = graceMs !== undefined && at < this.#floorAt
    const dueAt = isOlder ? Math.max(deadline.dueAt, this.#floorAt + graceMs) : deadline.dueAt
    const armed: Armed = { stream, deadline, graceMs, dueAt, cancelled: false }
    this.#heap.push(armed)
    if (this.#heap.peek() === armed) this.#wake?.()
    return armed
  }

  /** Sleeps until the next deadline, at most a tick, or until an earlier one is armed. */
  #sleep(ms: number): Effect.Effect<void> {
    const armedEarlier = Effect.async<void>((resume) => {
      this.#wake = () => resume(Effect.void)
    })
    return Effect.raceFirst(Effect.sleep(Math.max(0, Math.min(ms, tickMs))), armedEarlier)
  }
}
