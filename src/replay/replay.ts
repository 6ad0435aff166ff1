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
import * as Tables from "../projections/Tables.js"
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

export interface Replayed {
  readonly upTo: Offset
  readonly events: number
  readonly streams: number
  /** Actors by kind and state at the end. */
  readonly actors: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** How many streams diverge. */
  readonly divergedStreams: number
  /** The first of each stream, by offset; of many streams the earliest. */
  readonly divergences: ReadonlyArray<Divergence>
  readonly rows: ReadonlyArray<{ readonly projection: string; readonly rows: number }>
  /** Projections whose live rows were compared: a table that another version made is made anew at the next start. */
  readonly compared: ReadonlyArray<string>
  readonly differingRows: number
  /** Rows that the live table has and today's reducer makes otherwise, or the reverse; of many the first. */
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
    const stale = options.compare ? yield* Tables.outdated(store, options.projections) : options.projections
    const live = new LiveRows(
      store,
      options.projections.filter((each) => !stale.includes(each))
    )
    let cursor = EventRows.streamStart
    let events = 0
    for (;;) {
      const page = yield* EventRows.readByStream(store, cursor, upTo, pageSize)
      for (const event of page) pass.take(event)
      events += page.length
      cursor = page.at(-1) ?? cursor
      const isLast = page.length < pageSize
      if (isLast) pass.finishStream()
      yield* live.compare(pass.takeFinished())
      options.onProgress?.(events, upTo)
      if (isLast) break
      yield* ioTurn
    }
    yield* live.compareCounts(pass.rowCounts)
    const { differences, total: differingRows } = live
    const compared = live.projections.map(({ name }) => name)
    return { upTo, events, ...pass.result(), compared, differingRows, differences }
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

  constructor(private readonly options: ReplayOptions) {}

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

  result(): Pick<Replayed, "streams" | "actors" | "divergedStreams" | "divergences" | "rows"> {
    return {
      streams: this.#streams,
      actors: this.#actors,
      divergedStreams: this.#divergedStreams,
      divergences: earliest(this.#divergences),
      rows: this.options.projections.map(({ name }) => ({
        projection: name,
        rows: this.rowCounts.get(name) ?? 0
      }))
    }
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

const earliest = (divergences: ReadonlyArray<Divergence>): Array<Divergence> =>
  divergences.toSorted((a, b) => a.offset - b.offset).slice(0, maxKept)
