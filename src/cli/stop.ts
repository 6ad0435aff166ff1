/** `mound stop` and `mound restart` (contracts: hub 3.6). */
import { Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { environment, workingDirectory } from "../config/process.js"
import { loadSettings } from "../config/Settings.js"
import { findWorkspace } from "../config/workspace.js"
import { type StopOptions, stopHub } from "../hub/stopHub.js"
import { CliFailure, toCliFailure } from "./CliFailure.js"
import { json, optionalText, workspace } from "./common.js"
import { hubArguments, hubOptions, loadHubSettings } from "./hubOptions.js"
import { print, say } from "./output.js"
import { ensureHub } from "./start.js"

const reason = optionalText("reason", "why, for the journal")

/** Stops the hub of a workspace; what it refuses is told in its own words. */
const end = (stateDir: string, options: StopOptions) =>
  Effect.catchTag(stopHub(stateDir, options), "StopRefused", ({ body }) => {
    const { _tag, message, fix, ...fields } = body
    return new CliFailure({ tag: _tag, message, fix, fields, exitCode: 1 })
  })

export const stop = Command.make(
  "stop",
  {
    force: Options.boolean("force").pipe(
      Options.withDescription("also while claims or runs are active, and with SIGKILL if nothing else helps")
    ),
    drainTimeout: hubOptions.drainTimeout,
    reason,
    workspace,
    json
  },
  ({ force, reason, json, ...given }) =>
    Effect.gen(function* () {
      // The settings alone: a fault among the senses and workflows must not keep a hub from being stopped.
      const { settings } = yield* loadSettings({
        workspace: yield* findWorkspace(
          Option.getOrUndefined(given.workspace),
          environment,
          workingDirectory
        ),
        environment,
        flags: { "hub.drain_timeout": Option.getOrUndefined(given.drainTimeout) }
      })
      const stopped = yield* end(settings.stateDir, {
        force,
        reason: Option.getOrElse(reason, () => "stop"),
        drainTimeoutMs: settings["hub.drain_timeout"]
      })
      if (json) yield* print(JSON.stringify(stopped))
      else if (!stopped.stopped) yield* say("not running")
      if (stopped.clean) return
      return yield* new CliFailure({
        tag: "CutShort",
        message: "the hub was stopped before everything had ended",
        fix: "the next start takes up again what was cut short",
        exitCode: 1,
        isAnswered: true
      })
    })
).pipe(Command.withDescription("drain the hub and end it; refused while claims or runs are active"))

export const restart = Command.make(
  "restart",
  { ...hubOptions, reason, workspace, json },
  ({ reason, json, ...given }) =>
    Effect.gen(function* () {
      // What would keep the new hub from starting is found while the old one serves.
      const loaded = yield* loadHubSettings(given)
      const { settings } = loaded
      const { stateDir } = settings
      yield* end(stateDir, {
        force: true,
        reason: Option.getOrElse(reason, () => "restart"),
        drainTimeoutMs: settings["hub.drain_timeout"]
      })
      const { hub } = yield* Effect.mapError(ensureHub(loaded, hubArguments(given)), (error) => {
        const { message, fix } = toCliFailure(error)
        return new CliFailure({
          tag: "HubDown",
          message: `the old hub has ended and the new one does not start: ${message}`,
          fix,
          exitCode: 1
        })
      })
      yield* print(json ? JSON.stringify({ url: hub.url, pid: hub.pid, bootId: hub.bootId }) : hub.url)
    })
).pipe(Command.withDescription("drain the hub and start it again on the same port; leases keep their floor"))
