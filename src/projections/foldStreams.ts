/** Makes a projection's rows from the journal with one stream in memory at a time: rows are made from one stream each. */
import { Effect } from "effect"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { ioTurn } from "../events/ioTurn.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { type EventTypes, UnknownEvent, upcast } from "../events/Upcasters.js"
import { type Projection, type Row, RowFold } from "./Projection.js"

const pageSize = 1_000

/** Folds stream after stream up to an offset and hands on the rows that are finished: no more of them is ever in memory. */
export const foldStreams = <E>(
  store: SqliteStore["Type"],
  known: EventTypes,
  projection: Projection,
  upTo: Offset,
  write: (finished: ReadonlyArray<Row>) => Effect.Effect<void, E>
): Effect.Effect<void, JournalUnavailable | UnknownEvent | E> =>
  Effect.gen(function* () {
    let cursor = EventRows.streamStart
    let fold = new RowFold(projection)
    for (;;) {
      const page = yield* EventRows.readByStream(store, cursor, upTo, pageSize)
      const finished: Array<Row> = []
      for (const recorded of page) {
        const event = upcast(known, recorded)
        if (event instanceof UnknownEvent) return yield* event
        if (event.stream !== cursor.stream) {
          finished.push(...fold.rows.values())
          fold = new RowFold(projection)
        }
        fold.apply(event)
        cursor = event
      }
      if (page.length < pageSize) finished.push(...fold.rows.values())
      yield* write(finished)
      if (page.length < pageSize) return
      yield* ioTurn
    }
  })
