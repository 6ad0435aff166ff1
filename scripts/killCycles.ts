/** `node dist/scripts/killCycles.js [cycles] [seed]`: kills a working hub again and again; exit 1 if anything is lost or misreported. */

import { makeWorkspace, removeWorkspace } from "../test/support/hubProcess.js"
import { runKillCycles } from "../test/support/killCycles.js"

const [cycles = "200", seed = String(process.pid)] = process.argv.slice(2)
const workspace = makeWorkspace()
const startedAt = performance.now()
const result = await runKillCycles({
  workspace,
  cycles: Number(cycles),
  clients: 16,
  longestWorkMs: 1_000,
  seed: Number(seed),
  onCycle: (cycle, { events, acknowledged, inDoubt, faults }) =>
    console.error(
      `cycle ${cycle}: ${events} events, ${acknowledged} acknowledged, ${inDoubt} in doubt, ${faults.length} faults`
    )
})
const seconds = Math.round((performance.now() - startedAt) / 1_000)
console.log(JSON.stringify({ seed: Number(seed), cycles: Number(cycles), seconds, ...result }, null, 2))
if (result.faults.length > 0) {
  console.error(`the workspace is kept: ${workspace}`)
  process.exitCode = 1
} else removeWorkspace(workspace)
