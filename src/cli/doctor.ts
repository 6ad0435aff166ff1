/** `mound doctor`: looks at everything that a hub needs, and names what to do (contracts: hub 5). It starts and writes nothing. */
import { join } from "node:path"
import { Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { environment, workingDirectory } from "../config/process.js"
import { findWorkspace } from "../config/workspace.js"
import { CliFailure } from "./CliFailure.js"
import { checksOf, type Finding, type Level } from "./checks.js"
import { json, workspace } from "./common.js"
import { print } from "./output.js"

export const doctor = Command.make(
  "doctor",
  {
    deep: Options.boolean("deep").pipe(Options.withDescription("verify the whole journal and every row")),
    strict: Options.boolean("strict").pipe(Options.withDescription("exit code 1 for warnings too")),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const named = Option.getOrUndefined(options.workspace)
      const folder = yield* findWorkspace(named, environment, workingDirectory)
      const stateDir = environment.MOUND_DIR?.trim() || join(folder, ".mound")
      const found: Array<Finding & { readonly name: string }> = []
      for (const { name, look } of checksOf({ workspace: folder, stateDir, isDeep: options.deep })) {
        const finding = { name, ...(yield* look) }
        found.push(finding)
        if (!options.json) yield* print(line(finding))
      }
      if (options.json) yield* print(JSON.stringify(found))
      const bad: ReadonlySet<Level> = new Set(options.strict ? ["FAIL", "WARN"] : ["FAIL"])
      const count = found.filter(({ level }) => bad.has(level)).length
      if (count === 0) return
      return yield* new CliFailure({
        tag: "Unwell",
        message: `${count} of ${found.length} checks found something wrong`,
        exitCode: 1,
        isAnswered: true
      })
    })
).pipe(Command.withDescription("check everything that a hub needs; exit code 1 when something is wrong"))

const line = ({ level, name, text, fix }: Finding & { readonly name: string }): string =>
  `${level.padEnd(4)}  ${name.padEnd(15)}  ${text}${fix === undefined ? "" : `\n      Fix: ${fix}`}`
