import { describe, expect, it } from "@effect/vitest"
import { makeWorkspace, removeWorkspace } from "../support/hubProcess.js"
import { runSoak } from "../support/soak.js"

describe("A hub that works on, with restarts", () => {
  it("answers for all it has said, shows followers everything once, and holds no more than before", async () => {
    const workspace = makeWorkspace()
    try {
      const result = await runSoak({
        workspace,
        durationMs: 6_000,
        restartEveryMs: 2_500,
        sampleEveryMs: 250,
        clients: 6,
        followers: 5,
        commandsPerSecond: 300,
        seed: process.pid
      })
      expect(result.faults).toEqual([])
      expect(result.restarts).toBeGreaterThanOrEqual(1)
      expect(result.reconnects).toBeGreaterThan(0)
      expect(result.acknowledged).toBeGreaterThan(0)
    } finally {
      removeWorkspace(workspace)
    }
  }, 120_000)
})
