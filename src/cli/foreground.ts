/** Runs a hub in this process until it has stopped (contracts: hub 3.4): the whole of `dev` and of `start --foreground`. */
import { existsSync } from "node:fs"
import { Effect, Runtime, type Scope } from "effect"
import { takeBootId } from "../config/process.js"
import { journalPath } from "../hub/holdLock.js"
import { type HubHandle, startHub } from "../hub/startHub.js"
import { version } from "../version.js"
import { CliFailure } from "./CliFailure.js"
import type { LoadedHub } from "./hubOptions.js"
import { print, say } from "./output.js"
import { reportStart } from "./reportStart.js"

/** A hub that hangs ends its process so long after its drain should have ended, ms (contracts: hub 3.6). */
const watchdogMs = 10_000

/** Says where the hub is on a line of its own; `whenReady` runs after that, for as long as the hub does. */
export const runForeground = (
  { settings, warnings, watch }: LoadedHub,
  asJson: boolean,
  whenReady: (hub: HubHandle) => Effect.Effect<void, never, Scope.Scope> = () => Effect.void
) =>
  Effect.gen(function* () {
    yield* Effect.forEach(warnings, (warning) => say(`warning: ${warning}`), { discard: true })
    const hub = yield* reportStart(
      startHub(settings, version, {
        bootId: takeBootId(),
        watch,
        onBound: (bound) => stopOnSignals(bound, settings["hub.drain_timeout"])
      })
    )
    yield* print(asJson ? JSON.stringify({ url: hub.url, bootId: hub.bootId, pid: process.pid }) : hub.url)
    yield* whenReady(hub)
    const { clean } = yield* hub.stopped
    const { stateDir } = settings
    if (!existsSync(journalPath(stateDir))) {
      const message = `${stateDir} was removed while its hub ran`
      return yield* new CliFailure({ tag: "WorkspaceGone", message, exitCode: 1, isAnswered: true })
    }
    if (clean) return yield* say("stopped")
    const message = "stopped before everything had ended"
    return yield* new CliFailure({ tag: "CutShort", message, exitCode: 1, isAnswered: true })
  }).pipe(Effect.scoped)

/** A second signal this soon is the first one again: npm passes on the one that the terminal has sent already. */
const sameSignalMs = 1_000

/** The first signal drains, a second one cuts the drain short. */
export const stopOnSignals = (
  hub: HubHandle,
  drainTimeoutMs: number
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    let stoppedAt: number | undefined
    const onSignal = (signal: NodeJS.Signals) => {
      if (stoppedAt !== undefined) {
        if (performance.now() - stoppedAt > sameSignalMs) fork(hub.cutShort)
        return
      }
      stoppedAt = performance.now()
      setTimeout(() => process.exit(1), drainTimeoutMs + watchdogMs).unref()
      fork(Effect.ignore(hub.stop({ force: true, reason: signal })))
    }
    const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const
    for (const name of names) process.on(name, onSignal)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const name of names) process.off(name, onSignal)
      })
    )
  })
