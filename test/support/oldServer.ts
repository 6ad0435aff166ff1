/** The old ledger's real server, as its authors published it, in a process of its own: it writes the files that are imported. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, type Scope } from "effect"
import { cleanEnvironment } from "./cleanEnvironment.js"

const entry = createRequire(import.meta.url).resolve("@oh-my-stigmergy/sbp-server")

export interface OldServer {
  readonly url: string
  readonly publish: (id: string, more?: object) => Promise<number>
  /** Ids go as they are: this server does not decode them. */
  readonly act: (id: string, verb: "claim" | "inflate") => Promise<number>
  readonly list: () => Promise<ReadonlyArray<{ readonly [key: string]: unknown }>>
  /** It hears no signal but this one. */
  readonly kill: () => Promise<void>
}

/** On a file of its own; the lock that it never lets go of is cleared away first, as its users have to. */
export const oldServer = (
  store: "JSONL" | "SQLITE",
  path: string,
  variables: { readonly [name: string]: string } = {}
): Effect.Effect<OldServer, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => start(store, path, variables)),
      ({ child }) => Effect.promise(() => kill(child))
    ),
    ({ child, url }) => {
      const post = async (where: string, body: string) =>
        (await fetch(`${url}${where}`, { method: "POST", body })).status
      return {
        url,
        publish: (id, more = {}) =>
          post(
            "/pheromones",
            JSON.stringify({ id, stanceTarget: "s", baseIntensity: 1, decayRate: 0, ...more })
          ),
        act: (id, verb) => post(`/pheromones/${id}/${verb}`, ""),
        list: async () =>
          (await (await fetch(`${url}/pheromones`)).json()) as ReadonlyArray<{
            readonly [key: string]: unknown
          }>,
        kill: () => kill(child)
      }
    }
  )

/** The old package's own compaction of a ledger that nobody serves, as its users run it. */
export const compactOld = (path: string): { readonly kept: number; readonly dropped: number } =>
  JSON.parse(
    execFileSync(process.execPath, [join(dirname(entry), "bin/compact.mjs"), path], { encoding: "utf8" })
  )

const start = async (store: string, path: string, variables: { readonly [name: string]: string }) => {
  rmSync(`${path}.sbp-writer-lock`, { recursive: true, force: true })
  const child = spawn(process.execPath, [entry], {
    env: { ...cleanEnvironment, PORT: "0", [`SBP_LEDGER_${store}`]: path, ...variables },
    stdio: ["ignore", "ignore", "pipe"]
  })
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    const port = /^sbp listening (\d+)/.exec(line)?.[1]
    if (port !== undefined) return { child, url: `http://127.0.0.1:${port}` }
  }
  throw new Error("the old server ended before it listened")
}

const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}
