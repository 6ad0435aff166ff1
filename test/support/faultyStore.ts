/** The real store with faults in it that SQLite itself meets or that come between it and whoever waits for its answer. */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { Effect, Layer } from "effect"
import { JournalUnavailable } from "../../src/events/Journal.js"
import { SqliteStore } from "../../src/events/SqliteStore.js"

/** What becomes of a transaction: it works, asks for more room than there is, is rolled back, or commits and nobody learns of it. */
export type StoreFate = "works" | "full" | "rolledBack" | "unreported"

/**
 * On a full store each transaction asks SQLite for one page more than the database may have: so SQLite itself says that it is full, on
 * any machine and for any user.
 */
const fill = (connection: Connection) =>
  Effect.forEach(["PRAGMA max_page_count = 1", "CREATE TABLE one_page_more (x)"], (sql) =>
    connection.execute(sql, [], undefined)
  )

const broken = Effect.fail(
  new SqlError({ cause: { code: "SQLITE_IOERR_WRITE" }, message: "the disk failed" })
)

export const faultyStore = (nextFate: () => StoreFate): Layer.Layer<SqliteStore, never, SqliteStore> =>
  Layer.effect(
    SqliteStore,
    Effect.map(SqliteStore, (store) => {
      const transaction: (typeof store)["transaction"] = (body) =>
        Effect.suspend(() => {
          switch (nextFate()) {
            case "works":
              return store.transaction(body)
            case "full":
              return store.transaction((connection) => Effect.zipRight(fill(connection), body(connection)))
            case "rolledBack":
              return store.transaction((connection) => Effect.zipLeft(body(connection), broken))
            case "unreported":
              return Effect.zipRight(
                Effect.zipLeft(store.transaction(body), store.disconnect),
                new JournalUnavailable({ reason: "io", detail: "the answer was lost" })
              )
          }
        }) as ReturnType<typeof store.transaction<never, never>>
      return SqliteStore.of({ ...store, transaction })
    })
  )
