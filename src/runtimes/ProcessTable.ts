/**
 * Which process is which. A pid alone says nothing, since it is given to others later: with its start time and the machine's boot id
 * it names one process for good, and nothing else is ever signalled (contracts: peers 4).
 */
import { readdirSync, readFileSync } from "node:fs"

export interface ProcessName {
  readonly pid: number
  /** In the kernel's ticks since boot. */
  readonly startTime: string
  readonly bootId: string
}

export const bootId = (): string => read("/proc/sys/kernel/random/boot_id").trim()

/** The process that has this pid now; undefined when there is none, or only what is left of one. */
export const nameProcess = (pid: number): ProcessName | undefined => {
  const stat = statOf(pid)
  return stat && stat.state !== "Z" ? { pid, startTime: stat.startTime, bootId: bootId() } : undefined
}

export const isRunning = (name: ProcessName): boolean => {
  const now = nameProcess(name.pid)
  return now !== undefined && now.startTime === name.startTime && now.bootId === name.bootId
}

/** The processes of a group that belong to a session by their environment. */
export const membersOf = (group: number, sessionId: string): ReadonlyArray<number> => {
  if (!existsGroup(group)) return []
  return pids().filter((pid) => {
    const stat = statOf(pid)
    return stat?.group === group && stat.state !== "Z" && belongsTo(pid, sessionId)
  })
}

/** Processes whose command line has this argument, with their arguments. */
export const findByArgument = (
  matches: (argument: string) => boolean
): ReadonlyArray<{ readonly pid: number; readonly argv: ReadonlyArray<string> }> =>
  pids().flatMap((pid) => {
    const argv = read(`/proc/${pid}/cmdline`).split("\0").slice(0, -1)
    return argv.some(matches) ? [{ pid, argv }] : []
  })

/** Sends a signal; that the process is gone already is not an error. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "ESRCH") throw error
  }
}

const existsGroup = (group: number): boolean => {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return (error as { readonly code?: string }).code === "EPERM"
  }
}

const belongsTo = (pid: number, sessionId: string): boolean =>
  read(`/proc/${pid}/environ`).split("\0").includes(`MOUND_SESSION_ID=${sessionId}`)

const pids = (): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

interface Stat {
  readonly state: string
  readonly group: number
  readonly startTime: string
}

/** Fields 3, 5 and 22 of proc(5); the name before them may hold blanks and parentheses. */
const statOf = (pid: number): Stat | undefined => {
  const text = read(`/proc/${pid}/stat`)
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  if (text === "" || fields.length < 20) return undefined
  return { state: fields[0] as string, group: Number(fields[2]), startTime: fields[19] as string }
}

/** Empty when the process is gone, or somebody else's. */
const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
