/** `mound validate`: explains what is wrong with a workspace's configuration, all of it at once. Needs no hub and starts none. */
import { dirname, resolve } from "node:path"
import { Args, Command } from "@effect/cli"
import { Effect, Either, Option } from "effect"
import { ConfigInvalid } from "../config/ConfigProblem.js"
import { loadWorkspace } from "../config/loadWorkspace.js"
import { environment, workingDirectory } from "../config/process.js"
import type { SettingsInvalid } from "../config/Settings.js"
import { findWorkspace } from "../config/workspace.js"
import { moduleWarnings, warningLines } from "../hub/moduleWarnings.js"
import { CliFailure } from "./CliFailure.js"
import { json, workspace } from "./common.js"
import { print, say } from "./output.js"
import { mendTokens, readTokenFiles } from "./tokenFiles.js"

const file = Args.file({ name: "file", exists: "yes" }).pipe(Args.optional)

export const validate = Command.make("validate", { file, workspace, json }, (options) =>
  Effect.gen(function* () {
    const folder = Option.isSome(options.file)
      ? dirname(resolve(workingDirectory, options.file.value))
      : yield* findWorkspace(Option.getOrUndefined(options.workspace), environment, workingDirectory)
    const loaded = yield* Effect.either(loadWorkspace({ workspace: folder, environment }))
    if (Either.isLeft(loaded)) return yield* report(loaded.left, options.json)
    const { config, settings } = loaded.right
    const tokens = yield* readTokenFiles(settings)
    if (tokens.errors.length > 0) return yield* reportTokens(tokens.errors, options.json)
    const missing = moduleWarnings(folder, config)
    const { senses, reflexes, workflows } = config
    const lines = [...warningLines(folder, loaded.right), ...tokens.warnings]
    yield* Effect.forEach(lines, (line) => say(`warning: ${line}`), { discard: true })
    const counts = { senses: senses.length, reflexes, workflows: workflows.length }
    yield* print(
      options.json
        ? JSON.stringify({ ok: true, ...counts, warnings: [...loaded.right.warnings, ...missing] })
        : `ok: ${counts.senses} senses, ${counts.reflexes} reflexes, ${counts.workflows} workflows`
    )
  })
).pipe(Command.withDescription("check mound.yaml; one line an error"))

/** A hub with these does not start. */
const reportTokens = (errors: ReadonlyArray<string>, asJson: boolean) =>
  Effect.gen(function* () {
    if (!asJson) yield* print(errors.join("\n"))
    return yield* new CliFailure({
      tag: "AuthFileInvalid",
      message: `${errors.length} ${errors.length === 1 ? "error" : "errors"}`,
      fix: mendTokens,
      exitCode: 1,
      fields: { ok: false, errors }
    })
  })

/** The errors are this verb's data: they go to stdout. */
const report = (invalid: ConfigInvalid | SettingsInvalid, asJson: boolean) =>
  Effect.gen(function* () {
    const { message } = invalid
    const fields =
      invalid instanceof ConfigInvalid ? { errors: invalid.errors } : { errors: invalid.problems }
    if (!asJson) yield* print(message)
    const count = fields.errors.length
    return yield* new CliFailure({
      tag: "ConfigInvalid",
      message: `${count} ${count === 1 ? "error" : "errors"}`,
      exitCode: 1,
      fields: { ok: false, ...fields }
    })
  })
