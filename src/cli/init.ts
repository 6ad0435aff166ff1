/** `mound init`: a workspace that works, to be changed into one's own. Never overwrites anything. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { Args, Command } from "@effect/cli"
import { Effect, Option } from "effect"
import { workingDirectory } from "../config/process.js"
import { scaffold } from "../config/scaffold.js"
import { json } from "./common.js"
import { print, say } from "./output.js"

const folder = Args.path({ name: "dir" }).pipe(Args.optional)

export const init = Command.make("init", { folder, json }, (options) =>
  Effect.gen(function* () {
    const root = resolve(
      workingDirectory,
      Option.getOrElse(options.folder, () => ".")
    )
    const { written, kept } = yield* Effect.sync(() => write(root))
    yield* Effect.forEach(kept, (path) => say(`${path} is there already: left as it is`), { discard: true })
    yield* print(options.json ? JSON.stringify({ folder: root, written, kept }) : written.join("\n"))
    yield* say(`next: mound dev --workspace ${root}`)
  })
).pipe(Command.withDescription("make a workspace with a sense and a workflow; prints what it wrote"))

const write = (root: string) => {
  const written: Array<string> = []
  const kept: Array<string> = []
  for (const [path, text] of Object.entries(scaffold)) {
    const target = join(root, path)
    if (existsSync(target)) {
      kept.push(path)
      continue
    }
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text, { flag: "wx", mode: 0o644 })
    written.push(path)
  }
  return { written, kept }
}
