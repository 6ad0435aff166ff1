/**
 * Answers of roles, on the disk before they are reported: `<outbox>/<runId>/<round>-<attempt>.json`. What a worker wrote down counts,
 * also when the hub was killed before it heard of it (contracts: senses and workflows 2.3, 3.3).
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync
} from "node:fs"
import { join } from "node:path"
import { Option, Schema } from "effect"
import { Output } from "../actors/run/RunCommand.js"

const decodeOutput = Schema.decodeUnknownOption(Schema.parseJson(Output))

export const outboxOf = (stateDir: string): string => join(stateDir, "outbox")

const fileOf = (folder: string, runId: string, round: number, attempt: number): string =>
  join(folder, runId, `${round}-${attempt}.json`)

/** Durable when it returns; whole or not there, whenever the process is killed. */
export const writeAnswer = (
  folder: string,
  { runId, round, attempt }: { readonly runId: string; readonly round: number; readonly attempt: number },
  output: Output
): void => {
  const path = fileOf(folder, runId, round, attempt)
  mkdirSync(join(folder, runId), { recursive: true, mode: 0o700 })
  const temporary = `${path}.tmp`
  const descriptor = openSync(temporary, "w", 0o600)
  try {
    writeSync(descriptor, JSON.stringify(output))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
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

export const removeAnswer = (folder: string, runId: string, round: number, attempt: number): void =>
  rmSync(fileOf(folder, runId, round, attempt), { force: true })

export const removeAnswers = (folder: string, runId: string): void =>
  rmSync(join(folder, runId), { recursive: true, force: true })

/** Runs that have a folder. */
export const runsWithAnswers = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
