/** What a pass over streams, one after the other, comes to: the stream under way, and what the finished ones were. */
import type { ActorHistory } from "../actors/ActorKind.js"
import type { ActorState } from "../actors/fold.js"
import { kindOf, type Offset, type RecordedEvent, type StreamId } from "../events/Event.js"
import { type EventTypes, UnknownEvent, upcast } from "../events/Upcasters.js"
import { type Projection, type Row, RowFold } from "../projections/Projection.js"
import { foldToday } from "./foldToday.js"

/** An event that today's machine refuses, or that leads it to another state than was recorded. */
export interface Divergence {
  readonly offset: Offset
  readonly stream: StreamId
  readonly version: number
  readonly type: string
  /** The state before the event, as today's machine has it. */
  readonly before: string
  /** The state that was recorded after it. */
  readonly expected: string
  /** The state that today's machine comes to; null when it refuses the event. */
  readonly actual: string | null
  readonly problem: string
}

/** The code that the past is folded through. */
export interface PassOptions {
  readonly histories: ReadonlyMap<string, ActorHistory>
  readonly known: EventTypes
  readonly projections: ReadonlyArray<Projection>
  /** Divergences before this offset are of no interest. */
  readonly from?: Offset | undefined
}

/** More divergences than these say nothing new. */
const maxKept = 1_000

/** Rows of one projection that no later event will touch. */
export interface FinishedRows {
  readonly projection: Projection
  readonly rows: ReadonlyMap<string, Row>
}

export class ReplayPass {
  readonly rowCounts = new Map<string, number>()
  readonly #actors = new Map<string, Map<string, number>>()
  #divergences: Array<Divergence> = []
  #divergedStreams = 0
  #streams = 0
  /** The stream under way; empty before the first one. */
  #stream = ""
  #kind: ActorHistory | undefined
  #state: ActorState | undefined
  #diverged = false
  #folds: ReadonlyArray<RowFold> = []
  #finished: Array<FinishedRows> = []

  constructor(private readonly options: PassOptions) {}

  take(recorded: RecordedEvent): void {
    if (recorded.stream !== this.#stream) this.#beginStream(recorded.stream)
    const event = upcast(this.options.known, recorded)
    if (!this.#diverged) this.#fold(recorded, event)
    if (!(event instanceof UnknownEvent)) this.#reduce(event)
  }

  /** Counts the stream under way; nothing more of it comes. */
  finishStream(): void {
    if (this.#stream === "") return
    this.#streams += 1
    if (this.#state) this.#count(this.#state)
    for (const { projection, rows } of this.#folds) {
      if (rows.size === 0) continue
      this.#finished.push({ projection, rows })
      this.rowCounts.set(projection.name, (this.rowCounts.get(projection.name) ?? 0) + rows.size)
    }
    this.#stream = ""
  }

  takeFinished(): ReadonlyArray<FinishedRows> {
    const finished = this.#finished
    this.#finished = []
    return finished
  }

  get streams(): number {
    return this.#streams
  }

  /** Actors by kind and state. */
  get actors(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#actors
  }

  get divergedStreams(): number {
    return this.#divergedStreams
  }

  /** The first of each stream, by offset; of many streams the earliest. */
  get divergences(): ReadonlyArray<Divergence> {
    return earliest(this.#divergences)
  }

  #beginStream(stream: StreamId): void {
    this.finishStream()
    this.#stream = stream
    this.#kind = this.options.histories.get(kindOf(stream))
    this.#state = this.#kind?.fold.initial(stream)
    this.#diverged = false
    this.#folds = this.options.projections.map((projection) => new RowFold(projection))
  }

  #count({ stream, name }: ActorState): void {
    const kind = kindOf(stream)
    const states = this.#actors.get(kind) ?? new Map<string, number>()
    this.#actors.set(kind, states)
    states.set(name, (states.get(name) ?? 0) + 1)
  }

  #fold(recorded: RecordedEvent, event: RecordedEvent | UnknownEvent): void {
    if (!this.#kind || !this.#state) {
      return this.#diverge(recorded, null, `no actor kind of this version owns ${recorded.stream}`)
    }
    const { next, problem } = foldToday(this.#kind, this.#state, event)
    if (problem === null) this.#state = next
    else this.#diverge(recorded, next?.name ?? null, problem)
  }

  #reduce(event: RecordedEvent): void {
    for (const fold of this.#folds) {
      try {
        fold.apply(event)
      } catch (error) {
        const problem = `today's reducer of ${fold.projection.name} fails on it: ${error}`
        if (!this.#diverged) this.#diverge(event, this.#state?.name ?? null, problem)
      }
    }
  }

  /** The rest of the stream stands on a state that never was: only the first divergence of each says something. */
  #diverge(
    { offset, stream, version, type, state }: RecordedEvent,
    actual: string | null,
    problem: string
  ): void {
    const before = this.#state?.name ?? ""
    this.#diverged = true
    if (offset < (this.options.from ?? 0)) return
    this.#divergedStreams += 1
    this.#divergences.push({ offset, stream, version, type, before, expected: state, actual, problem })
    if (this.#divergences.length >= 2 * maxKept) this.#divergences = earliest(this.#divergences)
  }
}

/** The first of many, by offset. */
export const earliest = (divergences: ReadonlyArray<Divergence>): Array<Divergence> =>
  divergences.toSorted((a, b) => a.offset - b.offset).slice(0, maxKept)
