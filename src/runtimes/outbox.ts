/**
 * Answers of roles, on the disk before they are reported: `<outbox>/<runId>/<round>-<attempt>.json`. What a worker wrote down counts,
 * also when the hub was killed before it heard of it (contracts: senses and workflows 2.3, 3.3).
 */
import { readdirSync, readFileSync } from "node:fs"
import { mkdir, open, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Option, Schema } from "effect"
import { Output } from "../actors/run/RunCommand.js"

const decodeOutput = Schema.decodeUnknownOption(Schema.parseJson(Output))

export const outboxOf = (stateDir: string): string => join(stateDir, "outbox")

const fileOf = (folder: string, runId: string, round: number, attempt: number): string =>
  join(folder, runId, `${round}-${attempt}.json`)

/** Durable when it completes; whole or not there, whenever the process is killed. Other roles go on while it waits for the disk. */
export const writeAnswer = async (
  folder: string,
  { runId, round, attempt }: { readonly runId: string; readonly round: number; readonly attempt: number },
  output: Output
): Promise<void> => {
  const path = fileOf(folder, runId, round, attempt)
  await mkdir(join(folder, runId), { recursive: true, mode: 0o700 })
  const temporary = `${path}.tmp`
  const file = await open(temporary, "w", 0o600)
  try {
    await file.writeFile(JSON.stringify(output))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
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
const remove = (path: string): Effect.Effect<void> =>
  Effect.ignore(Effect.tryPromise(() => rm(path, { recursive: true, force: true })))

export const removeAnswer = (
  folder: string,
  runId: string,
  round: number,
  attempt: number
): Effect.Effect<void> => remove(fileOf(folder, runId, round, attempt))

export const removeAnswers = (folder: string, runId: string): Effect.Effect<void> =>
  remove(join(folder, runId))

/** Runs that have a folder. */
export const runsWithAnswers = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
