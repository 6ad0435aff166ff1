/**
 * Disposable folds: where to start folding a stream instead of at its first event. One made by another version
 * of its kind is ignored, and losing all of them costs time only.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, Layer } from "effect"
import type { StreamId, Version } from "./Event.js"
import { type Insertion, insertRows } from "./insertRows.js"
import type { JournalUnavailable } from "./Journal.js"
import { SqliteStore } from "./SqliteStore.js"
import { Writer } from "./Writer.js"

export interface Snapshot {
  readonly stream: StreamId
  readonly version: Version
  /** Version of the actor kind that made it. */
  readonly kindVersion: number
  /** The folded state as JSON, which only the kind's fold can read. */
  readonly state: string
}

export class Snapshots extends Context.Tag("mound/Snapshots")<
  Snapshots,
  {
    readonly latest: (
      streams: ReadonlyArray<StreamId>
    ) => Effect.Effect<ReadonlyArray<Snapshot>, JournalUnavailable>
    readonly save: (snapshots: ReadonlyArray<Snapshot>) => Effect.Effect<void, JournalUnavailable>
  }
>() {}

const latestSql = `SELECT stream, version, kind_version, state FROM snapshots
  WHERE stream IN (SELECT value FROM json_each(?))`

const insertion: Insertion = {
  table: "snapshots",
  columns: ["stream", "version", "kind_version", "state"],
  suffix: `ON CONFLICT (stream) DO UPDATE SET
    version = excluded.version, kind_version = excluded.kind_version, state = excluded.state`
}

/** Puts snapshots in place of the older ones of their streams. */
export const saveSnapshots = (
  connection: Connection,
  snapshots: ReadonlyArray<Snapshot>
): Effect.Effect<void, SqlError> =>
  insertRows(
    connection,
    insertion,
    snapshots.map(({ stream, version, kindVersion, state }) => [stream, version, kindVersion, state])
  )

/** Read from the store, written by its writer. */
export const layer: Layer.Layer<Snapshots, never, SqliteStore | Writer> = Layer.effect(
  Snapshots,
  Effect.gen(function* () {
    const store = yield* SqliteStore
    const writer = yield* Writer
    return Snapshots.of({
      latest: (streams) =>
        Effect.map(store.read(latestSql, [JSON.stringify(streams)]), (rows) =>
          rows.map((row) => ({
            stream: row.stream as StreamId,
            version: row.version as Version,
            kindVersion: row.kind_version as number,
            state: row.state as string
          }))
        ),
      save: writer.saveSnapshots
    })
  })
)

/** Keeps none: every activation folds from the first event. */
export const layerNone = Layer.succeed(Snapshots, {
  latest: () => Effect.succeed([]),
  save: () => Effect.void
})
