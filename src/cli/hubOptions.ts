/** Options of every verb that starts a hub, and the settings that they lead to together with the environment and `mound.yaml`. */
import { Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { loadWorkspace } from "../config/loadWorkspace.js"
import { environment, workingDirectory } from "../config/process.js"
import type { Settings } from "../config/Settings.js"
import { findWorkspace } from "../config/workspace.js"
import { warningLines } from "../hub/moduleWarnings.js"
import { optionalText } from "./common.js"

export const hubOptions = {
  port: optionalText("port", "the port to listen on; 0 for any free one, by default the last one"),
  host: optionalText("host", "the address to listen on, 127.0.0.1 by default"),
  drainTimeout: optionalText("drain-timeout", "how long a stop waits for what is under way, such as 30s"),
  readyTimeout: optionalText("ready-timeout", "how long a start waits for a sign of life, such as 30s"),
  logLevel: optionalText("log-level", "DEBUG, INFO, WARN or ERROR: what the hub log takes"),
  noWatch: Options.boolean("no-watch").pipe(Options.withDescription("do not notice changed files"))
}

type Given = {
  readonly [Name in Exclude<keyof typeof hubOptions, "noWatch"> | "workspace"]: Option.Option<string>
} & {
  readonly noWatch: boolean
}

/** What a start needs of a workspace's configuration. */
export interface LoadedHub {
  readonly settings: Settings
  /** Lines that a person should see. */
  readonly warnings: ReadonlyArray<string>
  /** Whether changed files are noticed. */
  readonly watch: boolean
}

/** Every error of the configuration at once, before anything is touched. */
export const loadHubSettings = (given: Given) =>
  Effect.gen(function* () {
    const named = Option.getOrUndefined(given.workspace)
    const workspace = yield* findWorkspace(named, environment, workingDirectory)
    const loaded = yield* loadWorkspace({
      workspace,
      environment,
      flags: {
        "http.port": Option.getOrUndefined(given.port),
        "http.host": Option.getOrUndefined(given.host),
        "hub.drain_timeout": Option.getOrUndefined(given.drainTimeout),
        "hub.ready_timeout": Option.getOrUndefined(given.readyTimeout),
        "log.level": Option.getOrUndefined(given.logLevel)
      }
    })
    const warnings = warningLines(workspace, loaded)
    return { settings: loaded.settings, warnings, watch: !given.noWatch } satisfies LoadedHub
  })

/** The same options as arguments, to start a hub with in another process. */
export const hubArguments = (given: Given): ReadonlyArray<string> => [
  ...(given.noWatch ? ["--no-watch"] : []),
  ...(
    [
      ["--port", given.port],
      ["--host", given.host],
      ["--drain-timeout", given.drainTimeout],
      ["--ready-timeout", given.readyTimeout],
      ["--log-level", given.logLevel]
    ] as const
  ).flatMap(([flag, value]) => (Option.isSome(value) ? [flag, value.value] : []))
]
