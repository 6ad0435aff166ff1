/** Makes a projection's table anew while the live one goes on serving, and puts it in its place. */
import type { Connection } from "@effect/sql/SqlConnection"
import { Effect } from "effect"
import type { RecordedEvent } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { ioTurn } from "../events/ioTurn.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { type EventTypes, UnknownEvent, upcast } from "../events/Upcasters.js"
import type { Rebuilt } from "../events/Writer.js"
import { applyTo } from "./applyTo.js"
import { foldStreams } from "./foldStreams.js"
import type { Projection } from "./Projection.js"
import * as Tables from "./Tables.js"

/** Events of a rebuild that one transaction holds: appends wait no longer than for these. */
const pageSize = 1_000
/** Rows that a rebuild compares while it holds the writer: about 50 ms. */
const maxCompared = 10_000

/**
 * Makes a table anew beside the live one: first every stream up to the head of that moment, each folded in memory and written
 * once; then what has been appended since, in the order of the journal, until nothing is left and the two change places.
 */
export const rebuildTable = (
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
          yield* applyTo(connection, projection, table, yield* inTodaysShape(known, page))
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

const inTodaysShape = (known: EventTypes, page: ReadonlyArray<RecordedEvent>) =>
  Effect.forEach(page, (recorded) => {
    const event = upcast(known, recorded)
    return event instanceof UnknownEvent ? Effect.fail(event) : Effect.succeed(event)
  })
