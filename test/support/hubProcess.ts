/** A hub as a process of its own, from the built binary: one that can be killed. */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { join } from "node:path"
import { Effect, type Scope } from "effect"

const binary = new URL("../../dist/bin/mound.js", import.meta.url).pathname

export interface HubProcess {
  readonly url: string
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Completes once it listens; it is killed with the scope. */
export const hubProcess = (folder: string): Effect.Effect<HubProcess, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly child: ChildProcess; readonly url: string }>((resume) => {
        const child = spawn(
          process.execPath,
          [binary, "dev", "--port", "0", "--quiet", "--workspace", folder],
          {
            stdio: ["ignore", "pipe", "pipe"],
            env: cleanEnvironment
          }
        )
        let said = ""
        child.stderr.on("data", (chunk) => {
          said += chunk
        })
        child.stdout.once("data", (chunk) => resume(Effect.succeed({ child, url: String(chunk).trim() })))
        child.once("exit", (code) => resume(Effect.dieMessage(`the hub ended with ${code}: ${said}`)))
      }),
      ({ child }) => kill(child, "SIGKILL")
    ),
    ({ child, url }) => ({ url, kill: (signal: NodeJS.Signals) => kill(child, signal) })
  )

const kill = (child: ChildProcess, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  })

/** Tests may themselves run inside of a peer's session. */
const cleanEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(MOUND|IAPEER)_/.test(name))
)

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One call of the command line. */
export const mound = (folder: string, ...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.async((resume) => {
    execFile(
      process.execPath,
      [binary, ...args],
      { cwd: folder, env: cleanEnvironment },
      (error, stdout, stderr) => {
        const code = error ? Number((error as { readonly code?: unknown }).code) : 0
        resume(Effect.succeed({ code, stdout, stderr }))
      }
    )
  })

export const databaseOf = (folder: string): string => join(folder, ".mound", "mound.db")
