/**
 * `npm run soak -- --minutes 20`: works a hub with restarts and followers; exit 1 for anything lost, repeated or growing. A boot lasts
 * `--restart-every` seconds: what grows by the minute would not show in shorter ones.
 */
import { parseArgs } from "node:util"
import { makeWorkspace, removeWorkspace } from "../test/support/hubProcess.js"
import { runSoak } from "../test/support/soak.js"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    clients: { type: "string", default: "16" },
    followers: { type: "string", default: "20" },
    "restart-every": { type: "string", default: "300" },
    rate: { type: "string", default: "500" },
    seed: { type: "string", default: String(process.pid) }
  }
})
const workspace = makeWorkspace()
const { samples, ...result } = await runSoak({
  workspace,
  durationMs: Number(values.minutes) * 60_000,
  restartEveryMs: Number(values["restart-every"]) * 1_000,
  sampleEveryMs: 2_000,
  clients: Number(values.clients),
  followers: Number(values.followers),
  commandsPerSecond: Number(values.rate),
  seed: Number(values.seed),
  onSample: ({ atMs, boot, events, heapBytes, handles, openFiles, walBytes }) =>
    console.error(
      `${Math.round(atMs / 1_000)}s boot ${boot}: ${events} events, heap ${(heapBytes / 1e6).toFixed(1)} MB, ${handles} handles, ${openFiles} files, WAL ${(walBytes / 1e6).toFixed(1)} MB`
    )
})
console.log(JSON.stringify({ seed: Number(values.seed), samples: samples.length, ...result }, null, 2))
if (result.faults.length > 0) {
  console.error(`the workspace is kept: ${workspace}`)
  process.exitCode = 1
} else removeWorkspace(workspace)
