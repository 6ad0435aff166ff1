/** Compares rows that were folded anew with the ones that a store's tables hold. */
import { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { keyColumn, type Projection, type Row } from "./Projection.js"

export interface Difference {
  readonly projection: string
  readonly key: string
  readonly live: Row | null
  readonly replayed: Row | null
}

const maxKept = 1_000

export class LiveRows {
  /** The first ones; `total` counts them all. */
  readonly differences: Array<Difference> = []
  total = 0

  constructor(
    private readonly store: SqliteStore["Type"],
    readonly projections: ReadonlyArray<Projection>
  ) {}

  /** Compares finished rows with the live ones of the same keys. */
  compare(
    finished: ReadonlyArray<{ readonly projection: Projection; readonly rows: ReadonlyMap<string, Row> }>
  ): Effect.Effect<void, JournalUnavailable> {
    return Effect.forEach(
      this.projections,
      (projection) => {
        const rows = new Map(
          finished.filter((each) => each.projection === projection).flatMap((each) => [...each.rows])
        )
        return rows.size === 0 ? Effect.void : this.#compareRows(projection, rows)
      },
      { discard: true }
    )
  }

  /** Rows that are live and that no event leads to show in the numbers. */
  compareCounts(counts: ReadonlyMap<string, number>): Effect.Effect<void, JournalUnavailable> {
    return Effect.forEach(
      this.projections,
      ({ name }) =>
        Effect.map(this.store.read(`SELECT count(*) AS rows FROM "${name}"`), ([row]) => {
          const replayed = counts.get(name) ?? 0
          if (Number(row?.rows) === replayed) return
          const key = `(${row?.rows} live rows, ${replayed} replayed)`
          this.#add({ projection: name, key, live: null, replayed: null })
        }),
      { discard: true }
    )
  }

  #compareRows(
    projection: Projection,
    rows: ReadonlyMap<string, Row>
  ): Effect.Effect<void, JournalUnavailable> {
    const key = keyColumn(projection)
    const columns = Object.keys(projection.columns)
    const sql = `SELECT * FROM "${projection.name}" WHERE "${key}" IN (SELECT value FROM json_each(?))`
    return Effect.map(this.store.read(sql, [JSON.stringify([...rows.keys()])]), (found) => {
      const live = new Map(found.map((row) => [String(row[key]), row as Row]))
      for (const [id, replayed] of rows) {
        const other = live.get(id)
        const isSame =
          other && columns.every((column) => (other[column] ?? null) === (replayed[column] ?? null))
        if (!isSame) this.#add({ projection: projection.name, key: id, live: other ?? null, replayed })
      }
    })
  }

  #add(difference: Difference): void {
    this.total += 1
    if (this.differences.length < maxKept) this.differences.push(difference)
  }
}
