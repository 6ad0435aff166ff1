/**
 * Answers of roles, on the disk before they are reported: `<outbox>/<runId>/<round>-<attempt>.json`. What a worker wrote down counts,
 * also when the hub was killed before it heard of it (contracts: senses and workflows 2.3, 3.3).
 */
import {
  closeSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync
} from "node:fs"
import { rm, rmdir, unlink } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, Option, Schema } from "effect"
import { Output } from "../actors/run/RunCommand.js"

const decodeOutput = Schema.decodeUnknownOption(Schema.parseJson(Output))

export const outboxOf = (stateDir: string): string => join(stateDir, "outbox")

const fileOf = (folder: string, runId: string, round: number, attempt: number): string =>
  join(folder, runId, `${round}-${attempt}.json`)

const sync = promisify(fsync)

/**
 * Durable when it completes; whole or not there, whenever the process is killed. Other roles go on while it waits for the disk; what
 * only touches memory is not worth a trip to another thread.
 */
export const writeAnswer = async (
  folder: string,
  { runId, round, attempt }: { readonly runId: string; readonly round: number; readonly attempt: number },
  output: Output
): Promise<void> => {
  const path = fileOf(folder, runId, round, attempt)
  mkdirSync(join(folder, runId), { recursive: true, mode: 0o700 })
  const temporary = `${path}.tmp`
  const file = openSync(temporary, "w", 0o600)
  try {
    writeFileSync(file, JSON.stringify(output))
    await sync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

/** The answer of an attempt; undefined when none was written. What is there and cannot be read is none. */
export const readAnswer = (
  folder: string,
  runId: string,
  round: number,
  attempt: number
): Output | undefined => {
  try {
    return Option.getOrUndefined(decodeOutput(readFileSync(fileOf(folder, runId, round, attempt), "utf8")))
  } catch {
    return undefined
  }
}

/** Without waiting for the disk on the hub's own thread; a file that cannot be removed is removed at the next start. */
const removing = (what: () => Promise<void>): Effect.Effect<void> => Effect.ignore(Effect.tryPromise(what))

export const removeAnswer = (
  folder: string,
  runId: string,
  round: number,
  attempt: number
): Effect.Effect<void> => removing(() => unlink(fileOf(folder, runId, round, attempt)))

/** A run's folder with all that is left in it: mostly nothing is, and that is cheaper to find out by trying. */
export const removeAnswers = (folder: string, runId: string): Effect.Effect<void> => {
  const path = join(folder, runId)
  return removing(() =>
    rmdir(path).catch(({ code }) =>
      code === "ENOENT" ? undefined : rm(path, { recursive: true, force: true })
    )
  )
}

/** Runs that have a folder. */
export const runsWithAnswers = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
