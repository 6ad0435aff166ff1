/** Moves the rows of one table that events touch: read once, folded in memory, written once. */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import type { RecordedEvent } from "../events/Event.js"
import { keyColumn, type Projection, RowFold } from "./Projection.js"
import * as Tables from "./Tables.js"

/** Events in today's shape, in the order of the journal. A reducer that throws fails whatever this is a part of. */
export const applyTo = (
  connection: Connection,
  projection: Projection,
  table: string,
  events: ReadonlyArray<RecordedEvent>
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const keys = new Set(events.flatMap(projection.keys))
    if (keys.size === 0) return
    const before = yield* Tables.select(connection, projection, table, keys)
    const fold = new RowFold(projection)
    for (const row of before) fold.rows.set(String(row[keyColumn(projection)]), row)
    for (const event of events) fold.apply(event)
    const gone = before.map((row) => String(row[keyColumn(projection)])).filter((key) => !fold.rows.has(key))
    yield* Tables.upsert(connection, projection, table, [...fold.rows.values()])
    yield* Tables.remove(connection, projection, table, gone)
  })
