/** Looking at real processes. */
import { readFileSync } from "node:fs"
import { Effect } from "effect"

/** Whether a process runs; one that only waits to be reaped does not. */
export const isRunning = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(") ") + 2)[0] !== "Z"
  } catch {
    return false
  }
}

const lookMs = 10

/** Completes once the condition holds; the test's own limit is the only one. */
export const eventually = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition() ? Effect.void : Effect.zipRight(Effect.sleep(lookMs), eventually(condition))
  )
