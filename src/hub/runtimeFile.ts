/**
 * The file by which clients of the old ledger find a server: written once the hub is ready, removed when it ends if it still names this
 * process (contracts: hub 2, ledger 6.1).
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { Effect, type Scope } from "effect"
import type { Settings } from "../config/Settings.js"
import { StartPrecondition } from "./StartFailure.js"

/** The configured file, or the plugin's own place where that is in use; undefined for none. */
const pathFrom = ({ "ledger.runtime_file": named, workspace }: Settings): string | undefined => {
  if (named !== undefined) return resolve(named)
  const folder = join(workspace, ".stigmergy")
  return existsSync(folder) ? join(folder, "runtime.json") : undefined
}

export const announceRuntime = (
  settings: Settings,
  { port, now }: { readonly port: number; readonly now: number }
): Effect.Effect<void, StartPrecondition, Scope.Scope> =>
  Effect.suspend(() => {
    const path = pathFrom(settings)
    if (path === undefined) return Effect.void
    const write = Effect.try({
      try: () => writeWhole(path, port, now),
      catch: (error) =>
        new StartPrecondition({
          code: "runtime_file",
          problem: `the runtime file ${path} cannot be written: ${error}`,
          fix: "make its folder writable, or name another: ledger.runtime_file, MOUND_RUNTIME_FILE or SBP_RUNTIME_FILE"
        })
    })
    return Effect.acquireRelease(write, () => Effect.sync(() => removeOwn(path)))
  })

/** By rename: a reader finds the old one or the new one, whole. */
const writeWhole = (path: string, port: number, now: number): void => {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.tmp`
  const startedAt = new Date(now).toISOString()
  writeFileSync(
    temporary,
    JSON.stringify({ url: `http://127.0.0.1:${port}`, port, pid: process.pid, startedAt })
  )
  renameSync(temporary, path)
}

/** Another server may have written its own meanwhile. */
const removeOwn = (path: string): void => {
  try {
    const { pid } = JSON.parse(readFileSync(path, "utf8")) as { readonly pid?: unknown }
    if (pid === process.pid) rmSync(path, { force: true })
  } catch {
    // There is none any more, or none of ours.
  }
}
