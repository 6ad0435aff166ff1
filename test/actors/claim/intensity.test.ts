import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { intensity } from "../../../src/actors/claim/intensity.js"

/** base, decay, publishedAt, inflations, now -> value (contracts: ledger 8). */
const vectors = [
  [1, 0.05, 0, 0, 10_000, 0.6065306597126334],
  [0.45, 0.05, 1_000, 0, 61_000, 0.022404180765538774],
  [0.35, 0.04, 0, 2, 25_000, 2.1287578044100046],
  [1, 0, 0, 0, 1e12, 1],
  [5, 2, 1_000, 3, 0, 8],
  [-2, 0.1, 0, 0, 10_000, -0.7357588823428847],
  [1, 0.01, 0, 0, 500, 0.9950124791926823],
  [0.8, 1, 0, 1, 800_000, 1]
] as const

const marks = fc.record({
  baseIntensity: fc.double({ noNaN: true, noDefaultInfinity: true }),
  decayRate: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  publishedAt: fc.integer({ min: 0, max: 2e12 }),
  inflations: fc.integer({ min: 0, max: 2 ** 53 - 1 })
})
const instants = fc.integer({ min: 0, max: 4e12 })

describe("intensity", () => {
  it.each(vectors)("of base %d, decay %d, published at %d, inflated %d times is at %d: %d", (...vector) => {
    const [baseIntensity, decayRate, publishedAt, inflations, now, value] = vector
    const actual = intensity({ baseIntensity, decayRate, publishedAt, inflations }, now)
    expect(Math.abs(actual - value) / Math.abs(value)).toBeLessThanOrEqual(1e-12)
  })

  it("lies between its floor and what was published on top of it, always a number", () => {
    fc.assert(
      fc.property(marks, instants, (mark, now) => {
        const value = intensity(mark, now)
        const full = mark.baseIntensity + mark.inflations
        expect(value).toBeGreaterThanOrEqual(Math.min(mark.inflations, full))
        expect(value).toBeLessThanOrEqual(Math.max(mark.inflations, full))
      })
    )
  })

  it("only ever moves towards its floor as time passes", () => {
    fc.assert(
      fc.property(marks, instants, instants, (mark, one, other) => {
        const [sooner, later] = [Math.min(one, other), Math.max(one, other)]
        const distance = (now: number) => Math.abs(intensity(mark, now) - mark.inflations)
        expect(distance(later)).toBeLessThanOrEqual(distance(sooner))
      })
    )
  })

  it("is whole until the mark was published, by whatever clock", () => {
    fc.assert(
      fc.property(marks, (mark) => {
        expect(intensity(mark, 0)).toBe(mark.baseIntensity + mark.inflations)
        expect(intensity(mark, mark.publishedAt)).toBe(mark.baseIntensity + mark.inflations)
      })
    )
  })
})
