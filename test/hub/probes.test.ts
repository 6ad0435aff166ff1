import { describe, expect, it } from "@effect/vitest"
import { type Probe, Watcher } from "../../src/hub/probes.js"

const probe: Probe = {
  component: "journal",
  reason: "queue_high",
  subject: "",
  status: "degraded",
  limit: 5_000,
  clearAt: 2_500,
  holdMs: 10_000,
  bad: "above",
  measure: () => 0
}

/** What a watcher says to measurements five seconds apart. */
const crossings = (watched: Probe, values: ReadonlyArray<number>): ReadonlyArray<string> => {
  const watcher = new Watcher(watched)
  let isRaised = false
  return values.map((value, index) => {
    const crossing = watcher.look(value, isRaised, index * 5_000)
    if (crossing) isRaised = crossing === "raise"
    return crossing ?? "-"
  })
}

describe("a probe", () => {
  it("is raised once when it has been beyond its limit for its hold time", () => {
    expect(crossings(probe, [6_000, 6_000, 6_000, 6_000])).toEqual(["-", "-", "raise", "-"])
  })

  it("is not raised by a peak that passes", () => {
    expect(crossings(probe, [6_000, 100, 6_000, 6_000, 100])).toEqual(["-", "-", "-", "-", "-"])
  })

  it("is cleared only when it has come back further than its limit, for as long", () => {
    expect(crossings(probe, [6_000, 6_000, 6_000, 4_000, 4_000, 4_000, 2_000, 2_000, 2_000])).toEqual([
      "-",
      "-",
      "raise",
      "-",
      "-",
      "-",
      "-",
      "-",
      "clear"
    ])
  })

  it("may mean that too little is bad", () => {
    const disk: Probe = { ...probe, bad: "below", limit: 1_000, clearAt: 1_200, holdMs: 0 }
    expect(crossings(disk, [2_000, 900, 1_100, 1_200])).toEqual(["-", "raise", "-", "clear"])
  })
})
