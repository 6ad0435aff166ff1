import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeDatabase, queryDatabase } from "../../src/runtimes/readDatabase.js"
import {
  databasePath,
  migrate,
  openOwn,
  openReadOnly,
  readMigrations
} from "../../src/runtimes/senseDatabase.js"
import { type Files, makeWorkspace, writeFiles } from "../support/workspaces.js"

const one = { "m/001-one.sql": "CREATE TABLE one (n INTEGER);" }
const two = { "m/002-two.sql": "CREATE TABLE two (n INTEGER);" }

describe("a sense's database", () => {
  const inFolder = (name: string, files: Files, body: (folder: string) => void) =>
    it.scoped(name, () => Effect.map(makeWorkspace(files), body))
  const apply = (folder: string, now = 1) => {
    const db = openOwn(folder, "a")
    try {
      return migrate(db, readMigrations(join(folder, "m")), now)
    } finally {
      db.close()
    }
  }
  const tables = (folder: string) =>
    describeDatabase(databasePath(folder, "a")).map((sql) => sql.split(" ")[2])

  inFolder("waits for others, keeps foreign keys, and lets readers read", {}, (folder) => {
    const db = openOwn(folder, "a")
    expect([
      db.pragma("journal_mode", { simple: true }),
      db.pragma("foreign_keys", { simple: true })
    ]).toEqual(["wal", 1])
    db.close()
  })

  inFolder("is migrated file by file, each once", { ...two, ...one }, (folder) => {
    expect(apply(folder).applied).toEqual(["001-one.sql", "002-two.sql"])
    expect(apply(folder).applied).toEqual([])
    writeFiles(folder, { "m/003.sql": "CREATE TABLE three (n);" })
    expect(apply(folder).applied).toEqual(["003.sql"])
    expect(tables(folder)).toEqual(["one", "three", "two"])
  })

  inFolder("refuses an applied file that has changed, and touches nothing", one, (folder) => {
    apply(folder)
    writeFiles(folder, { "m/001-one.sql": "CREATE TABLE other (n);", ...two })
    expect(() => apply(folder)).toThrow("migration_changed: 001-one.sql")
    expect(tables(folder)).toEqual(["one"])
  })

  inFolder("refuses a new file that sorts before an applied one", two, (folder) => {
    apply(folder)
    writeFiles(folder, one)
    expect(() => apply(folder)).toThrow("migration_out_of_order: 001-one.sql")
    expect(tables(folder)).toEqual(["two"])
  })

  inFolder(
    "takes a file back that fails half-way",
    { ...one, "m/002.sql": "CREATE TABLE x (n); nonsense" },
    (folder) => {
      expect(() => apply(folder)).toThrow('002.sql: near "nonsense"')
      expect(tables(folder)).toEqual(["one"])
    }
  )

  inFolder("names an applied file that is missing", { ...one, ...two }, (folder) => {
    apply(folder)
    const db = openOwn(folder, "a")
    expect(migrate(db, readMigrations(join(folder, "m")).slice(0, 1), 1).missing).toEqual(["002-two.sql"])
    db.close()
  })

  inFolder("takes over what the old system's tool has applied", one, (folder) => {
    const hash = createHash("sha256").update(one["m/001-one.sql"]).digest("hex")
    const db = openOwn(folder, "a")
    db.exec("CREATE TABLE one (n INTEGER); CREATE TABLE __drizzle_migrations (id, hash, created_at)")
    db.prepare("INSERT INTO __drizzle_migrations VALUES (1, ?, 0)").run(hash)
    expect(migrate(db, readMigrations(join(folder, "m")), 1).applied).toEqual(["001-one.sql"])
    db.close()
    expect(apply(folder).applied).toEqual([])
  })

  inFolder("cannot be written to by readers, in any way", one, (folder) => {
    apply(folder)
    const path = databasePath(folder, "a")
    const peer = openReadOnly(path)
    expect(peer.pragma("query_only", { simple: true })).toBe(1)
    for (const sql of [
      "INSERT INTO one VALUES (1)",
      "CREATE TABLE x (n)",
      `ATTACH '${folder}/senses/b.db' AS b; CREATE TABLE b.x (n)`
    ]) {
      expect(() => peer.exec(sql)).toThrow()
    }
    peer.close()
    for (const sql of ["DELETE FROM one RETURNING n", `VACUUM INTO '${folder}/copy.db'`]) {
      expect(() => queryDatabase(path, sql, 10)).toThrow("only a statement that reads is allowed")
    }
    expect(() => queryDatabase(path, "SELECT 1; SELECT 2", 10)).toThrow("more than one statement")
    expect([existsSync(join(folder, "copy.db")), existsSync(join(folder, "senses/b.db"))]).toEqual([
      false,
      false
    ])
    expect(queryDatabase(path, "SELECT value FROM json_each('[1,2,3]')", 2)).toEqual([
      { value: 1 },
      { value: 2 }
    ])
  })
})
