/** Copies an SQLite file to a new one as of one moment, while its writers go on. */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect } from "effect"
import { JournalUnavailable } from "./Journal.js"

/**
 * `VACUUM INTO`: one read transaction, so the copy is consistent however long it takes; copying pages would begin anew at each foreign
 * write. `to` must not exist.
 */
export const copyDatabase = (from: string, to: string): Effect.Effect<void, JournalUnavailable> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({ filename: from, readonly: true, disableWAL: true })
    const connection = yield* client.reserve
    yield* connection.executeRaw("PRAGMA busy_timeout = 5000", [])
    yield* connection.executeRaw("VACUUM INTO ?", [to])
  }).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.catchAllCause((cause) =>
      Effect.fail(
        new JournalUnavailable({ reason: "io", detail: `${from} cannot be copied to ${to}: ${cause}` })
      )
    )
  )

/** What SQLite finds wrong with a file's structure; undefined when nothing. */
export const integrityFault = (path: string): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({ filename: path, readonly: true, disableWAL: true })
    const connection = yield* client.reserve
    const rows = yield* connection.execute("PRAGMA integrity_check(1)", [], undefined)
    const said = String(rows[0]?.integrity_check)
    return said === "ok" ? undefined : said
  }).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.catchAllCause((cause) => Effect.succeed(String(cause)))
  )
