/**
 * `server.mjs`: the hub as the old ledger's clients start its server, with the same variables, words and exit codes (contracts: ledger
 * 6.1). The process itself is the hub, so that whoever spawned it can end it by a signal.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Cause, Effect, Exit, type Scope } from "effect"
import { loadWorkspace } from "../config/loadWorkspace.js"
import { environment, workingDirectory } from "../config/process.js"
import type { Environment } from "../config/Settings.js"
import { journalPath } from "../hub/holdLock.js"
import { warningLines } from "../hub/moduleWarnings.js"
import { startHub } from "../hub/startHub.js"
import { version } from "../version.js"
import { type CliFailure, failed, toCliFailure, usage } from "./CliFailure.js"
import { stopOnSignals } from "./foreground.js"
import { say } from "./output.js"

const defaultPort = "3847"

/** The whole life of the process; its exit code is the hub's. */
export const runDropIn = (): void => {
  process.umask(0o077)
  // Whoever spawned it may not listen, or be gone.
  process.stderr.on("error", () => {})
  Effect.runFork(Effect.scoped(serve)).addObserver((exit) =>
    process.exit(Exit.isSuccess(exit) ? 0 : report(toCliFailure(Cause.squash(exit.cause))))
  )
}

const serve = Effect.gen(function* () {
  const port = yield* portFrom(environment)
  const { workspace, stateDir, isLasting, more } = yield* placeFrom(environment)
  const loaded = yield* loadWorkspace({
    workspace,
    environment: { ...environment, ...more, MOUND_DIR: stateDir },
    flags: { "http.host": "127.0.0.1", ...(port !== undefined && { "http.port": port }) }
  })
  const { settings } = loaded
  yield* Effect.forEach(warningLines(workspace, loaded), (line) => say(`sbp: ${line}`), { discard: true })
  const hub = yield* startHub(settings, version, {
    isLasting,
    onBound: (bound) => stopOnSignals(bound, settings["hub.drain_timeout"])
  })
  yield* say(`sbp listening ${hub.port}${isLasting ? ` sqlite=${journalPath(stateDir)}` : ""}`)
  const { clean } = yield* hub.stopped
  if (!clean) return yield* failed("CutShort", "stopped before everything had ended")
})

/** Undefined where Mound's own variable names the port. */
const portFrom = ({ PORT, MOUND_PORT }: Environment): Effect.Effect<string | undefined, CliFailure> => {
  if (MOUND_PORT?.trim()) return Effect.succeed(undefined)
  const port = PORT?.trim() || defaultPort
  return /^\d{1,5}$/.test(port) && Number(port) <= 65_535 ? Effect.succeed(port) : usage("invalid PORT")
}

/** Where the hub keeps its state, and what it imports. */
interface Place {
  readonly workspace: string
  readonly stateDir: string
  /** False for a ledger in memory, as the old server's was when it was told of no file. */
  readonly isLasting: boolean
  readonly more?: Environment
}

const placeFrom = (variables: Environment): Effect.Effect<Place, CliFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const read = (name: string) => variables[name]?.trim() || undefined
    const named = read("STIGMERGY_WORKTREE")
    const worktree = named === undefined ? undefined : resolve(workingDirectory, named)
    const file = read("SBP_LEDGER_JSONL") ?? read("SBP_LEDGER_SQLITE")
    if (file !== undefined) {
      const stateDir = `${resolve(workingDirectory, file)}.mound`
      return { workspace: worktree ?? stateDir, stateDir, isLasting: true }
    }
    if (read("SBP_SUPERVISED") === "1") {
      if (worktree === undefined) {
        return yield* usage(
          "SBP_SUPERVISED=1 requires STIGMERGY_WORKTREE, SBP_LEDGER_SQLITE or SBP_LEDGER_JSONL"
        )
      }
      const old = join(worktree, ".stigmergy", "ledger.db")
      const more = { SBP_LEDGER_SQLITE: old }
      return { workspace: worktree, stateDir: join(worktree, ".mound"), isLasting: true, more }
    }
    const stateDir = yield* temporaryFolder
    return { workspace: worktree ?? stateDir, stateDir, isLasting: false }
  })

/** Gone with the process that ends in good order. */
const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "mound-memory-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Says why, in the old server's words where it had some, and answers with the exit code. */
const report = ({ tag, message, fix, exitCode }: CliFailure): number => {
  const words = tag === "Locked" ? "ledger locked" : message
  process.stderr.write(`sbp: ${words}\n${fix === undefined || tag === "Locked" ? "" : `fix: ${fix}\n`}`)
  return exitCode
}
