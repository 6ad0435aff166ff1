/** The servers that are measured from outside, each in a process of its own, as people start them. */
import { type ChildProcess, spawn } from "node:child_process"
import { createRequire } from "node:module"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"

export interface Server {
  readonly port: number
  readonly pid: number
  /** From its start until it served, ms. */
  readonly startedInMs: number
}

/** The programs beside the compiled bench. */
export const binary = (name: "mound" | "journal"): string =>
  fileURLToPath(new URL(`../bin/${name}.js`, import.meta.url))

/** Mound's hub, once it is ready: that is when it prints its url. */
export const startHubProcess = (workspace: string): Effect.Effect<Server, never, Scope.Scope> =>
  start(
    [binary("mound"), "dev", "--workspace", workspace, "--port", "0", "--quiet"],
    {},
    {
      from: "stdout",
      said: /^http:\/\/127\.0\.0\.1:(\d+)$/m
    }
  )

/** The old ledger server on its SQLite store. */
export const startOldLedger = (folder: string): Effect.Effect<Server, never, Scope.Scope> =>
  start(
    [createRequire(import.meta.url).resolve("@oh-my-stigmergy/sbp-server")],
    { PORT: "0", SBP_LEDGER_SQLITE: join(folder, "ledger.db") },
    { from: "stderr", said: /^sbp listening (\d+)/m }
  )

/** The reference server of Durable Streams on its file storage. */
export const startReferenceStreams = (folder: string): Effect.Effect<Server, never, Scope.Scope> =>
  start(
    [fileURLToPath(new URL("./referenceStreams.js", import.meta.url))],
    { DATA: folder },
    { from: "stdout", said: /:(\d+)$/m }
  )

interface Greeting {
  readonly from: "stdout" | "stderr"
  /** Its first group is the port. */
  readonly said: RegExp
}

const start = (
  argv: ReadonlyArray<string>,
  environment: NodeJS.ProcessEnv,
  greeting: Greeting
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [...argv], {
          env: { ...process.env, ...environment },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      end
    )
    const port = yield* greeted(child, greeting)
    return { port, pid: child.pid as number, startedInMs: performance.now() - startedAt }
  })

/** Waits until a server has said its port. What it says from then on is thrown away. */
const greeted = (child: ChildProcess, { from, said }: Greeting): Effect.Effect<number> =>
  Effect.async<number>((resume) => {
    const heard = { stdout: "", stderr: "" }
    for (const name of ["stdout", "stderr"] as const) {
      const stream = child[name] as Readable
      stream.setEncoding("utf8").on("data", (text: string) => {
        if (heard.stderr.length < maxHeard) heard[name] += text
        const port = said.exec(heard[from])?.[1]
        if (port !== undefined) resume(Effect.succeed(Number(port)))
      })
    }
    child.once("exit", (code) =>
      resume(Effect.dieMessage(`${child.spawnargs.join(" ")} ended with code ${code}: ${heard.stderr}`))
    )
  })

const maxHeard = 10_000

/** By force: a server that counts on being asked to stop is none, and the old one waits for its clients to go. */
const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })
