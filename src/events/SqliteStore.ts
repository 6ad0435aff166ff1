/**
 * The database file: one writing connection with fsync, one reading connection. Alone responsible for the
 * durability settings, for transactions, and for closing and reopening the file after an I/O error, so that
 * what was in doubt is settled by the database's own recovery.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { JournalUnavailable } from "./Journal.js"
import { currentFormat, FormatTooNew, migrate, readFormat } from "./migrations.js"

/** A row as SQLite returns it. */
export type Row = { readonly [column: string]: unknown }

/** The database holds another durability setting than the one that was asked for. */
const durability = { synchronous: 2, journal_mode: "wal" } as const

export class SqliteStore extends Context.Tag("mound/SqliteStore")<
  SqliteStore,
  {
    readonly path: string
    /**
     * Runs a query on the reading connection: it sees committed rows only. They are as this program wrote them; `Each` says how the
     * caller knows them, and nothing decodes them again.
     */
    readonly read: <Each = Row>(
      sql: string,
      parameters?: ReadonlyArray<unknown>
    ) => Effect.Effect<ReadonlyArray<Each>, JournalUnavailable>
    /** The same, each row as its values in the order of the query's columns: a third cheaper where there are many. */
    readonly readValues: (
      sql: string,
      parameters?: ReadonlyArray<unknown>
    ) => Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, JournalUnavailable>
    /** Closes the file; whoever uses it next opens it anew, and sees what the database's recovery has settled. */
    readonly disconnect: Effect.Effect<void>
    /** Runs `body` in one durable transaction: all of it, or nothing. One at a time, not interruptible. */
    readonly transaction: <A, E>(
      body: (connection: Connection) => Effect.Effect<A, E>
    ) => Effect.Effect<A, Exclude<E, SqlError> | JournalUnavailable>
  }
>() {}

/** A store for the one process that holds the writer lock. Creates and migrates the file. */
export const layer = (path: string): Layer.Layer<SqliteStore, JournalUnavailable | FormatTooNew> =>
  Layer.scoped(SqliteStore, make(path, openForWriting(path)))

/** A store that never writes, for looking at a journal beside a running hub or without one. */
export const layerReadOnly = (path: string): Layer.Layer<SqliteStore, JournalUnavailable | FormatTooNew> =>
  Layer.scoped(SqliteStore, make(path, openForReading(path)))

/**
 * Like `layerReadOnly`, for a journal that nobody else has open: SQLite's own files beside it go with this store. One that may not write
 * at all must leave them behind.
 */
export const layerLast = (path: string): Layer.Layer<SqliteStore, JournalUnavailable | FormatTooNew> =>
  Layer.scoped(
    SqliteStore,
    make(
      path,
      Effect.tap(openForReading(path, false), ({ reader }) => pragma(reader, "query_only = ON"))
    )
  )

/** Like `layerReadOnly`, but it goes on showing the moment at which it was first read, whatever a hub appends meanwhile. */
export const layerMoment = (path: string): Layer.Layer<SqliteStore, JournalUnavailable | FormatTooNew> =>
  Layer.scoped(
    SqliteStore,
    make(
      path,
      Effect.tap(openForReading(path), ({ reader }) => reader.executeRaw("BEGIN", []))
    )
  )

/** A store in memory, private to its scope. */
export const makeInMemory: Effect.Effect<SqliteStore["Type"], JournalUnavailable, Scope.Scope> =
  Effect.suspend(() => Effect.catchTag(make(inMemory, openForWriting(inMemory)), "FormatTooNew", Effect.die))

const inMemory = ":memory:"

interface Connections {
  readonly writer: Connection
  readonly reader: Connection
}

type Opening = Effect.Effect<Connections, SqlError | FormatTooNew, Scope.Scope>

