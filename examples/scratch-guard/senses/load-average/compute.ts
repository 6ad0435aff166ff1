import { cpus, loadavg } from "node:os"
import type { SenseContext } from "mound/workspace"

/** Per CPU, over the last minute. */
const high = 2
/** One peak is no trouble. */
const patience = 3

/** Starts a triage when the load has been high three times running, once until it has been low again. */
export async function compute({ state, setState }: SenseContext) {
  const load = (loadavg()[0] ?? 0) / cpus().length
  const { inARow = 0 } = (state ?? {}) as { inARow?: number }
  const next = load >= high ? inARow + 1 : 0
  if (next !== inARow) setState({ inARow: next })
  if (next !== patience) return null
  return { workflow: `triage-load|6|load at ${load.toFixed(2)} per CPU, ${patience} times running`, load }
}
