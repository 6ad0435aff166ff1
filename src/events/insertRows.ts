/**
 * Puts many rows into a table with few statements. Values are bound, 64 rows to a statement: taking them out of one JSON parameter
 * instead costs four times as much a row, and a statement for each row costs its way through the SQL layer.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"

export type Value = string | number | null

/** Rows a statement takes at most. Statements come in powers of two, so that a few prepared ones serve batches of any size. */
const maxRows = 64

export interface Insertion {
  readonly table: string
  /** Column names, quoted where SQL needs it. */
  readonly columns: ReadonlyArray<string>
  /** What follows the values, such as `ON CONFLICT ...`. */
  readonly suffix?: string
}

export const insertRows = (
  connection: Connection,
  insertion: Insertion,
  rows: ReadonlyArray<ReadonlyArray<Value>>
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    let from = 0
    while (from < rows.length) {
      const size = Math.min(maxRows, 2 ** Math.floor(Math.log2(rows.length - from)))
      const values = rows.slice(from, from + size).flat()
      yield* connection.executeRaw(statementFor(insertion, size), values)
      from += size
    }
  })

const statements = new WeakMap<Insertion, Map<number, string>>()

const statementFor = (insertion: Insertion, size: number): string => {
  const bySize = statements.get(insertion) ?? new Map<number, string>()
  statements.set(insertion, bySize)
  const made = bySize.get(size)
  if (made !== undefined) return made
  const { table, columns, suffix = "" } = insertion
  const row = `(${columns.map(() => "?").join(", ")})`
  const sql = `INSERT INTO ${table} (${columns.join(", ")}) VALUES ${Array(size).fill(row).join(", ")} ${suffix}`
  bySize.set(size, sql)
  return sql
}
