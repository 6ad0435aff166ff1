import { describe, expect, it } from "@effect/vitest"
import { makeWorkspace, removeWorkspace } from "../support/hubProcess.js"
import { runKillCycles } from "../support/killCycles.js"

describe("A hub that is killed while clients work on it", () => {
  it("loses and misreports nothing: five times, and the next hub always starts", async () => {
    const workspace = makeWorkspace()
    try {
      const cycles = 5
      const options = { workspace, cycles, clients: 12, longestWorkMs: 400, seed: process.pid }
      const result = await runKillCycles(options)
      expect(result.faults).toEqual([])
      expect(result.losses).toBeGreaterThanOrEqual(cycles)
      expect(result.acknowledged).toBeGreaterThan(0)
    } finally {
      removeWorkspace(workspace)
    }
  }, 120_000)
})
