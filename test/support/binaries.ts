/** The built binaries as a person runs them: child processes, real files, real sockets. */
import { type ChildProcess, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Effect, type Scope } from "effect"
import { temporaryFolder } from "./stores.js"

const root = resolve(import.meta.dirname, "../..")
export const binaryOf = (name: "mound" | "journal"): string => join(root, "dist/bin", `${name}.js`)

/** The caller's own settings must not reach the binaries. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(MOUND|SBP)_|^(NO_COLOR|FORCE_COLOR)$/.test(name))
)

export interface RunOptions {
  readonly cwd?: string
  readonly env?: { readonly [name: string]: string }
}

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A child process, its output so far, and its end. It is killed with the scope. */
export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** Completes with the first match in stdout; dies with all that was said when the process ends without it. */
  readonly awaitOutput: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  readonly ended: Effect.Effect<Finished>
}

export const start = (
  file: string,
  words: ReadonlyArray<string>,
  { cwd = root, env = {} }: RunOptions = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [file, ...words], {
        cwd,
        env: { ...environment, TZ: "UTC", ...env }
      })
      const watchers = new Set<() => void>()
      let stdout = ""
      let stderr = ""
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        stdout += text
        for (const look of watchers) look()
      })
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        stderr += text
      })
      const ended = new Promise<Finished>((resolve) => {
        child.once("close", (code, signal) => {
          resolve({ code, signal, stdout, stderr })
          for (const look of watchers) look()
        })
      })
      const awaitOutput = (pattern: RegExp) =>
        Effect.async<RegExpExecArray>((resume) => {
          const look = () => {
            const found = pattern.exec(stdout)
            if (found) resume(Effect.succeed(found))
            else if (child.exitCode !== null || child.signalCode !== null) {
              resume(Effect.dieMessage(`ended without ${pattern}: ${stdout}${stderr}`))
            } else return
            watchers.delete(look)
          }
          watchers.add(look)
          look()
        })
      return {
        child,
        pid: child.pid ?? 0,
        stdout: () => stdout,
        stderr: () => stderr,
        awaitOutput,
        ended: Effect.promise(() => ended)
      }
    }),
    ({ child, ended }) => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      // What it started may have its output still, and must not keep us.
      child.stdout?.destroy()
      child.stderr?.destroy()
      return ended
    }
  )

/** Runs a binary to its end. */
export const run = (
  binary: "mound" | "journal",
  words: ReadonlyArray<string>,
  options: RunOptions = {}
): Effect.Effect<Finished> =>
  Effect.scoped(Effect.flatMap(start(binaryOf(binary), words, options), ({ ended }) => ended))

/** Runs `mound` in a workspace. */
export const moundIn =
  (workspace: string) =>
  (...words: ReadonlyArray<string>): Effect.Effect<Finished> =>
    run("mound", words, { cwd: workspace })

/** An empty folder with a `mound.yaml`. */
export const workspaceFolder = (yaml = ""): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(temporaryFolder, (folder) => {
    const workspace = join(folder, "workspace")
    mkdirSync(workspace)
    writeFileSync(join(workspace, "mound.yaml"), yaml)
    return workspace
  })

export interface DevHub extends Running {
  readonly url: string
}

/** `mound dev` in a workspace, ready. */
export const startDev = (
  workspace: string,
  words: ReadonlyArray<string> = [],
  env: { readonly [name: string]: string } = {}
): Effect.Effect<DevHub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* start(binaryOf("mound"), ["dev", ...words], { cwd: workspace, env })
    const [url] = yield* running.awaitOutput(/http:\/\/[^\s"]+:\d+/)
    return { ...running, url }
  })

/** Ends a process by a signal and waits for its end. */
export const end = ({ child, ended }: Running, signal: NodeJS.Signals = "SIGTERM"): Effect.Effect<Finished> =>
  Effect.suspend(() => {
    child.kill(signal)
    return ended
  })

/** SHA-256 of each file in a folder and the folders in it, by its path. */
export const filesIn = (folder: string): { readonly [name: string]: string } =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(folder, name)).isFile())
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex")
      ])
  )

/** Each line of an output as JSON. */
export const jsonLines = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
