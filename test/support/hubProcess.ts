/** A hub in a process of its own, as people run it: the built binary on a workspace folder, with a port that the system chooses. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, type Scope } from "effect"
import { cleanEnvironment } from "./cleanEnvironment.js"

/** The package's folder, seen from the sources as well as from what they are built to. */
export const packageRoot = ((): string => {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder)
  return folder
})()

export interface Exited {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export class HubProcess {
  #stderr = ""
  /** Lines of standard output so far: the url, then one an event. */
  readonly lines: Array<string> = []
  readonly exited: Promise<Exited>
  /** Resolves with the url once the hub is ready, or with how it ended before. */
  readonly ready: Promise<string | Exited>

  constructor(readonly child: ChildProcess) {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text
    })
    this.exited = once(child, "close").then(([code, signal]) => ({ code, signal, stderr: this.#stderr }))
    const url = new Promise<string>((resolve) => {
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
        if (this.lines.push(line) === 1) resolve(line)
      })
    })
    this.ready = Promise.race([url, this.exited])
  }

  /** The url of a hub that is ready; throws with its own words when it is not going to be. */
  async url(): Promise<string> {
    const started = await this.ready
    if (typeof started === "string") return started
    throw new Error(`the hub ended with ${started.code ?? started.signal}: ${started.stderr}`)
  }

  /** Kills it without a warning, and waits until it is gone. */
  async kill(): Promise<Exited> {
    this.child.kill("SIGKILL")
    return this.exited
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<Exited> {
    this.child.kill("SIGTERM")
    return this.exited
  }
}

export interface HubProcessOptions {
  readonly environment?: { readonly [name: string]: string }
  readonly flags?: ReadonlyArray<string>
}

export const spawnHub = (
  workspace: string,
  { environment = {}, flags = [] }: HubProcessOptions = {}
): HubProcess =>
  new HubProcess(
    spawn(
      process.execPath,
      [join(packageRoot, "dist/bin/mound.js"), "dev", "--workspace", workspace, "--port", "0", ...flags],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...cleanEnvironment, ...environment } }
    )
  )

/** A hub process that is gone with the scope, whatever happens. */
export const hubProcess = (
  workspace: string,
  options?: HubProcessOptions
): Effect.Effect<HubProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => spawnHub(workspace, options)),
    (hub) => Effect.promise(() => hub.kill())
  )

export interface RunningHub {
  readonly url: string
  readonly kill: Effect.Effect<Exited>
}

/** A hub process that is ready: where it listens, and its sudden end. */
export const readyHub = (workspace: string): Effect.Effect<RunningHub, never, Scope.Scope> =>
  Effect.flatMap(hubProcess(workspace), (hub) =>
    Effect.promise(async () => ({ url: await hub.url(), kill: Effect.promise(() => hub.kill()) }))
  )

/** A folder for a workspace; the caller removes it. */
export const makeWorkspace = (): string => mkdtempSync(join(tmpdir(), "mound-workspace-"))
export const removeWorkspace = (workspace: string): void =>
  rmSync(workspace, { recursive: true, force: true })
