/**
 * A read model as a pure reducer over events, with the table that holds its rows. Derived from events alone (each carries the
 * state it led to), so it can be dropped and made again to the same bytes at any time.
 */
import type { RecordedEvent, StreamId } from "../events/Event.js"

export type ColumnType = "TEXT" | "INTEGER" | "REAL"
export type Row = { readonly [column: string]: string | number | null }

export interface Projection {
  readonly name: string
  /** Raised when columns or reducer change: the table is then made anew from the journal. */
  readonly version: number
  /** The table's columns; the first is the primary key, a text. */
  readonly columns: { readonly [column: string]: ColumnType }
  /** Further indexes, each as SQL: its columns, and a condition if it is partial. Every one costs at every write. */
  readonly indexes: ReadonlyArray<string>
  /** Keys of the rows that an event touches. All events that touch one row are of one stream. */
  readonly keys: (event: RecordedEvent) => ReadonlyArray<string>
  /** The stream that a row is made from. */
  readonly streamOf: (key: string) => StreamId
  /** The row after the event; undefined when there is none any more. Pure. */
  readonly reduce: (row: Row | undefined, event: RecordedEvent, key: string) => Row | undefined
}

export const keyColumn = (projection: Projection): string => Object.keys(projection.columns)[0] as string

/** Rows by key, folded in memory. */
export class RowFold {
  readonly rows = new Map<string, Row>()

  constructor(readonly projection: Projection) {}

  apply(event: RecordedEvent): void {
    for (const key of this.projection.keys(event)) {
      const row = this.projection.reduce(this.rows.get(key), event, key)
      if (row) this.rows.set(key, row)
      else this.rows.delete(key)
    }
  }
}
