/**
 * A sense's own SQLite database, opened by its worker alone, and those of others, read-only. Its schema is made by plain SQL files, each
 * applied once and in order (contracts: senses and workflows 2.3).
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import Database from "better-sqlite3"

const busyMs = 5_000

export const databasePath = (stateDir: string, sense: string): string =>
  join(stateDir, "senses", `${sense}.db`)

/** The migrations cannot be applied; the database is as it was before the one that fails. */
export class MigrationFailed extends Error {
  override readonly name = "MigrationFailed"
}

/** Opens a sense's database, making it if need be. */
export const openOwn = (stateDir: string, sense: string): Database.Database => {
  mkdirSync(join(stateDir, "senses"), { recursive: true, mode: 0o700 })
  const db = new Database(databasePath(stateDir, sense), { timeout: busyMs })
  db.pragma("journal_mode = WAL")
  db.pragma("foreign_keys = ON")
  return db
}

/** Opens a database that nothing may be written to, nor to any that is attached to it. */
export const openReadOnly = (path: string): Database.Database => {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: busyMs })
  db.pragma("query_only = ON")
  return db
}

/** The databases of other senses by name, each opened when it is first asked for; absent while there is no file. */
export const peersOf = (stateDir: string, sense: string): { readonly [peer: string]: Database.Database } => {
  const peers: { readonly [peer: string]: Database.Database } = {}
  const files = existsSync(join(stateDir, "senses")) ? readdirSync(join(stateDir, "senses")) : []
  for (const file of files.filter((each) => each.endsWith(".db") && each !== `${sense}.db`)) {
    let opened: Database.Database | undefined
    Object.defineProperty(peers, basename(file, ".db"), {
      enumerable: true,
      get: () => {
        opened ??= openReadOnly(join(stateDir, "senses", file))
        return opened
      }
    })
  }
  return peers
}

interface Migration {
  readonly file: string
  readonly sql: string
  readonly sha256: string
}

/** Whether a sense has any migrations. */
export const readMigrations = (folder: string): ReadonlyArray<Migration> => {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql"))
  return files.sort(inByteOrder).map((file) => {
    const bytes = readFileSync(join(folder, file))
    return { file, sql: bytes.toString("utf8"), sha256: createHash("sha256").update(bytes).digest("hex") }
  })
}

const inByteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** Applies what is new, each file in one transaction; answers which, and says what is missing. */
export const migrate = (
  db: Database.Database,
  migrations: ReadonlyArray<Migration>,
  now: number
): { readonly applied: ReadonlyArray<string>; readonly missing: ReadonlyArray<string> } => {
  const known = appliedIn(db)
  const last = [...known.keys()].sort(inByteOrder).at(-1)
  const isKnown = ({ file, sha256 }: Migration): boolean => {
    const recorded = known.get(file)
    if (recorded !== undefined && recorded !== sha256) {
      throw new MigrationFailed(`migration_changed: ${file} was applied and has other bytes now`)
    }
    return recorded !== undefined
  }
  const fresh = migrations.filter((migration) => !isKnown(migration))
  const late = fresh.find(({ file }) => last !== undefined && inByteOrder(file, last) < 0)
  if (late) throw new MigrationFailed(`migration_out_of_order: ${late.file} is new and sorts before ${last}`)
  if (fresh.length > 0) db.exec(makeTable)
  for (const migration of fresh) apply(db, migration, now)
  const present = new Set(migrations.map(({ file }) => file))
  return {
    applied: fresh.map(({ file }) => file),
    missing: [...known.keys()].filter((file) => !present.has(file))
  }
}

const makeTable = `CREATE TABLE IF NOT EXISTS _migrations (
  file TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL
) STRICT`

const appliedIn = (db: Database.Database): ReadonlyMap<string, string> => {
  if (!hasTable(db, "_migrations")) return new Map()
  const rows = db.prepare("SELECT file, sha256 FROM _migrations").all() as ReadonlyArray<{
    readonly file: string
    readonly sha256: string
  }>
  return new Map(rows.map(({ file, sha256 }) => [file, sha256]))
}

/** What the old system's tool has applied is applied: it noted the digest of each file. */
const isAppliedByOld = (db: Database.Database, { sha256 }: Migration): boolean =>
  hasTable(db, "__drizzle_migrations") &&
  db.prepare("SELECT 1 FROM __drizzle_migrations WHERE hash = ?").get(sha256) !== undefined

const hasTable = (db: Database.Database, name: string): boolean =>
  db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined

const apply = (db: Database.Database, migration: Migration, now: number): void => {
  try {
    db.transaction(() => {
      if (!isAppliedByOld(db, migration)) db.exec(migration.sql)
      db.prepare("INSERT INTO _migrations (file, sha256, applied_at) VALUES (?, ?, ?)").run(
        migration.file,
        migration.sha256,
        now
      )
    })()
  } catch (error) {
    throw new MigrationFailed(`${migration.file}: ${error instanceof Error ? error.message : error}`)
  }
}
