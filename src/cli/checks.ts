/** What `mound doctor` looks at: each check says how it is and, if something is wrong, what to do. None of them writes anything. */
import { existsSync, statfsSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Option } from "effect"
import { loadWorkspace } from "../config/loadWorkspace.js"
import { environment } from "../config/process.js"
import type { Settings } from "../config/Settings.js"
import { checkSegments } from "../events/checkSegments.js"
import * as EventRows from "../events/EventRows.js"
import { currentFormat } from "../events/migrations.js"
import * as SqliteStore from "../events/SqliteStore.js"
import { type Verification, verify } from "../events/verify.js"
import { type Discovery, discoverHub } from "../hub/discoverHub.js"
import { journalPath } from "../hub/holdLock.js"
import { readHubFile } from "../hub/hubFile.js"
import { warningLines } from "../hub/moduleWarnings.js"
import { histories, knownEvents, projections } from "../replay/installed.js"
import { replay } from "../replay/replay.js"
import { span } from "./output.js"
import { tokensFinding } from "./tokenFiles.js"

export type Level = "OK" | "INFO" | "WARN" | "FAIL"

export interface Finding {
  readonly level: Level
  readonly text: string
  readonly fix?: string | undefined
}

export interface Check {
  readonly name: string
  readonly look: Effect.Effect<Finding>
}

export interface Place {
  readonly workspace: string
  readonly stateDir: string
  /** The whole chain and every digest, not only the end. */
  readonly isDeep: boolean
}

const MiB = 1_048_576
const dayMs = 86_400_000
const tail = 10_000

const finding = (level: Level, text: string, fix?: string): Finding => ({ level, text, fix })
const ok = (text: string): Finding => finding("OK", text)

/** All checks, in the order in which they are told. One that fails keeps no other from running. */
export const checksOf = (place: Place): ReadonlyArray<Check> => {
  const { workspace, stateDir } = place
  const loaded = loadWorkspace({ workspace, environment })
  const found = discoverHub(stateDir)
  return [
    { name: "node", look: Effect.sync(node) },
    { name: "workspace", look: Effect.succeed(ok(workspace)) },
    {
      name: "settings",
      look: Effect.match(loaded, {
        onSuccess: (loaded) => {
          const warnings = warningLines(workspace, loaded)
          return warnings.length === 0 ? ok("valid") : finding("WARN", warnings.join("; "))
        },
        onFailure: ({ message }) => finding("FAIL", message, "edit mound.yaml or the variable that is named")
      })
    },
    { name: "state folder", look: Effect.sync(() => stateFolder(stateDir)) },
    { name: "file system", look: Effect.sync(() => fileSystem(stateDir, workspace)) },
    { name: "disk", look: Effect.sync(() => disk(existsSync(stateDir) ? stateDir : workspace)) },
    { name: "hub", look: Effect.map(found, (discovery) => hub(discovery, stateDir)) },
    { name: "journal", look: journal(place) },
    { name: "archive", look: archive(stateDir) },
    { name: "write-ahead log", look: Effect.sync(() => writeAheadLog(stateDir)) },
    { name: "clock", look: clock(stateDir) },
    { name: "backup", look: backup(stateDir) },
    {
      name: "access",
      look: Effect.match(loaded, {
        onSuccess: ({ settings }) => access(settings),
        onFailure: () => finding("INFO", "not known")
      })
    },
    {
      name: "tokens",
      look: Effect.matchEffect(loaded, {
        onSuccess: ({ settings }) => tokensFinding(settings),
        onFailure: () => Effect.succeed(finding("INFO", "not known"))
      })
    },
    ...(place.isDeep ? [{ name: "replay", look: replayed(stateDir) }] : [])
  ]
}

const node = (): Finding => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  const isEnough = major > 20 || (major === 20 && minor >= 19)
  return isEnough ? ok(process.version) : finding("FAIL", process.version, "install Node 20.19 or newer")
}

const stateFolder = (stateDir: string): Finding => {
  const stats = statSync(stateDir, { throwIfNoEntry: false })
  if (!stats) return finding("INFO", `${stateDir} is not there yet`, "mound start")
  if (stats.uid !== process.getuid?.()) {
    return finding("FAIL", `${stateDir} belongs to user ${stats.uid}`, "run this as that user")
  }
  const mode = (stats.mode & 0o777).toString(8)
  return mode === "700"
    ? ok(`${stateDir}, mode 700`)
    : finding("WARN", `${stateDir} has mode ${mode}`, `chmod 700 ${stateDir}`)
}

/** Magic numbers of file systems on which locks lie: NFS, SMB, CIFS, SMB 2, FUSE. */
const networks: ReadonlySet<number> = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546])

const fileSystem = (stateDir: string, workspace: string): Finding => {
  const { type } = statfsSync(existsSync(stateDir) ? stateDir : workspace)
  return networks.has(type)
    ? finding(
        "FAIL",
        "the state folder is on a network or user-space file system",
        "move the workspace to a local disk"
      )
    : ok(`local (type 0x${type.toString(16)})`)
}

const disk = (path: string): Finding => {
  const { bavail, bsize } = statfsSync(path)
  const free = Math.floor((bavail * bsize) / MiB)
  const text = `${free} MiB free`
  if (free < 64) return finding("FAIL", text, "free some disk space: the journal takes no writes")
  return free < 1_024 ? finding("WARN", text, "free some disk space") : ok(text)
}

const hub = (found: Discovery, stateDir: string): Finding => {
  switch (found.result) {
    case "running":
      return ok(`${found.state} at ${found.hub.url}, pid ${found.hub.pid}`)
    case "unreachable":
      return finding(
        "FAIL",
        "a process holds the workspace and does not answer",
        "mound logs --err; mound stop --force"
      )
    case "stopped":
      return readHubFile(stateDir)
        ? finding("INFO", "not running; it did not stop by itself the last time", "mound start")
        : finding("INFO", "not running", "mound start")
  }
}

type Store = SqliteStore.SqliteStore["Type"]

/** Looks at the journal, if there is one that can be opened. */
const inStore = (
  stateDir: string,
  look: (store: Store) => Effect.Effect<Finding, unknown>
): Effect.Effect<Finding> => {
  const path = journalPath(stateDir)
  if (!existsSync(path)) return Effect.succeed(finding("INFO", "no journal yet"))
  return Effect.flatMap(SqliteStore.SqliteStore, look).pipe(
    Effect.provide(SqliteStore.layerMoment(path)),
    Effect.catchAllCause((cause) =>
      Effect.succeed(finding("FAIL", `${path}: ${cause}`, "restore a backup: journal import DIR"))
    )
  )
}

const journal = ({ stateDir, isDeep }: Place): Effect.Effect<Finding> =>
  inStore(stateDir, (store) =>
    Effect.map(verify(store, isDeep ? {} : { last: tail }), ({ fault, head }: Verification) => {
      const size = Math.ceil((statSync(journalPath(stateDir)).size ?? 0) / MiB)
      const range = isDeep ? "whole chain" : `last ${Math.min(tail, head.offset)}`
      return fault
        ? finding(
            "FAIL",
            `bad at offset ${fault.offset}: ${fault.detail}`,
            "restore a backup: journal import DIR"
          )
        : ok(`${head.offset} events, ${size} MiB, format ${currentFormat}, ${range} verified`)
    })
  )

const archive = (stateDir: string): Effect.Effect<Finding> =>
  inStore(stateDir, (store) =>
    Effect.map(checkSegments(store), ({ segments, toOffset, fault }) => {
      if (fault !== undefined)
        return finding("FAIL", fault, `put that file back from a backup, into ${join(stateDir, "archive")}`)
      return ok(segments === 0 ? "nothing is archived" : `${segments} files, up to offset ${toOffset}`)
    })
  )

const replayed = (stateDir: string): Effect.Effect<Finding> =>
  inStore(stateDir, (store) =>
    Effect.gen(function* () {
      const { offset: upTo } = yield* EventRows.head(store)
      const { divergences, differences } = yield* replay(store, {
        histories,
        known: knownEvents,
        projections,
        upTo,
        from: undefined,
        compare: true,
        onProgress: () => {}
      })
      const [first] = divergences
      if (first)
        return finding("FAIL", `offset ${first.offset} of ${first.stream} does not fold`, "journal replay")
      return differences.length === 0
        ? ok("every event folds, every row is what the journal makes it")
        : finding("FAIL", "live rows are not what the journal makes them", "journal rebuild")
    })
  )

const writeAheadLog = (stateDir: string): Finding => {
  const bytes = statSync(`${journalPath(stateDir)}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const text = `${Math.ceil(bytes / MiB)} MiB`
  return bytes > 256 * MiB
    ? finding("WARN", text, "a reader holds an old view open: end long `journal` verbs")
    : ok(text)
}

const clock = (stateDir: string): Effect.Effect<Finding> =>
  inStore(stateDir, (store) =>
    Effect.gen(function* () {
      const { at } = yield* EventRows.head(store)
      const ahead = at - (yield* Effect.clock).unsafeCurrentTimeMillis()
      return ahead > 2_000
        ? finding(
            "WARN",
            `the journal's newest event is ${span(ahead)} ahead of this machine's clock`,
            "set the clock"
          )
        : ok("not behind the journal")
    })
  )

const backup = (stateDir: string): Effect.Effect<Finding> =>
  inStore(stateDir, (store) =>
    Effect.gen(function* () {
      const taken = Option.fromNullable(yield* EventRows.newestOfType(store, "BackupTaken"))
      if (Option.isNone(taken)) return finding("INFO", "none was taken yet", "journal backup DIR")
      const { at, data } = taken.value
      const age = (yield* Effect.clock).unsafeCurrentTimeMillis() - at
      const text = `${span(age)} old, in ${String(data.dir)}`
      return age > 7 * dayMs ? finding("WARN", text, "journal backup DIR") : ok(text)
    })
  )

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"])

const access = ({ "http.host": host }: Settings): Finding =>
  loopback.has(host)
    ? ok(`on ${host} only`)
    : finding(
        "WARN",
        `reachable at ${host}, in plain text`,
        "put a proxy with TLS before it, or go back to 127.0.0.1"
      )
