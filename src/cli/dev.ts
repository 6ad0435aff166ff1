/** `mound dev`: the hub in the foreground; prints its url, then one line an event (contracts: hub 3.4). */
import { Command, Options } from "@effect/cli"
import { Effect, Option, Runtime, type Scope, Stream } from "effect"
import { problemLine } from "../config/ConfigProblem.js"
import { loadWorkspace } from "../config/loadWorkspace.js"
import { environment, workingDirectory } from "../config/process.js"
import { findWorkspace } from "../config/workspace.js"
import { follow } from "../events/Journal.js"
import { moduleWarnings } from "../hub/moduleWarnings.js"
import { type HubHandle, startHub } from "../hub/startHub.js"
import { version } from "../version.js"
import { CliFailure } from "./CliFailure.js"
import { json, optionalText, workspace } from "./common.js"
import { eventLine } from "./eventLine.js"
import { print, say } from "./output.js"

const options = {
  port: optionalText("port", "the port to listen on; 0 for any free one, by default the last one"),
  host: optionalText("host", "the address to listen on, 127.0.0.1 by default"),
  drainTimeout: optionalText("drain-timeout", "how long a stop waits for what is under way, such as 30s"),
  noWatch: Options.boolean("no-watch").pipe(Options.withDescription("do not notice changed files")),
  quiet: Options.boolean("quiet").pipe(Options.withDescription("print no events")),
  workspace,
  json
}

/** A hub that hangs ends its process so long after its drain should have ended, ms (contracts: hub 3.6). */
const watchdogMs = 10_000

export const dev = Command.make(
  "dev",
  options,
  ({ port, host, drainTimeout, noWatch, quiet, workspace, json }) =>
    Effect.gen(function* () {
      const folder = yield* findWorkspace(Option.getOrUndefined(workspace), environment, workingDirectory)
      const { settings, notices, config } = yield* loadWorkspace({
        workspace: folder,
        environment,
        flags: {
          "http.port": Option.getOrUndefined(port),
          "http.host": Option.getOrUndefined(host),
          "hub.drain_timeout": Option.getOrUndefined(drainTimeout)
        }
      })
      const missing = moduleWarnings(folder, config).map((warning) => problemLine(folder, warning))
      yield* Effect.forEach([...notices, ...missing], (warning) => say(`warning: ${warning}`), {
        discard: true
      })
      const hub = yield* startHub(settings, version, {
        watch: !noWatch,
        onBound: (bound) => stopOnSignals(bound, settings["hub.drain_timeout"])
      })
      yield* print(hub.url)
      if (!quiet) yield* printEvents(hub, json)
      const { clean } = yield* hub.stopped
      if (clean) return yield* say("stopped")
      return yield* new CliFailure({
        tag: "CutShort",
        message: "stopped before everything had ended",
        exitCode: 1
      })
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("run the hub in the foreground; Ctrl-C drains and ends it"))

/** From the first event of this boot on; the url is on a line of its own before them. */
const printEvents = (
  { parts, before }: HubHandle,
  asJson: boolean
): Effect.Effect<void, never, Scope.Scope> => {
  const { journal } = parts
  const line = (text: string) => Effect.sync(() => process.stdout.write(`${text}\n`))
  return Stream.runForEach(follow(journal, before), (event) =>
    line(asJson ? event.json : eventLine(event))
  ).pipe(Effect.ignore, Effect.forkScoped, Effect.asVoid)
}

/** A second signal this soon is the first one again: npm passes on the one that the terminal has sent already. */
const sameSignalMs = 1_000

/** The first signal drains, a second one cuts the drain short. */
const stopOnSignals = (hub: HubHandle, drainTimeoutMs: number): Effect.Effect<void, never, Scope.Scope> =>
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
