import { join } from "node:path"
import type { SenseContext } from "mound/workspace"

/** Acts at the one, and is ready to act again below the other: between them nothing happens twice. */
const actAt = 80
const restBelow = 60

/** Looks at what `disk-usage` has written down, and has room made when the scratch folder is nearly full. */
export async function compute({ peers, state, setState, workspace }: SenseContext) {
  const latest = peers["disk-usage"]
    ?.prepare("SELECT scratch_percent AS percent FROM samples ORDER BY at DESC LIMIT 1")
    .get() as { percent: number } | undefined
  if (!latest) return null
  const { percent } = latest
  const { isArmed } = (state ?? { isArmed: true }) as { isArmed: boolean }
  if (!isArmed && percent < restBelow) setState({ isArmed: true })
  if (!isArmed || percent < actAt) return null
  // Recorded together with the launch or not at all: a crash between them can neither lose nor repeat it.
  setState({ isArmed: false })
  return {
    workflow: `free-scratch|8|scratch at ${percent} % of 64 MiB`,
    path: join(workspace, "scratch"),
    pct: percent
  }
}
