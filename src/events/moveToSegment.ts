/**
 * Takes old events out of the database once they are in a segment. The steps may end anywhere: the file is whole before a row is
 * touched, a row is emptied in the transaction that says where its event is, and whoever comes again finds what is done already.
 */
import { Effect } from "effect"
import type { Offset } from "./Event.js"
import * as EventRows from "./EventRows.js"
import { ioTurn } from "./ioTurn.js"
import type { JournalUnavailable } from "./Journal.js"
import { findSegment, inspectSegment, type Segment, writeSegment } from "./Segment.js"
import type { SqliteStore } from "./SqliteStore.js"

/** Rows that one transaction empties: appends wait no longer than for these. */
const stepRows = 500
/** Pages that one step gives back. */
const stepPages = 512

export const moveToSegment = (
  store: SqliteStore["Type"],
  from: Offset,
  upTo: Offset
): Effect.Effect<Segment, JournalUnavailable> =>
  Effect.gen(function* () {
    const begun = findSegment(store, from)
    const { segment, blocks } =
      begun === undefined ? yield* writeSegment(store, from, upTo) : yield* inspectSegment(store, begun, from)
    const { file, toOffset } = segment
    // Without their rows blocks harm nobody, so they may all come first.
    yield* store.transaction((connection) => EventRows.insertBlocks(connection, file, blocks))
    for (let first = from; first <= toOffset; first = (first + stepRows) as Offset) {
      const last = Math.min(first + stepRows - 1, toOffset) as Offset
      yield* store.transaction((connection) => EventRows.emptyRows(connection, first, last))
      yield* ioTurn
    }
    return segment
  })

/** Frees pages in steps between appends. */
export const vacuum = (store: SqliteStore["Type"]): Effect.Effect<number, JournalUnavailable> =>
  Effect.gen(function* () {
    const pragma = (name: string) =>
      Effect.map(store.read(`PRAGMA ${name}`), ([row]) => Number(row?.[name] ?? 0))
    const before = yield* pragma("page_count")
    for (;;) {
      const free = yield* pragma("freelist_count")
      if (free === 0) break
      yield* store.transaction((connection) =>
        connection.execute(`PRAGMA incremental_vacuum(${stepPages})`, [], undefined)
      )
      // A database that was not made for it has nothing to give back.
      if ((yield* pragma("freelist_count")) >= free) break
      yield* ioTurn
    }
    return (before - (yield* pragma("page_count"))) * (yield* pragma("page_size"))
  })