const make = Effect.fnUntraced(function* (path: string, opening: Opening) {
  const writing = yield* Effect.makeSemaphore(1)
  let open: (Connections & { readonly scope: Scope.CloseableScope }) | undefined

  const close = Effect.suspend(() => {
    const closing = open
    open = undefined
    return closing ? Scope.close(closing.scope, Exit.void) : Effect.void
  })
  const connect = Effect.suspend(() => (open ? Effect.succeed(open) : reopen))
  const reopen = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const connections = yield* opening.pipe(
      Scope.extend(scope),
      Effect.catchAllDefect((cause) => Effect.fail(new SqlError({ cause, message: `cannot open ${path}` }))),
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
    open = { ...connections, scope }
    return open
  })
  /** A connection that failed is closed at once: opening the file again makes SQLite settle what was in doubt. */
  const failed = (error: SqlError): Effect.Effect<never, JournalUnavailable> => {
    const unavailable = toUnavailable(path, error)
    return unavailable ? Effect.zipRight(close, unavailable) : Effect.die(error)
  }

  yield* Effect.addFinalizer(() => close)
  yield* Effect.catchTag(connect, "SqlError", failed)
  const connected = Effect.catchTag(connect, "FormatTooNew", Effect.die)

  return SqliteStore.of({
    path,
    disconnect: close,
    read: <Each>(sql: string, parameters: ReadonlyArray<unknown> = []) =>
      connected.pipe(
        Effect.flatMap(({ reader }) => reader.execute(sql, parameters, undefined)),
        Effect.catchTag("SqlError", failed)
      ) as Effect.Effect<ReadonlyArray<Each>, JournalUnavailable>,
    readValues: (sql, parameters = []) =>
      connected.pipe(
        Effect.flatMap(({ reader }) => reader.executeValues(sql, parameters)),
        Effect.catchTag("SqlError", failed)
      ),
    transaction: <A, E>(body: (connection: Connection) => Effect.Effect<A, E>) =>
      connected.pipe(
        Effect.flatMap(({ writer }) => transactionOn(writer, body)),
        Effect.catchAll(
          (error): Effect.Effect<never, Exclude<E, SqlError> | JournalUnavailable> =>
            error instanceof SqlError ? failed(error) : Effect.fail(error as Exclude<E, SqlError>)
        ),
        writing.withPermits(1),
        Effect.uninterruptible
      )
  })
})

const transactionOn = <A, E>(connection: Connection, body: (connection: Connection) => Effect.Effect<A, E>) =>
  connection.executeRaw("BEGIN IMMEDIATE", []).pipe(
    Effect.zipRight(body(connection)),
    Effect.zipLeft(connection.executeRaw("COMMIT", [])),
    Effect.onError(() => Effect.ignore(connection.executeRaw("ROLLBACK", [])))
  )

const openForWriting = (path: string): Opening =>
  Effect.gen(function* () {
    const writer = yield* connection(path, false)
    yield* pragma(writer, "busy_timeout = 5000")
    // Of a database that exists this would write a page, which a full disk refuses.
    if ((yield* readFormat(writer)) === 0) yield* pragma(writer, "auto_vacuum = INCREMENTAL")
    yield* pragma(writer, "journal_mode = WAL")
    yield* pragma(writer, "synchronous = FULL")
    yield* assertDurable(writer, path)
    yield* migrate(writer, path)
    // A database in memory is private to its connection, so there the two are one.
    const reader = path === inMemory ? writer : yield* connection(path, false)
    if (reader !== writer) yield* pragma(reader, "query_only = ON")
    return { writer, reader }
  })

const openForReading = (path: string, readonly = true): Opening =>
  Effect.gen(function* () {
    const reader = yield* connection(path, readonly)
    yield* pragma(reader, "busy_timeout = 5000")
    const found = yield* readFormat(reader)
    if (found > currentFormat) return yield* new FormatTooNew({ path, found, known: currentFormat })
    return { reader, writer: reader }
  })

/** One connection for life: reserving it spares each statement a span and a compilation (2.6 us, not 20). */
const connection = (path: string, readonly: boolean) =>
  SqliteClient.make({ filename: path, readonly, disableWAL: true }).pipe(
    Effect.flatMap((client) => client.reserve),
    Effect.provide(Reactivity.layer)
  )

const pragma = (connection: Connection, setting: string) =>
  connection.execute(`PRAGMA ${setting}`, [], undefined)

/** SQLite ignores a setting that it cannot have (WAL on some file systems), so both are read back. */
const assertDurable = (connection: Connection, path: string) =>
  Effect.gen(function* () {
    if (path === inMemory) return
    for (const [name, wanted] of Object.entries(durability)) {
      const [row] = yield* pragma(connection, name)
      if (row?.[name] === wanted) continue
      const message = `${path}: ${name} is ${row?.[name]}, not ${wanted}; this file system cannot hold a journal`
      return yield* new SqlError({ cause: { code: "SQLITE_IOERR" }, message })
    }
  })

/** What an error says of the store; undefined when it says something of this program: syntax, constraint, parameters. */
const toUnavailable = (path: string, error: SqlError): JournalUnavailable | undefined => {
  const code = errorCode(error.cause)
  const detail = `${path}: ${error.cause instanceof Error ? error.cause.message : error.message}`
  if (code.startsWith("SQLITE_FULL")) return new JournalUnavailable({ reason: "enospc", detail })
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return new JournalUnavailable({ reason: "corrupt", detail })
  if (/^SQLITE_(READONLY|PERM)/.test(code)) return new JournalUnavailable({ reason: "readonly", detail })
  const isIo = /^SQLITE_(IOERR|CANTOPEN|BUSY|LOCKED|NOMEM|PROTOCOL)/.test(code)
  return isIo || /not open/.test(detail) ? new JournalUnavailable({ reason: "io", detail }) : undefined
}

/** SQLite's own code for an error (`SQLITE_FULL`), or an empty string. */
export const errorCode = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""
