import { readdirSync, statfsSync, statSync } from "node:fs"
import { join } from "node:path"
import type { SenseContext } from "mound/workspace"

/** What the scratch folder may hold. */
const scratchLimit = 64 * 1024 * 1024

/** How full the disk and the scratch folder are; a signal whenever one of the two rounded numbers has changed. */
export async function compute({ db, now, state, setState, workspace }: SenseContext) {
  const disk = diskPercent(workspace)
  const bytes = scratchBytes(join(workspace, "scratch"))
  const scratch = Math.round((100 * bytes) / scratchLimit)
  db.prepare("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)").run(now, disk, bytes, scratch)
  const last = state as { disk: number; scratch: number } | null
  if (last?.disk === disk && last.scratch === scratch) return null
  setState({ disk, scratch })
  return { disk, scratch, bytes }
}

/** The number that `df` shows: of what users can have, rounded up. */
const diskPercent = (folder: string): number => {
  const { blocks, bfree, bavail } = statfsSync(folder)
  const used = blocks - bfree
  return Math.ceil((100 * used) / (used + bavail))
}

const scratchBytes = (folder: string): number => {
  try {
    return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
  } catch {
    return 0
  }
}
