/** Looks into a sense's database from outside its worker: nothing can be written, nor made, nor attached. */
import { existsSync } from "node:fs"
import type Database from "better-sqlite3"
import { openReadOnly } from "./senseDatabase.js"

type Row = { readonly [column: string]: unknown }

/** The first rows of one statement that only reads. */
export const queryDatabase = (path: string, sql: string, limit: number): ReadonlyArray<Row> =>
  withDatabase(path, (db) => {
    const statement = db.prepare(sql)
    if (!statement.reader || !statement.readonly) throw new Error("only a statement that reads is allowed")
    const rows: Array<Row> = []
    for (const row of statement.iterate() as IterableIterator<Row>) {
      if (rows.length >= limit) break
      rows.push(row)
    }
    return rows
  })

/** Its CREATE statements by name, without SQLite's own and the list of migrations. */
export const describeDatabase = (path: string): ReadonlyArray<string> =>
  withDatabase(path, (db) =>
    db
      .prepare(
        `SELECT sql FROM sqlite_master
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name <> '_migrations' ORDER BY name`
      )
      .pluck()
      .all()
  ) as ReadonlyArray<string>

const withDatabase = <A>(path: string, use: (db: Database.Database) => A): A => {
  if (!existsSync(path))
    throw new Error(`there is no database at ${path}: it is made when the sense first computes`)
  const db = openReadOnly(path)
  try {
    return use(db)
  } finally {
    db.close()
  }
}
