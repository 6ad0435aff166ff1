/**
 * `hub.json`: where a hub can be found (contracts: hub 2). It proves nothing by itself: whoever reads it asks the hub at its url for
 * its boot id, or looks at the lock.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { Option, Schema } from "effect"

export const HubFile = Schema.Struct({
  format: Schema.Literal(1),
  bootId: Schema.String,
  pid: Schema.Int,
  pidStartedAt: Schema.NullOr(Schema.String),
  version: Schema.String,
  url: Schema.String,
  host: Schema.String,
  port: Schema.Int,
  socket: Schema.NullOr(Schema.String),
  startedAt: Schema.String,
  workspace: Schema.String
})
export type HubFile = typeof HubFile.Type

const pathIn = (stateDir: string) => join(stateDir, "hub.json")

/** Undefined when there is none, or none that this version can read. */
export const readHubFile = (stateDir: string): HubFile | undefined => {
  try {
    const json: unknown = JSON.parse(readFileSync(pathIn(stateDir), "utf8"))
    return Option.getOrUndefined(Schema.decodeUnknownOption(HubFile)(json))
  } catch {
    return undefined
  }
}

/** The token that the hub of this state folder asks for, if it has made one. */
export const tokenIn = (stateDir: string): string | undefined => {
  try {
    return readFileSync(join(stateDir, "token"), "utf8").trim()
  } catch {
    return undefined
  }
}

/** By a temporary file, fsync and rename: a reader finds the old one or the new one, whole. */
export const writeHubFile = (stateDir: string, file: HubFile): void => {
  const temporary = `${pathIn(stateDir)}.tmp`
  const descriptor = openSync(temporary, "w", 0o600)
  writeSync(descriptor, `${JSON.stringify(file)}\n`)
  fsyncSync(descriptor)
  closeSync(descriptor)
  renameSync(temporary, pathIn(stateDir))
}

/** Removes the file if it still names this boot. */
export const removeHubFile = (stateDir: string, bootId: string): void => {
  if (readHubFile(stateDir)?.bootId === bootId) rmSync(pathIn(stateDir), { force: true })
}

/** When a process started, as the operating system says; null where it does not say. */
export const processStartedAt = (pid: number): string | null => {
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1] ?? ""
    const ticks = Number(afterName.split(" ")[19])
    const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1])
    return new Date((bootSeconds + ticks / ticksPerSecond) * 1_000).toISOString()
  } catch {
    return null
  }
}

/** The kernel's clock ticks in /proc, the same on every Linux. */
const ticksPerSecond = 100
