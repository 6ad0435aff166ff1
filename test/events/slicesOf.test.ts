import { describe, expect, it } from "@effect/vitest"
import { slicesOf } from "../../src/events/slicesOf.js"

describe("slicesOf", () => {
  it("cuts a list into slices of so many, in order, the last one shorter, and none of nothing", () => {
    expect(slicesOf([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]])
    expect(slicesOf([1, 2, 3, 4], 2)).toEqual([
      [1, 2],
      [3, 4]
    ])
    expect(slicesOf([1], 2)).toEqual([[1]])
    expect(slicesOf([], 2)).toEqual([])
  })
})
