/**
 * A backup is a folder with everything of a workspace that cannot be made again, as of one moment, and a list of it with digests. The
 * hub may run meanwhile; it is only told afterwards. The folder has its name only once it is complete (contracts: hub 3.8).
 */
import { createHash } from "node:crypto"
import {
  closeSync,
  cpSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { dirname, join, resolve } from "node:path"
import { Effect, Schema, Stream } from "effect"
import { copyDatabase, integrityFault } from "../events/copyDatabase.js"
import { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { JournalUnavailable } from "../events/Journal.js"
import * as SqliteStore from "../events/SqliteStore.js"
import { verify } from "../events/verify.js"
import { journalPath } from "./holdLock.js"

const File = Schema.Struct({ path: Schema.String, bytes: Schema.Int, sha256: Schema.String })

/** `backup.json`: what the folder holds, and where the journal stood. */
export const BackupList = Schema.Struct({
  format: Schema.Literal(1),
  journalId: Schema.String,
  offset: Offset,
  headHash: Schema.String,
  takenAt: Schema.String,
  version: Schema.String,
  files: Schema.Array(File)
})
export type BackupList = typeof BackupList.Type

/** It is there already, and nothing is ever written over. */
export class NotEmpty extends Schema.TaggedError<NotEmpty>()("NotEmpty", {
  path: Schema.String,
  fix: Schema.String
}) {
  override get message() {
    return `${this.path} exists already`
  }
}

/** The folder is no whole, unaltered backup. */
export class BackupInvalid extends Schema.TaggedError<BackupInvalid>()("BackupInvalid", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.problem}`
  }
  get fix() {
    return "use another backup"
  }
}

/** Events at the end of the copied chain that are checked. */
const verified = 10_000
const listName = "backup.json"

export interface Backup {
  readonly dir: string
  readonly offset: Offset
  readonly headHash: string
  readonly bytes: number
}

export const backupJournal = (
  { workspace, stateDir }: { readonly workspace: string; readonly stateDir: string },
  target: string,
  version: string
) =>
  Effect.gen(function* () {
    const dir = resolve(target)
    const partial = `${dir}.partial`
    if (existsSync(dir)) return yield* new NotEmpty({ path: dir, fix: "name another folder" })
    // What is left of a backup that was cut short is no backup.
    rmSync(partial, { recursive: true, force: true })
    mkdirSync(partial, { recursive: true, mode: 0o700 })
    for (const database of databasesIn(stateDir)) {
      mkdirSync(dirname(join(partial, database)), { recursive: true, mode: 0o700 })
      yield* copyDatabase(join(stateDir, database), join(partial, database))
    }
    for (const folder of ["archive", "blobs"]) {
      if (existsSync(join(stateDir, folder)))
        cpSync(join(stateDir, folder), join(partial, folder), { recursive: true })
    }
    const settings = join(workspace, "mound.yaml")
    if (existsSync(settings)) cpSync(settings, join(partial, "mound.yaml"))
    const copied = yield* inspect(journalPath(partial))
    const files = yield* listFiles(partial)
    const list: BackupList = {
      format: 1,
      ...copied,
      takenAt: new Date((yield* Effect.clock).unsafeCurrentTimeMillis()).toISOString(),
      version,
      files
    }
    writeFileSync(join(partial, listName), `${JSON.stringify(list, null, 2)}\n`, { mode: 0o600 })
    for (const { path } of [...files, { path: listName }]) syncToDisk(join(partial, path))
    syncToDisk(partial)
    renameSync(partial, dir)
    syncToDisk(dirname(dir))
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    const backup: Backup = { dir, offset: copied.offset, headHash: copied.headHash, bytes }
    return backup
  })

/** Checks a backup against its list and answers with it. */
export const readBackup = (dir: string): Effect.Effect<BackupList, BackupInvalid | JournalUnavailable> =>
  Effect.gen(function* () {
    const invalid = (problem: string) => new BackupInvalid({ path: dir, problem })
    const text = yield* Effect.try({
      try: () => readFileSync(join(dir, listName), "utf8"),
      catch: () => invalid(`has no ${listName}`)
    })
    const list = yield* Schema.decodeUnknown(Schema.parseJson(BackupList))(text).pipe(
      Effect.mapError((error) => invalid(`${listName} is not valid: ${error.message}`))
    )
    for (const { path, sha256 } of list.files) {
      const found = existsSync(join(dir, path)) ? yield* digestOf(join(dir, path)) : "no file"
      if (found !== sha256)
        return yield* invalid(`${path} is not what ${listName} says: ${found}, not ${sha256}`)
    }
    return list
  })

/** SQLite files of a state folder, by their path in it: the journal first. */
const databasesIn = (stateDir: string): ReadonlyArray<string> => {
  const senses = join(stateDir, "senses")
  const ofSenses = existsSync(senses) ? readdirSync(senses).filter((name) => name.endsWith(".db")) : []
  const streams = existsSync(join(stateDir, "streams.db")) ? ["streams.db"] : []
  return ["mound.db", ...streams, ...ofSenses.map((name) => join("senses", name))]
}

/** Where a copied journal stands, once its structure and the end of its chain are found right. */
const inspect = (path: string) =>
  Effect.gen(function* () {
    const fault = yield* integrityFault(path)
    if (fault !== undefined)
      return yield* new JournalUnavailable({ reason: "corrupt", detail: `${path}: ${fault}` })
    const store = yield* SqliteStore.SqliteStore
    const chain = yield* verify(store, { last: verified })
    if (chain.fault) {
      const detail = `${path}: bad at offset ${chain.fault.offset}: ${chain.fault.detail}`
      return yield* new JournalUnavailable({ reason: "corrupt", detail })
    }
    const { offset, hash: headHash } = chain.head
    return { journalId: yield* EventRows.journalId(store), offset, headHash }
  }).pipe(Effect.provide(SqliteStore.layerReadOnly(path)))

const listFiles = (dir: string) =>
  Effect.forEach(
    readdirSync(dir, { recursive: true, encoding: "utf8" })
      .filter((path) => statSync(join(dir, path)).isFile() && !/-(wal|shm)$/.test(path))
      .sort(),
    (path) =>
      Effect.map(digestOf(join(dir, path)), (sha256) => ({
        path,
        bytes: statSync(join(dir, path)).size,
        sha256
      }))
  )

const digestOf = (path: string): Effect.Effect<string, JournalUnavailable> =>
  Stream.fromAsyncIterable(
    createReadStream(path) as AsyncIterable<Buffer>,
    (error) => new JournalUnavailable({ reason: "io", detail: `${path}: ${error}` })
  ).pipe(
    Stream.runFold(createHash("sha256"), (hash, chunk) => hash.update(chunk)),
    Effect.map((hash) => hash.digest("hex"))
  )

const syncToDisk = (path: string): void => {
  const descriptor = openSync(path, "r")
  fsyncSync(descriptor)
  closeSync(descriptor)
}
