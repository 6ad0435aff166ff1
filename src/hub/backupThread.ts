/** The thread that makes one backup: to copy a database takes its thread for as long as it takes. Started by `Backups`. */
import { parentPort, workerData } from "node:worker_threads"
import { Cause, Effect, Exit } from "effect"
import { backupJournal } from "./backupJournal.js"

/** What the thread is to do. */
export interface BackupJob {
  readonly workspace: string
  readonly stateDir: string
  readonly target: string
  readonly version: string
}

const { workspace, stateDir, target, version } = workerData as BackupJob
Effect.runFork(backupJournal({ workspace, stateDir }, target, version)).addObserver((exit) =>
  parentPort?.postMessage(
    Exit.isSuccess(exit) ? { backup: exit.value } : { problem: Cause.pretty(exit.cause) }
  )
)
