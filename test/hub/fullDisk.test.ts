import { join } from "node:path"
import type { Connection } from "@effect/sql/SqlConnection"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { KnownEvents } from "../../src/events/Upcasters.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import { knownEvents, projections } from "../../src/replay/installed.js"
import { runFullDisk } from "../support/fullDisk.js"
import { startedHub } from "../support/startedHub.js"
import { temporaryFolder } from "../support/stores.js"

interface Disk {
  isFull: boolean
}

/**
 * The real store, except that each transaction on a full disk asks SQLite for one page more than the database may have: so SQLite
 * itself says that it is full, on any machine and for any user.
 */
const storeOn = (disk: Disk) =>
  Layer.effect(
    SqliteStore.SqliteStore,
    Effect.map(SqliteStore.SqliteStore, (store) => {
      const fill = (connection: Connection) =>
        Effect.forEach(["PRAGMA max_page_count = 1", "CREATE TABLE one_page_more (x)"], (sql) =>
          connection.execute(sql, [], undefined)
        )
      return SqliteStore.SqliteStore.of({
        ...store,
        transaction: (body) =>
          store.transaction((connection) =>
            disk.isFull ? Effect.zipRight(fill(connection), body(connection)) : body(connection)
          )
      })
    })
  )

const writerOn = (disk: Disk) => (path: string) =>
  SqliteWriter.layer(projections).pipe(
    Layer.provide(storeOn(disk)),
    Layer.provide(SqliteStore.layer(path)),
    Layer.provide(Layer.succeed(KnownEvents, knownEvents))
  )

describe("A hub whose disk is full", () => {
  it.scopedLive("refuses writes and says why, goes on reading, and writes again once there is space", () =>
    Effect.gen(function* () {
      const workspace = yield* temporaryFolder
      const disk: Disk = { isFull: false }
      const { url } = yield* startedHub(workspace, { writer: writerOn(disk) })
      const faults = yield* Effect.promise(() =>
        runFullDisk({
          url,
          path: join(workspace, ".mound/mound.db"),
          fill: () => {
            disk.isFull = true
          },
          free: () => {
            disk.isFull = false
          }
        })
      )
      expect(faults).toEqual([])
    })
  )
})
