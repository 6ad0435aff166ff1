/** The rows of a projection as they were when the journal ended at an offset, in key order. */
import { Effect } from "effect"
import type { Offset } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import type { UnknownEvent } from "../events/Upcasters.js"
import { foldStreams } from "../projections/foldStreams.js"
import { keyColumn, type Row } from "../projections/Projection.js"
import { knownEvents, projections } from "./installed.js"

/** Undefined when there is no projection of that name. */
export const asOfRows = (
  store: SqliteStore["Type"],
  name: string,
  offset: Offset
): Effect.Effect<ReadonlyArray<Row> | undefined, JournalUnavailable | UnknownEvent> =>
  Effect.gen(function* () {
    const projection = projections.find((each) => each.name === name)
    if (!projection) return undefined
    const rows: Array<Row> = []
    yield* foldStreams(store, knownEvents, projection, offset, (finished) =>
      Effect.sync(() => void rows.push(...finished))
    )
    const key = keyColumn(projection)
    return rows.sort((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1))
  })
