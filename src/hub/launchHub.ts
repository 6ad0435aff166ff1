/**
 * Starts a hub in the background and waits until it is ready or says why not (contracts: hub 3.3). The hub is a process of its own
 * session; it stays when this one dies, and ends when this one is told to give up.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Option, Schema } from "effect"
import { StartReport } from "./startReport.js"

export interface Launch {
  readonly stateDir: string
  /** The program and the arguments that run a hub in the foreground. */
  readonly command: ReadonlyArray<string>
  readonly environment: { readonly [name: string]: string | undefined }
  readonly bootId: string
  /** How long without a report before the hub counts as hung, ms. */
  readonly readyTimeoutMs: number
}

/** The hub did not come up; with its own words, if it had any. */
export class LaunchFailed extends Schema.TaggedError<LaunchFailed>()("LaunchFailed", {
  tag: Schema.String,
  message: Schema.String,
  fix: Schema.NullOr(Schema.String),
  exitCode: Schema.Int
}) {}

const maxErrorBytes = 1024 * 1024
const shownErrorBytes = 2 * 1024
const termMs = 5_000

export const launchHub = (launch: Launch): Effect.Effect<void, LaunchFailed> =>
  Effect.acquireUseRelease(
    Effect.sync(() => spawnHub(launch)),
    (child) => untilReady(child, launch),
    (child, exit) => (exit._tag === "Success" ? letGo(child) : end(child))
  )

/** Raw output of background hubs: what the program prints when it cannot log any more. */
export const rawOutputPath = (stateDir: string): string => join(stateDir, "logs", "hub.err")

const spawnHub = ({ stateDir, command, environment, bootId }: Launch): ChildProcess => {
  const path = rawOutputPath(stateDir)
  mkdirSync(join(stateDir, "logs"), { recursive: true, mode: 0o700 })
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (bytes > maxErrorBytes) renameSync(path, `${path}.1`)
  const output = openSync(path, "a", 0o600)
  const [program = "", ...args] = command
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", output, output, "ipc"],
    env: { ...environment, MOUND_BOOT_ID: bootId }
  })
  closeSync(output)
  return child
}

const decode = Schema.decodeUnknownOption(StartReport)

const untilReady = (child: ChildProcess, launch: Launch): Effect.Effect<void, LaunchFailed> =>
  Effect.async<void, LaunchFailed>((resume) => {
    const failed = (tag: string, message: string, fix: string | null, exitCode = 1) =>
      resume(new LaunchFailed({ tag, message, fix, exitCode }))
    const hung = setTimeout(
      () =>
        failed(
          "StartTimedOut",
          `the hub has not been heard of for ${launch.readyTimeoutMs} ms${lastWords(launch)}`,
          null
        ),
      launch.readyTimeoutMs
    )
    child.on("message", (message) => {
      const report = Option.getOrUndefined(decode(message))
      hung.refresh()
      if (report?.type === "ready") resume(Effect.void)
      if (report?.type === "failed") failed(report.tag, report.message, report.fix, report.exitCode)
    })
    child.on("error", (error) =>
      failed("StartFailed", `the hub's process cannot be started: ${error.message}`, null)
    )
    child.on("exit", (code, signal) => {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`
      failed("StartFailed", `the hub ended before it was ready, ${how}${lastWords(launch)}`, null)
    })
    return Effect.sync(() => clearTimeout(hung))
  }).pipe(Effect.ensuring(Effect.sync(() => child.removeAllListeners())))

/** The end of its raw output, for a failure that it could not explain itself. */
const lastWords = ({ stateDir }: Launch): string => {
  const text = readFileSync(rawOutputPath(stateDir)).subarray(-shownErrorBytes).toString().trim()
  return text === "" ? "" : `; its last words:\n${text}`
}

const letGo = (child: ChildProcess): Effect.Effect<void> =>
  Effect.sync(() => {
    child.disconnect()
    child.unref()
  })

const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
      return resume(Effect.void)
    const kill = setTimeout(() => child.kill("SIGKILL"), termMs)
    child.on("exit", () => {
      clearTimeout(kill)
      resume(Effect.void)
    })
    child.kill("SIGTERM")
  })
