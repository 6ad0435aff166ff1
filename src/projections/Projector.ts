/**
 * Keeps the projections' tables: set-wise in the transaction that appends, so a reader sees its own writes; and made anew beside
 * the live table, then swapped, while the hub goes on. Alone responsible for live rows being exactly what a rebuild would make.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, Layer, type Scope } from "effect"
import { AppendParticipant } from "../events/AppendParticipant.js"
import type { Offset, RecordedEvent } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { ioTurn } from "../events/ioTurn.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { makeInMemory, SqliteStore } from "../events/SqliteStore.js"
import { type EventTypes, KnownEvents, type UnknownEvent, upcastOwn } from "../events/Upcasters.js"
import { foldStreams } from "./foldStreams.js"
import { keyColumn, type Projection, RowFold } from "./Projection.js"
import * as Tables from "./Tables.js"

/** Reads rows of projections, live or as they were at an offset. */
export type ReadRows = SqliteStore["Type"]["read"]

export interface Rebuilt {
  readonly name: string
  readonly version: number
  readonly offset: Offset
  readonly rows: number
  /** Of the new rows and of the live ones that they replaced, at that offset; null where comparing them would take long. */
  readonly digest: string | null
  readonly liveDigest: string | null
}

export class Projector extends Context.Tag("mound/Projector")<
  Projector,
  {
    readonly projections: ReadonlyArray<Projection>
    readonly read: ReadRows
    /** Rows as they were when the journal ended at `offset`; gone when the scope closes. */
    readonly asOf: (
      name: string,
      offset: Offset
    ) => Effect.Effect<ReadRows, JournalUnavailable | UnknownEvent, Scope.Scope>
    /** Makes a projection's table anew while it goes on serving. */
    readonly rebuild: (name: string) => Effect.Effect<Rebuilt, JournalUnavailable | UnknownEvent>
    /** SHA-256 over a projection's rows in key order. */
    readonly digest: (name: string) => Effect.Effect<string, JournalUnavailable>
  }
>() {}

/** Events of a rebuild that one transaction holds: appends wait no longer than for these. */
const pageSize = 1_000
/** Rows that a rebuild compares while it holds the writer: about 50 ms. */
const maxCompared = 10_000

/** Tables whose projection is new or of another version are made before anybody reads them. */
export const layer = (
  projections: ReadonlyArray<Projection>
): Layer.Layer<Projector | AppendParticipant, JournalUnavailable | UnknownEvent, SqliteStore | KnownEvents> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const store = yield* SqliteStore
      const known = yield* KnownEvents
      const named = (name: string) => projections.find((each) => each.name === name) as Projection
      // A table of another version, or none, has nothing to be compared with.
      const stale = yield* outdated(store, projections)
      yield* Effect.forEach(stale, (each) => rebuildTable(store, known, each, false), { discard: true })
      const projector = Projector.of({
        projections,
        read: store.read,
        asOf: (name, offset) => readAsOf(store, known, named(name), offset),
        rebuild: (name) => rebuildTable(store, known, named(name), true),
        digest: (name) => Tables.digest(store.read, named(name))
      })
      const participant = AppendParticipant.of({
        apply: (connection, events) =>
          Effect.forEach(projections, (each) => applyTo(connection, known, each, each.name, events), {
            discard: true
          })
      })
      return Context.make(Projector, projector).pipe(Context.add(AppendParticipant, participant))
    })
  )

const outdated = (store: SqliteStore["Type"], projections: ReadonlyArray<Projection>) =>
  Effect.map(store.read("SELECT name, version FROM projections"), (rows) => {
    const versions = new Map(rows.map(({ name, version }) => [name, version]))
    return projections.filter(({ name, version }) => versions.get(name) !== version)
  })

/** Moves the touched rows of one table past committed-to-be events. A reducer that throws fails the append. */
const applyTo = (
  connection: Connection,
  known: EventTypes,
  projection: Projection,
  table: string,
  events: ReadonlyArray<RecordedEvent>
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const current = events.map((event) => upcastOwn(known, event))
    const keys = new Set(current.flatMap(projection.keys))
    if (keys.size === 0) return
    const before = yield* Tables.select(connection, projection, table, keys)
    const fold = new RowFold(projection)
    for (const row of before) fold.rows.set(String(row[keyColumn(projection)]), row)
    for (const event of current) fold.apply(event)
    const gone = before.map((row) => String(row[keyColumn(projection)])).filter((key) => !fold.rows.has(key))
    yield* Tables.upsert(connection, projection, table, [...fold.rows.values()])
    yield* Tables.remove(connection, projection, table, gone)
  })

/**
 * Makes a table anew beside the live one: first every stream up to the head of that moment, each folded in memory and written
 * once; then what has been appended since, in the order of the journal, until nothing is left and the two change places.
 */
const rebuildTable = (
  store: SqliteStore["Type"],
  known: EventTypes,
  projection: Projection,
  isComparable: boolean
): Effect.Effect<Rebuilt, JournalUnavailable | UnknownEvent> =>
  Effect.gen(function* () {
    const table = `${projection.name}_rebuild`
    const { offset: filledTo } = yield* EventRows.head(store)
    yield* store.transaction((connection) => Tables.create(connection, projection, table))
    yield* foldStreams(store, known, projection, filledTo, (finished) =>
      store.transaction((connection) => Tables.upsert(connection, projection, table, finished))
    )
    let offset = filledTo
    for (;;) {
      const swapped = yield* store.transaction((connection) =>
        Effect.gen(function* () {
          const page = yield* EventRows.readAfter(store, offset, pageSize)
          yield* applyTo(connection, known, projection, table, page)
          offset = page.at(-1)?.offset ?? offset
          if (page.length === pageSize) return undefined
          const compared = yield* compare(connection, projection, table, isComparable)
          yield* Tables.swap(connection, projection, table)
          return compared
        })
      )
      if (swapped) return { name: projection.name, version: projection.version, offset, ...swapped }
      yield* ioTurn
    }
  })

/** The rows of a finished table, and if they are few enough, whether they are what the live table has. */
const compare = (connection: Connection, projection: Projection, table: string, isComparable: boolean) =>
  Effect.gen(function* () {
    const rows = yield* Tables.count(connection, table)
    if (rows > maxCompared || !isComparable) return { rows, digest: null, liveDigest: null }
    const read = (sql: string, parameters: ReadonlyArray<unknown>) =>
      connection.execute(sql, parameters, undefined)
    return {
      rows,
      digest: yield* Tables.digest(read, projection, table),
      liveDigest: yield* Tables.digest(read, projection)
    }
  })

/** A copy of a projection in a database of its own, as its rows were when the journal ended at `offset`. */
const readAsOf = (store: SqliteStore["Type"], known: EventTypes, projection: Projection, offset: Offset) =>
  Effect.gen(function* () {
    const copy = yield* makeInMemory
    yield* copy.transaction((connection) => Tables.create(connection, projection, projection.name))
    yield* foldStreams(store, known, projection, offset, (finished) =>
      copy.transaction((connection) => Tables.upsert(connection, projection, projection.name, finished))
    )
    return copy.read
  })
