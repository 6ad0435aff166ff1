/** Processes of this machine as the operating system shows them: finding those that a worker left, and ending them. */
import { readdirSync, readFileSync } from "node:fs"
import { Effect } from "effect"
import { markVariable } from "./workerProtocol.js"

/** How long processes may take to be gone after SIGKILL (contracts: senses and workflows 3.5). */
const goneMs = 5_000
const stepMs = 10

/** SIGKILL to a whole process group. One that is gone already is no fault. */
export const killGroup = (leader: number): void => {
  try {
    process.kill(-leader, "SIGKILL")
  } catch {
    // ESRCH: nobody is left.
  }
}

/**
 * SIGKILL to every process whose environment has a mark that is meant, also to those that left their group, and waits until they are
 * gone; answers how many there were. Where the system shows no environments (other than Linux) it finds none.
 */
export const endMarked = (isMeant: (mark: string) => boolean): Effect.Effect<number> =>
  Effect.gen(function* () {
    const found = marked(isMeant)
    let left = found
    for (let waited = 0; left.length > 0 && waited < goneMs; waited += stepMs) {
      for (const pid of left) kill(pid)
      yield* Effect.sleep(stepMs)
      // One of them may have started another before it died.
      left = marked(isMeant)
    }
    return found.length
  })

/** When a process started, in the kernel's ticks since it booted: with the pid it names one process and no later one. */
export const startedAt = (pid: number): string | null => {
  const stat = readText(`/proc/${pid}/stat`)
  // The name before it may hold anything, parentheses too.
  return stat.slice(stat.lastIndexOf(") ") + 2).split(" ")[19] ?? null
}

/** A process that is only waiting to be reaped shows no environment: it counts as gone. */
const marked = (isMeant: (mark: string) => boolean): ReadonlyArray<number> =>
  pids().filter((pid) => {
    const variable = readText(`/proc/${pid}/environ`)
      .split("\0")
      .find((each) => each.startsWith(`${markVariable}=`))
    return variable !== undefined && isMeant(variable.slice(markVariable.length + 1))
  })

const pids = (): ReadonlyArray<number> => {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid)
  } catch {
    return []
  }
}

/** Empty for a process that has gone meanwhile, or is not ours to read. */
const readText = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It is gone already.
  }
}
