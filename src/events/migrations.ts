/**
 * The store's format, as numbered steps. A step is never edited once released: a later one changes what it made.
 * The number of the last step that ran is the database's `user_version`.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Schema } from "effect"

/** The database was written by a newer version of mound; using it with this one could damage it. */
export class FormatTooNew extends Schema.TaggedError<FormatTooNew>()("FormatTooNew", {
  path: Schema.String,
  found: Schema.Number,
  known: Schema.Number
}) {
  override get message() {
    return `${this.path} has format ${this.found}, this version of mound knows ${this.known}: use a newer mound`
  }
}

const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    `CREATE TABLE events (
       "offset" INTEGER PRIMARY KEY,
       stream TEXT NOT NULL,
       version INTEGER NOT NULL,
       type TEXT NOT NULL,
       schema INTEGER NOT NULL,
       at INTEGER NOT NULL,
       state TEXT NOT NULL,
       "by" TEXT NOT NULL,
       command_id TEXT NOT NULL,
       causation INTEGER,
       correlation TEXT,
       data TEXT NOT NULL,
       hash TEXT NOT NULL,
       UNIQUE (stream, version)
     ) STRICT`,
    `CREATE INDEX events_by_command ON events (command_id)`,
    `CREATE TABLE agendas (
       stream TEXT NOT NULL,
       what TEXT NOT NULL CHECK (what IN ('deadline', 'invocation')),
       id TEXT NOT NULL,
       due_at INTEGER,
       event TEXT,
       armed_by INTEGER,
       correlation TEXT,
       PRIMARY KEY (stream, what, id)
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE snapshots (
       stream TEXT PRIMARY KEY,
       version INTEGER NOT NULL,
       kind_version INTEGER NOT NULL,
       state TEXT NOT NULL
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE projections (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID`
  ],
  [
    `CREATE TABLE archive_blocks (
       first_offset INTEGER PRIMARY KEY,
       file TEXT NOT NULL,
       position INTEGER NOT NULL,
       bytes INTEGER NOT NULL
     ) STRICT`
  ]
]

export const currentFormat = migrations.length

/** The format of an open database; 0 when it is new. */
export const readFormat = (connection: Connection): Effect.Effect<number, SqlError> =>
  Effect.map(connection.execute("PRAGMA user_version", [], undefined), (rows) =>
    Number(rows[0]?.user_version)
  )

/** Brings an open database to today's format, each step in a transaction of its own. */
export const migrate = (connection: Connection, path: string): Effect.Effect<void, SqlError | FormatTooNew> =>
  Effect.gen(function* () {
    const found = yield* readFormat(connection)
    if (found > currentFormat) return yield* new FormatTooNew({ path, found, known: currentFormat })
    for (const [index, statements] of migrations.entries()) {
      if (index < found) continue
      const step = ["BEGIN IMMEDIATE", ...statements, `PRAGMA user_version = ${index + 1}`, "COMMIT"]
      yield* Effect.forEach(step, (sql) => connection.executeRaw(sql, []), { discard: true }).pipe(
        Effect.onError(() => Effect.ignore(connection.executeRaw("ROLLBACK", [])))
      )
    }
  })
