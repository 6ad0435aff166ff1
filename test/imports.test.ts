import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"

const source = resolve(import.meta.dirname, "../src")

const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".ts")
)

const importsOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(join(source, file), "utf8").matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(
    ([, specifier]) => specifier as string
  )

/** The folder under src/ that a relative import leads to; a file right there stands for itself. */
const targetOf = (file: string, specifier: string): string =>
  relative(source, resolve(source, dirname(file), specifier)).split("/")[0] as string

const folderOf = (file: string): string => file.split("/")[0] as string

/** Imports go one way: from what happened, over what may happen and what it looks like, to how it is asked. */
const allowed: { readonly [folder: string]: ReadonlyArray<string> } = {
  config: [],
  events: [],
  actors: ["events"],
  projections: ["events"],
  replay: ["events", "actors", "projections"],
  runtimes: ["config", "events", "actors"],
  http: ["events", "actors", "projections"],
  hub: ["config", "events", "actors", "projections", "replay", "runtimes", "http", "version.js"],
  cli: ["config", "events", "hub", "runtimes", "replay", "http", "version.js"],
  "main.ts": ["cli"],
  "journal.ts": ["cli"],
  "server.ts": ["cli"],
  "startHub.ts": ["config", "runtimes", "hub", "http", "version.js"],
  "version.ts": []
}

/** Packages that belong to some places only. */
const homes: ReadonlyArray<readonly [packages: RegExp, files: RegExp]> = [
  [/^xstate/, /^actors\/(fold\.ts|.*Machine\.ts)$/],
  [/^@effect\/sql/, /^(events|projections)\//],
  [/^better-sqlite3|^jiti$/, /^runtimes\//],
  [/^node:child_process$/, /^runtimes\/|^hub\/launchHub\.ts$|^cli\/ChildCommand\.ts$/],
  [/^node:http$|^@effect\/platform/, /^(http|cli)\//],
  [/^@effect\/cli/, /^cli\//],
  [/^yaml$/, /^(config|projections)\//],
  [/^@modelcontextprotocol/, /^http\//],
  [/^node:worker_threads$/, /^(hub|replay|runtimes)\//]
]

describe("imports", () => {
  it("know every folder of the source", () => {
    expect([...new Set(files.map(folderOf))].filter((folder) => !(folder in allowed))).toEqual([])
  })

  it("go one way between the folders", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => targetOf(file, specifier))
        .filter((target) => target !== folderOf(file) && !allowed[folderOf(file)]?.includes(target))
        .map((target) => `${file} imports ${target}`)
    )
    expect(wrong).toEqual([])
  })

  it("keep each technology where it is at home", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file).flatMap((specifier) =>
        homes
          .filter(([packages, home]) => packages.test(specifier) && !home.test(file))
          .map(() => `${file} imports ${specifier}`)
      )
    )
    expect(wrong).toEqual([])
  })

  it("read the environment in config/ alone, and no clock but the hub's", () => {
    const rules: ReadonlyArray<readonly [forbidden: RegExp, except: RegExp]> = [
      [/process\.env/, /^config\//],
      [/Date\.now\(|new Date\(\)/, /^$/],
      [/Math\.random\(/, /^$/]
    ]
    const wrong = files.flatMap((file) =>
      rules
        .filter(
          ([forbidden, except]) =>
            forbidden.test(readFileSync(join(source, file), "utf8")) && !except.test(file)
        )
        .map(([forbidden]) => `${file} uses ${forbidden.source}`)
    )
    expect(wrong).toEqual([])
  })
})
