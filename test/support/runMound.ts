/** Runs the built binaries as a person would, and reads what they say. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { cleanEnvironment } from "./cleanEnvironment.js"

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const binary = (name: "mound" | "journal"): string =>
  fileURLToPath(new URL(`../../dist/bin/${name}.js`, import.meta.url))

/** Runs a verb to its end; `kill` is called with the process, for tests that do not wait. */
export const runMound = (
  args: ReadonlyArray<string>,
  options: {
    readonly binary?: "mound" | "journal"
    readonly cwd?: string
    readonly environment?: { readonly [name: string]: string }
    readonly onSpawn?: (kill: (signal: NodeJS.Signals) => void) => void
  } = {}
): Effect.Effect<Ran> =>
  Effect.async((resume) => {
    const child = spawn(process.execPath, [binary(options.binary ?? "mound"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      env: { ...cleanEnvironment, NO_COLOR: "1", ...options.environment }
    })
    options.onSpawn?.((signal) => child.kill(signal))
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk
    })
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk
    })
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
  })

/** A workspace of its own, removed with the scope, and whatever hub still runs in it ended. */
export const makeWorkspace = (yaml = ""): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "mound-test-"))
      writeFileSync(join(folder, "mound.yaml"), yaml)
      return folder
    }),
    (folder) =>
      Effect.zipRight(
        runMound(["stop", "--force", "--drain-timeout", "1s", "--workspace", folder]),
        Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      )
  )
