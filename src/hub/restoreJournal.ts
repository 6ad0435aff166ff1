/**
 * Makes a journal from a whole export or a backup, in a workspace that has none: verified as it is read, and there only once it is
 * complete. What was leased is revoked, since the world has moved on; the new history has an identity of its own (contracts: hub 3.8).
 */
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync
} from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import * as ActorSystem from "../actors/ActorSystem.js"
import type { ClaimState } from "../actors/claim/ClaimIndex.js"
import { makeClaimKind } from "../actors/claim/claimKind.js"
import * as HubClock from "../actors/HubClock.js"
import { readExport } from "../events/Archive.js"
import { idOf, kindOf } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import type { Agenda } from "../events/Journal.js"
import { randomHex } from "../events/randomHex.js"
import * as Snapshots from "../events/Snapshots.js"
import * as SqliteJournal from "../events/SqliteJournal.js"
import * as SqliteStore from "../events/SqliteStore.js"
import { KnownEvents } from "../events/Upcasters.js"
import { verify } from "../events/verify.js"
import * as SqliteWriter from "../projections/SqliteWriter.js"
import { foldActors } from "../replay/foldActors.js"
import { histories, knownEvents, projections } from "../replay/installed.js"
import { BackupInvalid, type BackupList, NotEmpty, readBackup } from "./backupJournal.js"
import { holdLock, journalPath } from "./holdLock.js"
import { prepareStateDir } from "./preconditions.js"
import { recordingHubKind } from "./recordingHubKind.js"

export interface Restored {
  /** The last offset, with the restore's own events. */
  readonly offset: number
  readonly journalId: string
  readonly revoked: number
}

/** `source` is an exported file or the folder of a backup. */
export const restoreJournal = (stateDir: string, source: string) =>
  Effect.gen(function* () {
    yield* prepareStateDir(stateDir)
    yield* holdLock(stateDir)
    const path = journalPath(stateDir)
    if (existsSync(path))
      return yield* new NotEmpty({ path, fix: "import into another workspace: --workspace DIR" })
    const partial = `${path}.restoring`
    const archive = join(stateDir, "archive")
    const removePartial = Effect.sync(() => {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${partial}${suffix}`, { force: true })
      // Without a journal no segment belongs to one: these are of an attempt that failed.
      rmSync(archive, { recursive: true, force: true })
    })
    yield* removePartial
    // They are part of the journal, and verified with it.
    if (isBackup(source) && existsSync(join(source, "archive"))) {
      cpSync(join(source, "archive"), archive, { recursive: true })
    }
    const restored = yield* Effect.scoped(restoreInto(partial, source)).pipe(
      Effect.tap(() => Effect.sync(() => isBackup(source) && copyCompanions(source, stateDir))),
      Effect.onError(() => removePartial)
    )
    renameSync(partial, path)
    const folder = openSync(stateDir, "r")
    fsyncSync(folder)
    closeSync(folder)
    return restored
  }).pipe(Effect.scoped)

const restoreInto = (path: string, source: string) =>
  Effect.gen(function* () {
    const backup = isBackup(source) ? yield* readBackup(source) : undefined
    if (backup) copyFileSync(journalPath(source), path)
    const opened = yield* Layer.build(SqliteStore.layer(path))
    const store = Context.get(opened, SqliteStore.SqliteStore)
    const { journalId: previousJournalId } = backup
      ? yield* verifyWhole(store, source, backup)
      : yield* readExport(source, (events) => EventRows.copyInto(store, events))
    const leased: Array<string> = []
    const agendas: Array<Agenda> = []
    yield* foldActors(store, histories, knownEvents, (state) => {
      const { stream, deadlines, invocations } = state
      if (deadlines.length + invocations.length > 0) {
        agendas.push({ stream, deadlines, invocations: invocations.map(({ id }) => id) })
      }
      if (kindOf(stream) === "claim" && isLeased(state as ClaimState)) leased.push(idOf(stream))
    })
    yield* store.transaction((connection) => EventRows.replaceAgendas(connection, agendas))
    const head = yield* EventRows.head(store)
    const journalId = yield* randomHex(32)
    yield* EventRows.renewJournalId(store, journalId)

    const built = yield* ActorSystem.layer({ kinds: [recordingHubKind, claimKind] }).pipe(
      Layer.provide(Layer.merge(SqliteJournal.layer, HubClock.layer(head.at))),
      Layer.provide(Layer.merge(Snapshots.layerNone, SqliteWriter.layer(projections))),
      Layer.provide(Layer.succeed(KnownEvents, knownEvents)),
      Layer.provide(Layer.succeedContext(opened)),
      Layer.build
    )
    const system = Context.get(built, ActorSystem.ActorSystem)
    const { offset, hash: headHash } = head
    const restore = { type: "RecordRestore", journalId, previousJournalId, offset, headHash } as const
    yield* Effect.orDie(system.send(recordingHubKind, "", restore, { by: "operator" }))
    const revoke = { type: "RevokeClaim", reason: "journal_restored" } as const
    yield* Effect.forEach(
      leased,
      (id) => Effect.orDie(system.send(claimKind, id, revoke, { by: "operator" })),
      {
        concurrency: 256,
        discard: true
      }
    )
    const restored: Restored = {
      offset: (yield* EventRows.head(store)).offset,
      journalId,
      revoked: leased.length
    }
    return restored
  })

const isBackup = (source: string): boolean => statSync(source).isDirectory()

/** A backup is checked to its first event: its digests say that it was not changed, not that it was sound. */
const verifyWhole = (store: SqliteStore.SqliteStore["Type"], dir: string, backup: BackupList) =>
  Effect.gen(function* () {
    const { fault, head } = yield* verify(store)
    if (fault)
      return yield* new BackupInvalid({
        path: dir,
        problem: `bad at offset ${fault.offset}: ${fault.detail}`
      })
    if (head.offset === backup.offset && head.hash === backup.headHash) return backup
    return yield* new BackupInvalid({
      path: dir,
      problem: `ends at offset ${head.offset}, not ${backup.offset}`
    })
  })

/** What a backup holds beside the journal and the settings: blobs, other databases. */
const copyCompanions = (dir: string, stateDir: string): void => {
  const others = readdirSync(dir).filter(
    (name) => !/^(mound\.db.*|archive|mound\.yaml|backup\.json)$/.test(name)
  )
  for (const name of others) cpSync(join(dir, name), join(stateDir, name), { recursive: true })
}

const isLeased = ({ name, context: { ttlMs, holder } }: ClaimState): boolean =>
  name.startsWith("held.") && (ttlMs !== null || holder?.boundTo !== undefined)

/** Nothing runs while a journal is restored: the kinds are here for their rules. */
const claimKind = makeClaimKind({
  defaultTtlMs: 0,
  defaultGraceMs: 0,
  maxHeldPerPeer: undefined,
  stances: undefined,
  isLive: () => false
})
