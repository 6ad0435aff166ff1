import { describe, expect, it } from "@effect/vitest"
import { RateLimits } from "../../src/http/RateLimits.js"

const limitsAt = (clock: { now: number }) =>
  new RateLimits({ perSecond: 200, burst: 400, maxFailures: 10 }, () => clock.now)

describe("the rate of requests", () => {
  it("lets a burst through, then as many as it fills up, and says when the next may come", () => {
    const clock = { now: 0 }
    const limits = limitsAt(clock)
    const asked = (count: number) => Array.from({ length: count }, () => limits.ask("a"))
    expect(asked(400).every((wait) => wait === 0)).toBe(true)
    expect(limits.ask("a")).toBe(5)
    clock.now = 5
    expect([limits.ask("a"), limits.ask("a")]).toEqual([0, 5])
    clock.now = 1_005
    expect(asked(201).map((wait) => wait > 0)).toEqual([...Array(200).fill(false), true])
    clock.now = 1e9
    expect(asked(401).filter((wait) => wait > 0)).toHaveLength(1)
  })

  it("is each caller's own", () => {
    const limits = limitsAt({ now: 0 })
    for (let n = 0; n < 401; n++) limits.ask("a")
    expect([limits.ask("a") > 0, limits.ask("b")]).toEqual([true, 0])
  })
})

describe("an address that shows unknown tokens", () => {
  it("is shut out for a minute by the tenth within one", () => {
    const clock = { now: 0 }
    const limits = limitsAt(clock)
    for (let n = 0; n < 9; n++) limits.failed("a")
    expect(limits.shutOut("a")).toBe(0)
    clock.now = 30_000
    limits.failed("a")
    expect([limits.shutOut("a"), limits.shutOut("b")]).toEqual([60_000, 0])
    clock.now = 89_999
    expect(limits.shutOut("a")).toBe(1)
    clock.now = 90_000
    expect(limits.shutOut("a")).toBe(0)
    limits.failed("a")
    expect(limits.shutOut("a")).toBe(0)
  })

  it("is not, when they are far between", () => {
    const clock = { now: 0 }
    const limits = limitsAt(clock)
    for (let n = 0; n < 30; n++) {
      limits.failed("a")
      clock.now += 7_000
    }
    expect(limits.shutOut("a")).toBe(0)
  })
})
