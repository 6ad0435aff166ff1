/** What a process and its children have cost so far, by the system's own account. */
import { readdirSync, readFileSync } from "node:fs"

/** Clock ticks a second in `/proc`: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** User and system time of a process and of all that it started and that still lives, ms. NaN where there is no `/proc`. */
export const cpuMs = (pid: number): number => {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce(
      (sum, task) => childrenOf(pid, task).reduce((inner, child) => inner + (cpuMs(child) || 0), sum),
      ownMs(pid)
    )
  } catch {
    return Number.NaN
  }
}

/** Fields 14 and 15 of `stat`, counted behind the name: that may have spaces and brackets in it. */
const ownMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond
}

const childrenOf = (pid: number, task: string): ReadonlyArray<number> =>
  readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number)
