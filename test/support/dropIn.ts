/** `server.mjs` as clients of the old ledger start it, and their plugin as npm installs it with the override of the README. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { Effect, type Scope } from "effect"
import { packageRoot } from "./hubProcess.js"
import { temporaryFolder } from "./stores.js"

/** Nothing that is meant for a hub, an old server or the plugin. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(MOUND|IAPEER|SBP|STIGMERGY)_|^PORT$/.test(name))
)

export interface DropIn {
  readonly child: ChildProcess
  /** The first line that it says, or all of them once it has ended. */
  readonly said: Promise<string>
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
}

export const dropIn = (variables: {
  readonly [name: string]: string
}): Effect.Effect<DropIn, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [join(packageRoot, "server.mjs")], {
        env: { ...environment, ...variables },
        stdio: ["ignore", "ignore", "pipe"]
      })
      let stderr = ""
      const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stderr }))
      const said = new Promise<string>((resolve) => {
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
          stderr += text
          const line = /^sbp listening .*$/m.exec(stderr)?.[0]
          if (line !== undefined) resolve(line)
        })
        ended.then((end) => resolve(end.stderr))
      })
      return { child, said, ended }
    }),
    ({ child, ended }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return ended
      })
  )

/** The plugin's supervision, unmodified, in a folder where its dependency on the old server is Mound. */
export const installedPlugin: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  temporaryFolder,
  (folder) => {
    const scope = join(folder, "node_modules/@oh-my-stigmergy")
    mkdirSync(scope, { recursive: true })
    const main = createRequire(import.meta.url).resolve("@oh-my-stigmergy/opencode-plugin")
    cpSync(dirname(dirname(main)), join(scope, "opencode-plugin"), { recursive: true, dereference: true })
    symlinkSync(packageRoot, join(scope, "sbp-server"))
    return join(scope, "opencode-plugin/src/superviseSbp.mjs")
  }
)

/** What the plugin resolves for a worktree, in a process of its own, and what it wrote into its own log. */
export const supervise = async (plugin: string, worktree: string, log: string): Promise<string> => {
  const program = `import { resolveSbpBaseUrl } from ${JSON.stringify(plugin)}
    process.stdout.write(await resolveSbpBaseUrl({ repoRoot: ${JSON.stringify(worktree)} }))`
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...environment, STIGMERGY_AUDIT_LOG_FILE: log },
    stdio: ["ignore", "pipe", "inherit"]
  })
  let url = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    url += text
  })
  await once(child, "close")
  return url
}

export interface Runtime {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly startedAt: string
}

export const runtimeIn = (worktree: string): Runtime =>
  JSON.parse(readFileSync(join(worktree, ".stigmergy/runtime.json"), "utf8"))
