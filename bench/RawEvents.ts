/** The journal's own table without the journal: better-sqlite3, one prepared statement, the same columns, indexes and durability. */
import { join } from "node:path"
import Database from "better-sqlite3"
import { Effect, Layer, type Scope } from "effect"
import * as SqliteStore from "../src/events/SqliteStore.js"
import { perSecond } from "./rounds.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const openRawEvents: Effect.Effect<RawEvents, never, Scope.Scope> = Effect.gen(function* () {
  const path = join(yield* temporaryFolder, "raw.db")
  // The store makes its tables and lets go of them.
  yield* Effect.orDie(Effect.scoped(Layer.build(SqliteStore.layer(path))))
  return yield* Effect.acquireRelease(
    Effect.sync(() => new RawEvents(path)),
    (raw) => Effect.sync(() => raw.close())
  )
})

export class RawEvents {
  readonly #database: Database.Database
  readonly #insert: Database.Statement
  #rows = 0

  constructor(path: string) {
    this.#database = new Database(path)
    this.#database.pragma("journal_mode = WAL")
    this.#database.pragma("synchronous = FULL")
    this.#insert = this.#database.prepare(`INSERT INTO events VALUES (${Array(13).fill("?").join(", ")})`)
  }

  /** Rows a second, in transactions of so many. */
  rateOf(rowsEach: number, forMs: number): number {
    const startedAt = performance.now()
    const from = this.#rows
    const insertRows = this.#database.transaction(() => {
      for (let row = 0; row < rowsEach; row++) this.#insertNext()
    })
    while (performance.now() - startedAt < forMs) insertRows()
    return perSecond(this.#rows - from, startedAt)
  }

  close(): void {
    this.#database.close()
  }

  #insertNext(): void {
    const offset = ++this.#rows
    const version = offset
    const commandId = `${String(offset).padStart(12, "0")}-0`
    this.#insert.run(
      offset,
      "appended/0",
      version,
      "ClaimRenewed",
      1,
      1_750_000_000_000 + version,
      "held.active",
      "token:1",
      commandId,
      null,
      `${version}`,
      `{"token":1}`,
      someHash
    )
  }
}

/** As long as a hash; making one is the journal's own work. */
const someHash = "0123456789abcdef".repeat(4)
