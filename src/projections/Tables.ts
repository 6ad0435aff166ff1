/** A projection's table as SQL: one statement for any number of rows. */
import { createHash } from "node:crypto"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { type Insertion, insertRows } from "../events/insertRows.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { keyColumn, type Projection, type Row } from "./Projection.js"

const quoted = (name: string): string => `"${name}"`
const columnsOf = (projection: Projection): ReadonlyArray<string> => Object.keys(projection.columns)

/** The projections that have no table, or one that was made by another version of them. */
export const outdated = (
  store: SqliteStore["Type"],
  projections: ReadonlyArray<Projection>
): Effect.Effect<ReadonlyArray<Projection>, JournalUnavailable> =>
  Effect.map(store.read("SELECT name, version FROM projections"), (rows) => {
    const versions = new Map(rows.map(({ name, version }) => [name, version]))
    return projections.filter(({ name, version }) => versions.get(name) !== version)
  })

/** Makes an empty table in place of one of the same name. Indexes come once it is filled. */
export const create = (
  connection: Connection,
  projection: Projection,
  table: string
): Effect.Effect<void, SqlError> => {
  const key = keyColumn(projection)
  const columns = Object.entries(projection.columns).map(([name, type]) =>
    name === key ? `${quoted(name)} ${type} PRIMARY KEY` : `${quoted(name)} ${type}`
  )
  return run(connection, [
    `DROP TABLE IF EXISTS ${quoted(table)}`,
    // Rows stay where they were first put, so that those of a busy hour lie together and a commit writes few pages.
    `CREATE TABLE ${quoted(table)} (${columns.join(", ")}) STRICT`
  ])
}

export const createIndexes = (
  connection: Connection,
  projection: Projection
): Effect.Effect<void, SqlError> =>
  run(
    connection,
    projection.indexes.map(
      (columns, index) =>
        `CREATE INDEX IF NOT EXISTS ${quoted(`${projection.name}_${index}`)} ON ${quoted(projection.name)} ${columns}`
    )
  )

/** Puts a finished table in the live one's place and notes the version it was made with. */
export const swap = (
  connection: Connection,
  projection: Projection,
  table: string
): Effect.Effect<void, SqlError> =>
  run(connection, [
    `DROP TABLE IF EXISTS ${quoted(projection.name)}`,
    `ALTER TABLE ${quoted(table)} RENAME TO ${quoted(projection.name)}`
  ]).pipe(
    Effect.zipRight(createIndexes(connection, projection)),
    Effect.zipRight(
      connection.executeRaw("INSERT OR REPLACE INTO projections (name, version) VALUES (?, ?)", [
        projection.name,
        projection.version
      ])
    ),
    Effect.asVoid
  )

export const select = (
  connection: Connection,
  projection: Projection,
  table: string,
  keys: Iterable<string>
): Effect.Effect<ReadonlyArray<Row>, SqlError> =>
  connection.execute(
    `SELECT * FROM ${quoted(table)} WHERE ${quoted(keyColumn(projection))} IN (SELECT value FROM json_each(?))`,
    [JSON.stringify([...keys])],
    undefined
  )

export const upsert = (
  connection: Connection,
  projection: Projection,
  table: string,
  rows: ReadonlyArray<Row>
): Effect.Effect<void, SqlError> => {
  const columns = columnsOf(projection)
  const values = rows.map((row) => columns.map((column) => row[column] ?? null))
  return insertRows(connection, insertionInto(projection, table), values)
}

const insertions = new Map<string, Insertion>()

/** A row takes the place of the one with its key. */
const insertionInto = (projection: Projection, table: string): Insertion => {
  const made = insertions.get(table)
  if (made) return made
  const columns = columnsOf(projection).map(quoted)
  const [key, ...others] = columns
  const taken = others.map((column) => `${column} = excluded.${column}`).join(", ")
  const suffix = `ON CONFLICT (${key}) DO UPDATE SET ${taken}`
  const insertion: Insertion = { table: quoted(table), columns, suffix }
  insertions.set(table, insertion)
  return insertion
}

export const remove = (
  connection: Connection,
  projection: Projection,
  table: string,
  keys: ReadonlyArray<string>
): Effect.Effect<void, SqlError> =>
  keys.length === 0
    ? Effect.void
    : Effect.asVoid(
        connection.executeRaw(
          `DELETE FROM ${quoted(table)}
           WHERE ${quoted(keyColumn(projection))} IN (SELECT value FROM json_each(?))`,
          [JSON.stringify(keys)]
        )
      )

export const count = (connection: Connection, table: string): Effect.Effect<number, SqlError> =>
  Effect.map(connection.execute(`SELECT count(*) AS rows FROM ${quoted(table)}`, [], undefined), ([row]) =>
    Number(row?.rows)
  )

type Read<E> = (
  sql: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<{ readonly [column: string]: unknown }>, E>

const digestPage = 1_000

/** SHA-256 over the rows in key order. */
export const digest = <E>(
  read: Read<E>,
  projection: Projection,
  table = projection.name
): Effect.Effect<string, E> =>
  Effect.gen(function* () {
    const columns = columnsOf(projection)
    const key = quoted(keyColumn(projection))
    const hash = createHash("sha256")
    let after: string | undefined
    for (;;) {
      const rows = yield* read(
        `SELECT ${columns.map(quoted).join(", ")} FROM ${quoted(table)}
         ${after === undefined ? "" : `WHERE ${key} > ?`} ORDER BY ${key} LIMIT ${digestPage}`,
        after === undefined ? [] : [after]
      )
      for (const row of rows) hash.update(`${JSON.stringify(columns.map((column) => row[column]))}\n`)
      const last = rows.at(-1)
      if (!last) return hash.digest("hex")
      after = String(last[keyColumn(projection)])
    }
  })

const run = (connection: Connection, statements: ReadonlyArray<string>): Effect.Effect<void, SqlError> =>
  Effect.forEach(statements, (sql) => connection.executeRaw(sql, []), { discard: true })
