/**
 * Reads a ledger of the old server, without ever changing it: its append-only file or its SQLite database, with a log of writes beside
 * it if there is one (contracts: ledger 6.2). It is read in slices, so that whoever else is served is held up for moments only.
 */
import { createHash, type Hash } from "node:crypto"
import { closeSync, createReadStream, existsSync, openSync, readSync, statSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"
import type Database from "better-sqlite3"
import { Effect, Schema } from "effect"
import { type OldEntry, OldLedger, type Taken } from "./OldLedger.js"
import { readLine } from "./oldLine.js"
import { openReadOnly } from "./senseDatabase.js"

export class LedgerUnreadable extends Schema.TaggedError<LedgerUnreadable>()("LedgerUnreadable", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `the old ledger ${this.path} cannot be read: ${this.problem}`
  }
  get fix() {
    return "name the file of the old server's ledger, and give the hub's user permission to read it"
  }
}

export interface ReadLedger {
  /** Of the content: the same content is the same ledger, whatever its file is called. */
  readonly sha256: string
  /** Of the file, and of the log beside a database. */
  readonly bytes: number
  readonly entries: ReadonlyArray<OldEntry>
  readonly decoded: number
  readonly ignored: number
  /** Lines with a whole entry glued to the rest of a broken one. */
  readonly recovered: ReadonlyArray<number>
  /** Lines, or ids in a database, that no sense can be made of. */
  readonly skipped: ReadonlyArray<number | string>
}

const rowsPerSlice = 500

/** Reads it to its end as of now. `now` is the time of records that have none of their own. */
export const readOldLedger = (path: string, now: number): Effect.Effect<ReadLedger, LedgerUnreadable> =>
  Effect.tryPromise({
    try: async (signal) => {
      const reading = new Reading(now)
      const bytes = sizeOf(path)
      if (isDatabase(path)) await readDatabase(path, reading, signal)
      else await readLines(path, reading, signal)
      return await reading.result(bytes)
    },
    catch: (error) => unreadable(path, error)
  })

/** Whether it can be read, before anything depends on it. A file that is not there is none to be read. */
export const checkOldLedger = (path: string | undefined): Effect.Effect<void, LedgerUnreadable> =>
  Effect.try({
    try: () => {
      if (path === undefined || !existsSync(path) || !isDatabase(path)) return
      const db = openReadOnly(path)
      try {
        checkTables(db)
      } finally {
        db.close()
      }
    },
    catch: (error) => unreadable(path ?? "", error)
  })

const unreadable = (path: string, error: unknown): LedgerUnreadable =>
  new LedgerUnreadable({ path, problem: error instanceof Error ? error.message : String(error) })

/** Bytes of a ledger's file, and of the log of writes beside a database. */
export const sizeOf = (path: string): number =>
  statSync(path).size + (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0)

/** By its name, or by how it begins: it may be called anything. */
const isDatabase = (path: string): boolean => {
  if (/\.(db|sqlite)$/i.test(path)) return true
  const magic = Buffer.alloc(16)
  const descriptor = openSync(path, "r")
  try {
    readSync(descriptor, magic, 0, magic.length, 0)
  } finally {
    closeSync(descriptor)
  }
  return magic.toString("latin1") === "SQLite format 3\0"
}

/** What has been read so far. */
class Reading {
  readonly ledger: OldLedger
  readonly hash: Hash = createHash("sha256")
  readonly recovered: Array<number> = []
  readonly skipped: Array<number | string> = []
  #ignored = 0

  constructor(now: number) {
    this.ledger = new OldLedger(now)
  }

  note(taken: Taken, place: number | string): void {
    if (taken === "ignored") this.#ignored += 1
    if (taken === "skipped") this.skipped.push(place)
  }

  async result(bytes: number): Promise<ReadLedger> {
    const { recovered, skipped, ledger } = this
    const entries: Array<OldEntry> = []
    for (const entry of ledger.settle()) {
      entries.push(entry)
      if (entries.length % rowsPerSlice === 0) await turn()
    }
    const sha256 = this.hash.digest("hex")
    return { sha256, bytes, entries, decoded: ledger.decoded, ignored: this.#ignored, recovered, skipped }
  }
}

/** Only as far as the file reaches now: a server that still writes it does not keep us. */
const readLines = async (path: string, reading: Reading, signal: AbortSignal): Promise<void> => {
  const { size } = statSync(path)
  let number = 0
  let parts: Array<Buffer> = []
  const takeLine = () => {
    number += 1
    const text = Buffer.concat(parts).toString("utf8")
    parts = []
    if (text.trim() === "") return
    const line = readLine(text)
    if (!line) return void reading.skipped.push(number)
    if (line.isGlued) reading.recovered.push(number)
    for (const entry of line.entries) reading.note(reading.ledger.take(entry), number)
  }
  if (size === 0) return
  for await (const chunk of createReadStream(path, { end: size - 1, signal }) as AsyncIterable<Buffer>) {
    reading.hash.update(chunk)
    let from = 0
    for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, to))
      takeLine()
      from = to + 1
    }
    if (from < chunk.length) parts.push(chunk.subarray(from))
  }
  if (parts.length > 0) takeLine()
}

/** Both tables as of one instant, whatever is written meanwhile. */
const readDatabase = async (path: string, reading: Reading, signal: AbortSignal): Promise<void> => {
  const db = openReadOnly(path)
  try {
    db.exec("BEGIN")
    if (!checkTables(db)) return
    const marks = "SELECT id, json, published_at, inflations FROM pheromones ORDER BY published_at, id"
    for await (const row of rowsOf(db, marks, reading.hash, signal)) {
      const { id, json, published_at: publishedAt, inflations } = row
      const payload = parse(String(json))
      reading.note(reading.ledger.publish(payload, { id, publishedAt, inflations }), String(id))
    }
    const claims = "SELECT id, token, claimed_at FROM claims ORDER BY claimed_at, id"
    for await (const row of rowsOf(db, claims, reading.hash, signal)) {
      reading.note(reading.ledger.claim(row.id, row.token, row.claimed_at), String(row.id))
    }
  } finally {
    db.close()
  }
}

/** False for a database with nothing in it: its server ended before it had begun. */
const checkTables = (db: Database.Database): boolean => {
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()
  if (tables.length === 0) return false
  if (tables.includes("pheromones") && tables.includes("claims")) return true
  throw new Error("it is a database, but none of the old server's: it has no tables pheromones and claims")
}

type Row = { readonly [column: string]: unknown }

async function* rowsOf(
  db: Database.Database,
  sql: string,
  hash: Hash,
  signal: AbortSignal
): AsyncGenerator<Row> {
  let count = 0
  for (const row of db.prepare(sql).iterate() as IterableIterator<Row>) {
    hash.update(`${JSON.stringify(row)}\n`)
    yield row
    count += 1
    if (count % rowsPerSlice === 0) {
      await turn()
      signal.throwIfAborted()
    }
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
