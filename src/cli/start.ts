/** `mound start`: a hub in the background, idempotent; returns when it is ready or says why it is not (contracts: hub 3.2, 3.3). */
import { Command, Options } from "@effect/cli"
import { Deferred, Effect, Option } from "effect"
import { environment } from "../config/process.js"
import type { Settings } from "../config/Settings.js"
import { randomHex } from "../events/randomHex.js"
import { discoverHub } from "../hub/discoverHub.js"
import type { HubFile } from "../hub/hubFile.js"
import { launchHub } from "../hub/launchHub.js"
import { prepareStateDir } from "../hub/preconditions.js"
import { version } from "../version.js"
import { CliFailure } from "./CliFailure.js"
import { json, workspace } from "./common.js"
import { runForeground } from "./foreground.js"
import { hubArguments, hubOptions, type LoadedHub, loadHubSettings } from "./hubOptions.js"
import { print, say } from "./output.js"

const options = {
  ...hubOptions,
  foreground: Options.boolean("foreground").pipe(
    Options.withDescription("let this process be the hub, for a supervisor such as systemd")
  ),
  workspace,
  json
}

export const start = Command.make("start", options, ({ foreground, json, ...given }) =>
  Effect.gen(function* () {
    const loaded = yield* loadHubSettings(given)
    if (foreground) return yield* runForeground(loaded, json)
    const { hub, isNew } = yield* ensureHub(loaded, hubArguments(given))
    if (!isNew) yield* say("already running")
    yield* print(json ? JSON.stringify({ url: hub.url, pid: hub.pid, bootId: hub.bootId, isNew }) : hub.url)
  })
).pipe(Command.withDescription("run the hub in the background; returns when it is ready, prints its url"))

export interface EnsuredHub {
  readonly hub: HubFile
  /** False when it ran already. */
  readonly isNew: boolean
}

/** The workspace's hub, started if none runs. `flags` are passed on to the one that is started. */
export const ensureHub = ({ settings, warnings }: LoadedHub, flags: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { stateDir } = settings
    const found = yield* discoverHub(stateDir)
    if (found.result === "running") return yield* reuse(settings, found.hub)
    if (found.result === "unreachable") return yield* awaitHolder(settings)
    yield* Effect.forEach(warnings, (warning) => say(`warning: ${warning}`), { discard: true })
    yield* prepareStateDir(stateDir)
    const lostRace = yield* launch(settings, flags).pipe(
      Effect.as(false),
      Effect.catchTag("LaunchFailed", ({ exitCode, tag, message, fix }) =>
        exitCode === 75
          ? Effect.succeed(true)
          : new CliFailure({ tag, message, fix: fix ?? undefined, exitCode })
      )
    )
    if (lostRace) return yield* awaitHolder(settings)
    const started = yield* discoverHub(stateDir)
    if (started.result === "running") return { hub: started.hub, isNew: true }
    return yield* new CliFailure({
      tag: "HubNotRunning",
      message: "the hub said that it was ready and does not answer",
      fix: "mound logs --err",
      exitCode: 1
    })
  })

/** A hub that runs is what was asked for, unless it was asked for somewhere else. */
const reuse = (settings: Settings, hub: HubFile) =>
  Effect.gen(function* () {
    const { "http.port": port, portSource } = settings
    if (portSource === "flag" && port !== hub.port) {
      return yield* new CliFailure({
        tag: "AlreadyRunningElsewhere",
        message: `the hub of this workspace runs at ${hub.url}, not on port ${port}`,
        fix: "use that one, or move it: mound restart --port N",
        fields: { url: hub.url },
        exitCode: 1
      })
    }
    if (hub.version !== version) {
      yield* say(
        `the hub that runs is version ${hub.version}, this is ${version}; to change over: mound restart`
      )
    }
    return { hub, isNew: false } satisfies EnsuredHub
  })

const holderPollMs = 50

/** Somebody else is starting the hub: when that one is ready, this start has what it wants. */
const awaitHolder = (settings: Settings) =>
  Effect.gen(function* () {
    const found = yield* discoverHub(settings.stateDir).pipe(
      Effect.delay(holderPollMs),
      Effect.repeat({ until: (each) => each.result === "running" && each.state === "ready" }),
      Effect.timeoutOption(settings["hub.ready_timeout"])
    )
    if (Option.isSome(found) && found.value.result === "running")
      return yield* reuse(settings, found.value.hub)
    return yield* new CliFailure({
      tag: "Locked",
      message: `a process holds the workspace of ${settings.stateDir} and does not become ready`,
      fix: "mound status says what is known of it; mound stop ends it",
      exitCode: 75
    })
  })

const launch = (settings: Settings, flags: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const [, program = ""] = process.argv
    const bootId = yield* randomHex(32)
    const place = ["--workspace", settings.workspace]
    return yield* interruptedBySignals(
      launchHub({
        stateDir: settings.stateDir,
        command: [
          process.execPath,
          ...process.execArgv,
          program,
          "start",
          "--foreground",
          ...place,
          ...flags
        ],
        environment,
        bootId,
        readyTimeoutMs: settings["hub.ready_timeout"]
      })
    )
  })

/** Whoever gives up waiting for a start does not want the hub any more. Heard from before the hub's process is made. */
const interruptedBySignals = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.map(Deferred.make<never>(), (given) => {
      const onSignal = () => Deferred.unsafeDone(given, Effect.interrupt)
      process.once("SIGINT", onSignal).once("SIGTERM", onSignal)
      return { given, onSignal }
    }),
    ({ given }) => Effect.raceFirst(effect, Deferred.await(given)),
    ({ onSignal }) => Effect.sync(() => process.off("SIGINT", onSignal).off("SIGTERM", onSignal))
  )
