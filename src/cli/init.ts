/** `mound init`: a workspace that works, to be changed into one's own. Never overwrites anything. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { workingDirectory } from "../config/process.js"
import { scaffold } from "../config/scaffold.js"
import { json } from "./common.js"
import { print, say } from "./output.js"

const folder = Args.path({ name: "dir" }).pipe(Args.optional)
const example = Options.choice("example", ["scratch-guard"]).pipe(
  Options.withDescription("copy an example that comes with Mound, instead of the small workspace"),
  Options.optional
)

export const init = Command.make("init", { folder, example, json }, (options) =>
  Effect.gen(function* () {
    const root = resolve(
      workingDirectory,
      Option.getOrElse(options.folder, () => ".")
    )
    const { written, kept } = yield* Effect.sync(() =>
      write(root, Option.match(options.example, { onNone: () => scaffold, onSome: exampleFiles }))
    )
    yield* Effect.forEach(kept, (path) => say(`${path} is there already: left as it is`), { discard: true })
    yield* print(options.json ? JSON.stringify({ folder: root, written, kept }) : written.join("\n"))
    yield* say(`next: mound dev --workspace ${root}`)
  })
).pipe(Command.withDescription("make a workspace with a sense and a workflow; prints what it wrote"))

type Files = { readonly [path: string]: string | Buffer }

/** Three folders up from here, in the bundle as in the compiled files. */
const examplesFolder = fileURLToPath(new URL("../../../examples/", import.meta.url))
/** What a run of the example leaves in its folder. */
const made = /^(\.mound|scratch|reports|node_modules)(\/|$)/

const exampleFiles = (name: string): Files => {
  const source = join(examplesFolder, name)
  const files = readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(source, join(entry.parentPath, entry.name)))
  return Object.fromEntries(
    files.filter((path) => !made.test(path)).map((path) => [path, readFileSync(join(source, path))])
  )
}

const write = (root: string, files: Files) => {
  const written: Array<string> = []
  const kept: Array<string> = []
  for (const [path, contents] of Object.entries(files)) {
    const target = join(root, path)
    if (existsSync(target)) {
      kept.push(path)
      continue
    }
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, contents, { flag: "wx", mode: 0o644 })
    written.push(path)
  }
  return { written, kept }
}
