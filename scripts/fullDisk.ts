/**
 * `node dist/scripts/fullDisk.js`: a hub in a process of its own on a small file system of its own, filled to the last byte. Needs the
 * right to mount one; exit 1 if anything is lost or misreported.
 */
import { execFileSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { runFullDisk } from "../test/support/fullDisk.js"
import { makeWorkspace, removeWorkspace, spawnHub } from "../test/support/hubProcess.js"

/** A hub needs 64 MiB free to start. */
const size = "96m"

/** Writes a file until nothing more fits. */
const fillUp = (file: string): void => {
  const descriptor = openSync(file, "w")
  try {
    for (let chunk = 1_048_576; chunk >= 1; chunk = Math.floor(chunk / 2)) {
      for (;;) {
        try {
          if (writeSync(descriptor, Buffer.alloc(chunk)) < chunk) break
        } catch {
          break
        }
      }
    }
  } finally {
    closeSync(descriptor)
  }
}

const folder = makeWorkspace()
execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "mound-full-disk", folder])
try {
  const workspace = join(folder, "workspace")
  mkdirSync(workspace)
  const hub = spawnHub(workspace, { flags: ["--quiet"] })
  const faults = await runFullDisk({
    url: await hub.url(),
    path: join(workspace, ".mound/mound.db"),
    fill: () => fillUp(join(folder, "ballast")),
    free: () => rmSync(join(folder, "ballast"))
  })
  const { code } = await hub.stop()
  if (code !== 0) faults.push(`the hub ended with ${code}`)
  console.log(JSON.stringify({ size, faults }, null, 2))
  process.exitCode = faults.length === 0 ? 0 : 1
} finally {
  execFileSync("umount", [folder])
  removeWorkspace(folder)
}
