/**
 * The tests that the old ledger's authors shipped with their packages, as they are, in a folder like their repository where Mound stands in
 * the server's place.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, type Scope } from "effect"
import { cleanEnvironment } from "./cleanEnvironment.js"
import { packageRoot } from "./hubProcess.js"
import { temporaryFolder } from "./stores.js"

const { resolve } = createRequire(import.meta.url)
const oldServer = dirname(resolve("@oh-my-stigmergy/sbp-server"))
const oldPlugin = dirname(dirname(resolve("@oh-my-stigmergy/opencode-plugin")))
const standIns = join(packageRoot, "test/fixtures/published")

/** Their repository, as far as these tests look at it. */
export const publishedTests: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  temporaryFolder,
  (root) => {
    const server = join(root, "packages/sbp-server")
    const plugin = join(root, "packages/opencode-plugin")
    for (const part of ["test", "intensity.mjs", "package.json"]) {
      cpSync(join(oldServer, part), join(server, part), { recursive: true, dereference: true })
    }
    cpSync(join(standIns, "server.mjs"), join(server, "server.mjs"))
    mkdirSync(join(server, "bin"))
    cpSync(join(standIns, "metrics.mjs"), join(server, "bin/metrics.mjs"))
    cpSync(oldPlugin, plugin, { recursive: true, dereference: true })
    mkdirSync(join(root, "node_modules/@oh-my-stigmergy"), { recursive: true })
    symlinkSync(packageRoot, join(root, "node_modules/@oh-my-stigmergy/sbp-server"))
    // OpenCode's own package as far as the plugin uses it: whole, only OpenCode's runtime can load it.
    const openCode = join(root, "node_modules/@opencode-ai/plugin")
    mkdirSync(openCode, { recursive: true })
    writeFileSync(join(openCode, "package.json"), JSON.stringify({ type: "module", exports: "./index.js" }))
    const tool = JSON.stringify(
      pathToFileURL(join(packageRoot, "node_modules/@opencode-ai/plugin/dist/tool.js"))
    )
    writeFileSync(join(openCode, "index.js"), `export { tool } from ${tool}\n`)
    // The one file of their repository beyond the packages.
    mkdirSync(join(root, "tests/fixtures/stance"), { recursive: true })
    writeFileSync(
      join(root, "tests/fixtures/stance/good.json"),
      JSON.stringify({ stance_vector: { security_auditing: 1, feature_implementation: 0.5 } })
    )
    return root
  }
)

export interface Passed {
  readonly code: number | null
  /** Tests that passed. */
  readonly passed: number
  readonly output: string
}

/** Runs one of their files, or those of its tests that a pattern names. */
export const runPublished = async (root: string, file: string, pattern?: string): Promise<Passed> => {
  const only = pattern === undefined ? [] : [`--test-name-pattern=${pattern}`]
  const child = spawn(
    process.execPath,
    ["--test", "--test-reporter=tap", ...only, join(root, "packages", file)],
    {
      cwd: dirname(dirname(join(root, "packages", file))),
      env: {
        ...cleanEnvironment,
        MOUND_SERVER: join(packageRoot, "server.mjs"),
        MOUND_BINARY: join(packageRoot, "dist/bin/mound.js")
      },
      stdio: ["ignore", "pipe", "pipe"]
    }
  )
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
  }
  const [code] = await once(child, "close")
  return { code: code as number | null, passed: Number(/^# pass (\d+)$/m.exec(output)?.[1]), output }
}
