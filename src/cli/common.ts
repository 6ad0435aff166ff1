/** Options that many verbs share, and what follows from them. */
import { join } from "node:path"
import { Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { duration as parseDuration } from "../config/parsers.js"
import { environment, workingDirectory } from "../config/process.js"
import { findWorkspace } from "../config/workspace.js"
import { usage } from "./CliFailure.js"

export const workspace = Options.directory("workspace").pipe(
  Options.withDescription("the folder with mound.yaml or .mound; by default the nearest one upwards"),
  Options.optional
)
export const json = Options.boolean("json").pipe(Options.withDescription("print one JSON value"))

export const optionalText = (name: string, description: string) =>
  Options.text(name).pipe(Options.withDescription(description), Options.optional)

export const optionalInteger = (name: string, description: string) =>
  Options.integer(name).pipe(Options.withDescription(description), Options.optional)

/** The state folder of the workspace that the options and the environment name. */
export const stateDirOf = (named: Option.Option<string>) =>
  Effect.map(
    findWorkspace(Option.getOrUndefined(named), environment, workingDirectory),
    (folder) => environment.MOUND_DIR?.trim() || join(folder, ".mound")
  )

/** `30s`, `5m`: ms, or a usage failure that names the option. */
export const durationOf = (name: string, text: Option.Option<string>) =>
  Option.match(text, {
    onNone: () => Effect.succeed(undefined),
    onSome: (value) => {
      const parsed = parseDuration(0, Number.MAX_SAFE_INTEGER)(value)
      return "value" in parsed
        ? Effect.succeed(parsed.value)
        : usage(`--${name}: must be a duration such as 30s or 5m`)
    }
  })
