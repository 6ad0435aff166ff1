/**
 * Imports old ledgers, on request and at start, and notices when one is still written afterwards (contracts: ledger 6.2). The content
 * names the import: killed half-way it is taken up where it was, and the same content again changes nothing.
 */
import { statSync } from "node:fs"
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { ClaimReason } from "../actors/claim/ClaimRefusal.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import type { ImportReport } from "../actors/hub/HubEvent.js"
import type { HubReason } from "../actors/hub/HubRefusal.js"
import type { HubKind, HubState } from "../actors/hub/hubKind.js"
import type { Refused } from "../actors/Refused.js"
import type { Settings } from "../config/Settings.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { slicesOf } from "../events/slicesOf.js"
import { knownClaims } from "../projections/claimQueries.js"
import type { Projector } from "../projections/Projector.js"
import type { OldEntry } from "../runtimes/OldLedger.js"
import { type LedgerUnreadable, type ReadLedger, readOldLedger, sizeOf } from "../runtimes/readOldLedger.js"

export interface ImporterServices {
  readonly system: ActorSystem["Type"]
  readonly claimKind: ClaimKind
  readonly hubKind: HubKind
  readonly hub: () => HubState
  readonly journal: Journal["Type"]
  readonly projector: Projector["Type"]
  readonly now: () => number
  readonly settings: Settings
}

export interface Import {
  readonly path: string
  /** Nothing is appended: it is only said what would be. */
  readonly isDryRun: boolean
  /** Who asked for it. */
  readonly by: string
}

export type ImportFailure = LedgerUnreadable | Refused<ClaimReason | HubReason> | JournalUnavailable

/**
 * Entries that are sent together, and how many times that may be under way: while one batch is committed the next is decided. With at
 * most two events each no commit holds more than a thousand of them.
 */
const batchSize = 125
const batchesUnderWay = 2
const lookEveryMs = 5_000

export const makeLedgerImporter = (services: ImporterServices) => {
  const { system, claimKind, hubKind, hub, journal, projector, now, settings } = services
  /** Old ledgers that have changed since their import, and when that was seen. */
  const written = new Map<string, number>()
  /** How each looked when its content was last read. */
  const seen = new Map<string, string | undefined>()

  /** The report of an import that was finished before, whatever its file was called. */
  const reportOf = (commandId: string) =>
    Effect.map(journal.byCommands([commandId]), ([event]) => event?.data.report as ImportReport | undefined)

  const append = (ledger: ReadLedger, { path, by }: Import): Effect.Effect<ImportReport, ImportFailure> =>
    Effect.gen(function* () {
      const { sha256, bytes, entries } = ledger
      const counts = new Counts()
      yield* Effect.forEach(
        slicesOf(entries, batchSize),
        (batch, number) => {
          // Whoever asked, these are the same commands: another may take up what was interrupted.
          const commands = batch.map(({ id, record, publishedAt, claim }, index) => ({
            id,
            command: { type: "ImportClaim", record, publishedAt, claim } as const,
            commandId: `import:${sha256}:${number * batchSize + index}`
          }))
          return Effect.map(system.sendAll(claimKind, commands, "hub"), (outcomes) => {
            for (const [index, { events }] of outcomes.entries()) {
              counts.take(batch[index] as OldEntry, events.length > 0)
            }
          })
        },
        { concurrency: batchesUnderWay, discard: true }
      )
      const report = reportFrom(ledger, counts)
      const record = { type: "RecordImport", path, sha256, bytes, report } as const
      yield* system.send(hubKind, "", record, { by, commandId: `import:${sha256}` }).pipe(
        // Somebody else has just imported the same.
        Effect.catchIf(
          ({ reason }) => reason._tag === "CommandIdReused",
          () => Effect.void
        )
      )
      return report
    })

  const run = (asked: Import): Effect.Effect<ImportReport, ImportFailure> =>
    Effect.gen(function* () {
      const { path, isDryRun } = asked
      const looks = fingerprint(path)
      const ledger = yield* readOldLedger(path, now())
      seen.set(path, looks)
      const done = yield* reportOf(`import:${ledger.sha256}`)
      written.delete(path)
      if (done) return done
      if (!isDryRun) return yield* append(ledger, asked)
      const known = yield* knownClaims(
        projector.read,
        ledger.entries.map(({ id }) => id)
      )
      const counts = new Counts()
      for (const entry of ledger.entries) counts.take(entry, !known.has(entry.id))
      return reportFrom(ledger, counts)
    })

  const lookAt = ([path, sha256]: readonly [string, string]) =>
    Effect.gen(function* () {
      const looks = fingerprint(path)
      if (looks === undefined || written.has(path) || seen.get(path) === looks) return
      const { sha256: current } = yield* readOldLedger(path, now())
      if (current !== sha256) written.set(path, now())
      seen.set(path, looks)
    }).pipe(Effect.ignore)

  const look = Effect.suspend(() =>
    Effect.forEach(Object.entries(hub().context.imported), lookAt, { discard: true })
  )

  return {
    /** One import now; with `isDryRun` it only says what it would come to. */
    run,
    /** The configured ledger, if there is a file of it. */
    atStart: Effect.suspend((): Effect.Effect<void, ImportFailure> => {
      const path = settings["ledger.import"]
      const exists = path !== undefined && statSync(path, { throwIfNoEntry: false }) !== undefined
      return exists ? Effect.asVoid(run({ path, isDryRun: false, by: "hub" })) : Effect.void
    }),
    /** Looks whether an imported ledger is still written; `watch` does so again and again, for ever. */
    look,
    watch: Effect.forever(Effect.zipRight(look, Effect.sleep(lookEveryMs))),
    /** What is imported and still written: claims that are made there are not known here. */
    stillWritten: (): ReadonlyArray<{ readonly path: string; readonly since: number }> =>
      [...written].map(([path, since]) => ({ path, since }))
  }
}

export type LedgerImporter = ReturnType<typeof makeLedgerImporter>

/** What has become of entries so far. */
class Counts {
  pheromones = 0
  claims = 0
  /** Ids that have a history here from elsewhere. */
  existing = 0

  take({ record, claim }: OldEntry, isTaken: boolean): void {
    if (!isTaken) this.existing += 1
    if (isTaken && record !== undefined) this.pheromones += 1
    if (isTaken && claim !== undefined) this.claims += 1
  }
}

const reportFrom = (
  { decoded, ignored, recovered, skipped }: ReadLedger,
  { pheromones, claims, existing }: Counts
): ImportReport => ({ pheromones, claims, decoded, existing, ignored, recovered, skipped })

/** Changes with every write; undefined while there is no file. */
const fingerprint = (path: string): string | undefined => {
  const stat = statSync(path, { throwIfNoEntry: false })
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })
  return stat && `${sizeOf(path)} ${stat.mtimeMs} ${log?.mtimeMs}`
}
