/**
 * Disposable folds: where to start folding a stream instead of at its first event. One made by another version
 * of its kind is ignored, and losing all of them costs time only.
 */
import { Context, Effect, Layer } from "effect"
import type { StreamId, Version } from "./Event.js"
import type { JournalUnavailable } from "./Journal.js"
import { SqliteStore } from "./SqliteStore.js"

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

const saveSql = `INSERT OR REPLACE INTO snapshots (stream, version, kind_version, state)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)`

export const layer = Layer.effect(
  Snapshots,
  Effect.map(SqliteStore, (store) =>
    Snapshots.of({
      latest: (streams) =>
        Effect.map(store.read(latestSql, [JSON.stringify(streams)]), (rows) =>
          rows.map((row) => ({
            stream: row.stream as StreamId,
            version: row.version as Version,
            kindVersion: row.kind_version as number,
            state: row.state as string
          }))
        ),
      save: (snapshots) => {
        const rows = snapshots.map(({ stream, version, kindVersion, state }) => [
          stream,
          version,
          kindVersion,
          state
        ])
        return store
          .transaction((connection) => connection.executeRaw(saveSql, [JSON.stringify(rows)]))
          .pipe(Effect.asVoid)
      }
    })
  )
)

/** Keeps none: every activation folds from the first event. */
export const layerNone = Layer.succeed(Snapshots, {
  latest: () => Effect.succeed([]),
  save: () => Effect.void
})
