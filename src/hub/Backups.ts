/**
 * Backs a workspace up by itself, where the settings say how often, and keeps the newest ones (contracts: hub 3.8). When the last one
 * was taken stands in the journal, so a restart neither forgets a backup nor makes one too many.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { Effect, Schema } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubKind, HubState } from "../actors/hub/hubKind.js"
import type { Settings } from "../config/Settings.js"
import type { Tracing } from "../http/Tracing.js"
import type { Backup } from "./backupJournal.js"
import type { BackupJob } from "./backupThread.js"

/** It could not be made. */
export class BackupFailed extends Schema.TaggedError<BackupFailed>()("BackupFailed", {
  problem: Schema.String
}) {}

/** Makes one backup. */
export type TakeBackup = (job: BackupJob) => Effect.Effect<Backup, BackupFailed>

export interface BackupServices {
  readonly system: ActorSystem["Type"]
  readonly hubKind: HubKind
  readonly hub: () => HubState
  readonly settings: Settings
  readonly tracing: Tracing
  readonly version: string
  readonly now: () => number
  readonly take: TakeBackup
}

/** How often it is looked whether one is due, and when one that failed is tried again, ms. */
const lookMs = 1_000
const againMs = 60_000

export const backupFolder = (stateDir: string): string => join(stateDir, "backups")

/** Never ends; takes what is due. */
export const scheduleBackups = (services: BackupServices, everyMs: number): Effect.Effect<never> => {
  const { hub, now } = services
  const isDue = () => now() - (hub().context.lastBackup?.at ?? Number.NEGATIVE_INFINITY) >= everyMs
  const round = Effect.suspend(() => (isDue() ? backUp(services) : Effect.void)).pipe(
    Effect.zipRight(Effect.sleep(lookMs)),
    Effect.catchAll(({ problem }) =>
      Effect.zipRight(Effect.logWarning(`backup: ${problem}`), Effect.sleep(againMs))
    )
  )
  return Effect.forever(round)
}

const backUp = ({ system, hubKind, settings, tracing, version, now, take }: BackupServices) =>
  Effect.gen(function* () {
    const { workspace, stateDir } = settings
    const folder = backupFolder(stateDir)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const startedAt = now()
    const target = join(folder, nameAt(startedAt))
    const backup = yield* tracing.span("journal.backup", take({ workspace, stateDir, target, version }))
    const tookMs = now() - startedAt
    yield* Effect.mapError(
      system.send(hubKind, "", { type: "RecordBackup", ...backup, tookMs }, { by: "hub" }),
      ({ reason }) => new BackupFailed({ problem: `it was taken, and cannot be recorded: ${reason._tag}` })
    )
    prune(folder, settings["journal.backup_keep"])
  }).pipe(Effect.catchAllDefect((error) => new BackupFailed({ problem: String(error) })))

const nameAt = (at: number): string => new Date(at).toISOString().replaceAll(":", "-")
/** Only what was made here by itself is ever removed; what is left of one that was cut short is no backup. */
const ownName = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z(\.partial)?$/

const prune = (folder: string, keep: number): void => {
  const own = readdirSync(folder).filter((name) => ownName.test(name))
  const whole = own.filter(
    (name) => existsSync(join(folder, name, "backup.json")) && !name.endsWith(".partial")
  )
  const kept = new Set(whole.sort().slice(-keep))
  for (const name of own.filter((each) => !kept.has(each)))
    rmSync(join(folder, name), { recursive: true, force: true })
}

/** On a thread of its own, which ends with whoever waits for it. */
export const takeOnThread =
  (program = new URL("./backupThread.js", import.meta.url)): TakeBackup =>
  (job) =>
    Effect.async((resume) => {
      const worker = new Worker(program, { workerData: job, execArgv: [] })
      worker.on("message", (said: { readonly backup: Backup } | { readonly problem: string }) =>
        resume("backup" in said ? Effect.succeed(said.backup) : new BackupFailed({ problem: said.problem }))
      )
      worker.on("error", (error) => resume(new BackupFailed({ problem: error.message })))
      worker.on("exit", (code) => resume(new BackupFailed({ problem: `its thread ended with code ${code}` })))
      return Effect.promise(() => worker.terminate())
    })
