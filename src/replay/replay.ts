/**
 * Folds a whole journal through the machines and reducers that are installed now, and says where today's code and the recorded past
 * disagree. It goes stream by stream, so that one actor is in memory at a time, however many there are.
 */
import { Effect } from "effect"
import type { ActorHistory } from "../actors/ActorKind.js"
import type { ActorState } from "../actors/fold.js"
import { kindOf, type Offset, type RecordedEvent, type StreamId } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { ioTurn } from "../events/ioTurn.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { type EventTypes, UnknownEvent, upcast } from "../events/Upcasters.js"
import { type Difference, LiveRows } from "../projections/LiveRows.js"
import { type Projection, type Row, RowFold } from "../projections/Projection.js"

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

export interface Replayed {
  readonly upTo: Offset
  readonly events: number
  readonly streams: number
  /** Actors by kind and state at the end. */
  readonly actors: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** The first of each stream, by offset. */
  readonly divergences: ReadonlyArray<Divergence>
  readonly rows: ReadonlyArray<{ readonly projection: string; readonly rows: number }>
  /** Rows that the live table has and today's reducer makes otherwise, or the reverse. */
  readonly differences: ReadonlyArray<Difference>
}

export interface ReplayOptions {
  readonly histories: ReadonlyMap<string, ActorHistory>
  readonly known: EventTypes
  readonly projections: ReadonlyArray<Projection>
  /** Where the past to look at ends; by default at the head. */
  readonly upTo?: Offset | undefined
  /** Divergences before this offset are of no interest. */
  readonly from?: Offset | undefined
  /** Compares the replayed rows with the store's tables; only possible up to the head. */
  readonly compare: boolean
  readonly onProgress?: (events: number, total: number) => void
}

const pageSize = 2_000
/** More divergences than these say nothing new. */
const maxKept = 1_000

export const replay = (
  store: SqliteStore["Type"],
  options: ReplayOptions
): Effect.Effect<Replayed, JournalUnavailable> =>
  Effect.gen(function* () {
    const { offset: head } = yield* EventRows.head(store)
    const upTo = Math.min(options.upTo ?? head, head) as Offset
    const pass = new Pass(options)
    const live = options.compare ? new LiveRows(store, options.projections) : undefined
    let cursor = EventRows.streamStart
    let events = 0
    for (;;) {
      const page = yield* EventRows.readByStream(store, cursor, upTo, pageSize)
      for (const event of page) pass.take(event)
      events += page.length
      cursor = page.at(-1) ?? cursor
      const isLast = page.length < pageSize
      if (isLast) pass.finishStream()
      const finished = pass.takeFinished()
      if (live) yield* live.compare(finished)
      options.onProgress?.(events, upTo)
      if (isLast) break
      yield* ioTurn
    }
    if (live) yield* live.compareCounts(pass.rowCounts)
    return { upTo, events, ...pass.result(), differences: live?.differences ?? [] }
  })

/** Rows of one projection that no later event will touch. */
export interface FinishedRows {
  readonly projection: Projection
  readonly rows: ReadonlyMap<string, Row>
}

/** One pass over the journal in stream order: the stream under way, and what the finished ones came to. */
class Pass {
  readonly rowCounts = new Map<string, number>()
  readonly #actors = new Map<string, Map<string, number>>()
  readonly #divergences: Array<Divergence> = []
  #streams = 0
  #state: ActorState | undefined
  #kind: ActorHistory | undefined
  #diverged = false
  #folds: ReadonlyArray<RowFold> = []
  #finished: Array<FinishedRows> = []

  constructor(private readonly options: ReplayOptions) {}

  take(recorded: RecordedEvent): void {
    if (recorded.stream !== this.#state?.stream) this.#beginStream(recorded)
    const event = upcast(this.options.known, recorded)
    if (event instanceof UnknownEvent) return this.#diverge(recorded, null, event.message)
    for (const fold of this.#folds) fold.apply(event)
    if (this.#diverged) return
    const { next, problem } = this.#next(event)
    if (next?.name === recorded.state) this.#state = next
    else this.#diverge(recorded, next?.name ?? null, problem)
  }

  /** Counts the stream under way; nothing more of it comes. */
  finishStream(): void {
    const state = this.#state
    if (!state) return
    this.#streams += 1
    const states = this.#actors.get(kindOf(state.stream)) ?? new Map<string, number>()
    this.#actors.set(kindOf(state.stream), states)
    states.set(state.name, (states.get(state.name) ?? 0) + 1)
    for (const { projection, rows } of this.#folds) {
      if (rows.size === 0) continue
      this.#finished.push({ projection, rows })
      this.rowCounts.set(projection.name, (this.rowCounts.get(projection.name) ?? 0) + rows.size)
    }
    this.#state = undefined
  }

  takeFinished(): ReadonlyArray<FinishedRows> {
    const finished = this.#finished
    this.#finished = []
    return finished
  }

  result(): Pick<Replayed, "streams" | "actors" | "divergences" | "rows"> {
    return {
      streams: this.#streams,
      actors: this.#actors,
      divergences: this.#divergences.toSorted((a, b) => a.offset - b.offset).slice(0, maxKept),
      rows: this.options.projections.map(({ name }) => ({
        projection: name,
        rows: this.rowCounts.get(name) ?? 0
      }))
    }
  }

  #beginStream({ stream }: RecordedEvent): void {
    this.finishStream()
    this.#kind = this.options.histories.get(kindOf(stream))
    this.#state = this.#kind?.fold.initial(stream)
    this.#diverged = false
    this.#folds = this.options.projections.map((projection) => new RowFold(projection))
  }

  #next(event: RecordedEvent): { readonly next: ActorState | undefined; readonly problem: string } {
    if (!this.#kind || !this.#state) return { next: undefined, problem: `no actor kind owns ${event.stream}` }
    try {
      const next = this.#kind.fold.apply(this.#state, event)
      return { next, problem: next ? "it leads elsewhere" : "the machine refuses it" }
    } catch (error) {
      return { next: undefined, problem: `the machine failed: ${error}` }
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
    this.#divergences.push({ offset, stream, version, type, before, expected: state, actual, problem })
  }
}
