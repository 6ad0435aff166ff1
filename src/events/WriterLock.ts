/**
 * One writer process a workspace. The lock is an SQLite file held in an exclusive transaction: the operating
 * system frees it at any death, a frozen holder keeps it, and looking at it writes nothing.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlError } from "@effect/sql/SqlError"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Schema, type Scope } from "effect"
import { errorCode } from "./SqliteStore.js"

/** Somebody else holds the lock. */
export class LockHeld extends Schema.TaggedError<LockHeld>()("LockHeld", { path: Schema.String }) {}

/** The lock file cannot be used as one: it is damaged, or it may not be written. */
export class LockUnusable extends Schema.TaggedError<LockUnusable>()("LockUnusable", {
  path: Schema.String,
  problem: Schema.String
}) {}

/** A reader's glance holds the file for an instant; a start waits that long before it calls the lock held. */
const glanceMs = 1_000

/** Takes the lock until the scope closes. Rollback mode, never WAL: only there does EXCLUSIVE shut out readers. */
export const hold = (path: string): Effect.Effect<void, LockHeld | LockUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({ filename: path, disableWAL: true })
    const connection = yield* client.reserve
    yield* connection.executeRaw(`PRAGMA busy_timeout = ${glanceMs}`, [])
    yield* connection.executeRaw("BEGIN EXCLUSIVE", [])
  }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.catchAllDefect((cause) => new SqlError({ cause, message: "it cannot be opened" })),
    Effect.mapError(({ cause, message }) =>
      errorCode(cause) === "SQLITE_BUSY"
        ? new LockHeld({ path })
        : new LockUnusable({ path, problem: cause instanceof Error ? cause.message : message })
    )
  )

/** Whether a live process holds the lock. Starts nothing and writes nothing. */
export const isHeld = (path: string): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({ filename: path, readonly: true, disableWAL: true })
    const connection = yield* client.reserve
    yield* connection.executeRaw("PRAGMA busy_timeout = 0", [])
    yield* connection.execute("SELECT name FROM sqlite_schema", [], undefined)
    return false
  }).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.catchTag("SqlError", ({ cause }) => Effect.succeed(errorCode(cause) === "SQLITE_BUSY")),
    // A file that is not there cannot be opened for reading, and nobody holds it.
    Effect.catchAllDefect(() => Effect.succeed(false))
  )
