/** Starts and ends sessions as plain processes, each with a group of its own, and writes to their standard input. */
import { spawn } from "node:child_process"
import { closeSync, constants, openSync, writeSync } from "node:fs"
import { Data, Effect, Schedule } from "effect"
import { isRunning, membersOf, type ProcessName, signal } from "./ProcessTable.js"
import { type Exit, type SessionFolder, wrapperName, wrapperScript } from "./SessionFolder.js"
import type { SessionMemory } from "./Sessions.js"

export class SpawnFailed extends Data.TaggedError("SpawnFailed")<{ readonly detail: string }> {}

export interface Command {
  readonly argv: ReadonlyArray<string>
  readonly cwd: string
  readonly env: { readonly [name: string]: string }
}

/** Starts the wrapper with the command in it; completes with its pid. It goes on when this process ends. */
export const startProcess = (
  folder: SessionFolder,
  memory: SessionMemory,
  { argv, cwd, env }: Command
): Effect.Effect<number, SpawnFailed> =>
  Effect.async((resume) => {
    const child = spawn("/bin/sh", ["-c", wrapperScript, wrapperName, folder.path, ...argv], {
      cwd,
      env,
      detached: true,
      stdio: "ignore"
    })
    child.unref()
    child.once("error", (error) => resume(new SpawnFailed({ detail: error.message })))
    child.once("spawn", () => {
      memory.isOwn = true
      memory.isMidLine = false
      resume(Effect.succeed(child.pid as number))
    })
    child.once("exit", (code, name) => {
      memory.wrapperExit = { code, signal: name }
      memory.changed()
    })
  })

/** A pipe that is full is tried again so soon. */
const fullPipeMs = 5
/** The child may not have been started yet: its end of the pipe is awaited so often. */
const noReaderMs = 20

/**
 * Writes a line to a session's standard input, however long the session takes to read it. A write that is interrupted leaves half a
 * line: the next one then begins with a line break, so that only that half is lost.
 */
export const writeLine = (folder: SessionFolder, memory: SessionMemory, line: string): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    openInput(folder),
    (file) =>
      Effect.gen(function* () {
        const bytes = Buffer.from(`${memory.isMidLine ? "\n" : ""}${line}\n`)
        memory.isMidLine = true
        for (let written = 0; written < bytes.length; ) {
          const count = tryWrite(file, bytes.subarray(written))
          if (count === undefined) yield* Effect.sleep(fullPipeMs)
          else written += count
        }
        memory.isMidLine = false
      }),
    (file) => Effect.sync(() => closeSync(file))
  )

const openInput = (folder: SessionFolder): Effect.Effect<number> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(openSync(folder.file("in"), constants.O_WRONLY | constants.O_NONBLOCK))
    } catch (error) {
      const { code } = error as { readonly code?: string }
      if (code !== "ENXIO" && code !== "ENOENT") return Effect.die(error)
      return Effect.interruptible(Effect.delay(openInput(folder), noReaderMs))
    }
  })

const tryWrite = (file: number, bytes: Uint8Array): number | undefined => {
  try {
    return writeSync(file, bytes)
  } catch (error) {
    const { code } = error as { readonly code?: string }
    // Nobody reads any more: its end is somebody else's to notice.
    if (code === "EPIPE") return bytes.length
    if (code === "EAGAIN") return undefined
    throw error
  }
}

/** How a session ended, if it did. What the wrapper wrote counts first; one that was killed could not write. */
export const endOf = (
  folder: SessionFolder,
  memory: SessionMemory,
  name: ProcessName | undefined
): Exit | undefined => {
  if (!folder.has("exit") && name && isRunning(name)) return undefined
  return folder.exit() ?? memory.wrapperExit ?? { code: null, signal: null }
}

/** How often a group that was signalled is looked at. */
const groupStepMs = 20

/** Ends a session's whole group: asks, waits, and then does not ask. Completes when nothing of it is left. */
export const endGroup = (group: number, sessionId: string, graceMs: number): Effect.Effect<void> => {
  const signalled = new Set<string>()
  /** Each member once: one may be born while the others are being asked. */
  const signalAll = (name: NodeJS.Signals): boolean => {
    const members = membersOf(group, sessionId)
    for (const pid of members) {
      if (!signalled.has(`${name} ${pid}`)) signal(pid, name)
      signalled.add(`${name} ${pid}`)
    }
    return members.length > 0
  }
  const until = (name: NodeJS.Signals) =>
    Effect.repeat(
      Effect.sync(() => signalAll(name)),
      { while: (isLeft) => isLeft, schedule: Schedule.spaced(groupStepMs) }
    )
  const asked = graceMs === 0 ? Effect.void : Effect.timeoutOption(until("SIGTERM"), graceMs)
  return Effect.asVoid(Effect.zipRight(asked, until("SIGKILL")))
}
