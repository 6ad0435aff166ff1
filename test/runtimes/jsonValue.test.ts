import { describe, expect, it } from "@effect/vitest"
import { errorText } from "../../src/runtimes/errorText.js"
import { jsonValue } from "../../src/runtimes/jsonValue.js"

describe("jsonValue", () => {
  it("is what survives JSON", () => {
    expect(jsonValue({ a: undefined, b: new Date(0), c: Number.NaN }, 1_000)).toEqual({
      value: { b: "1970-01-01T00:00:00.000Z", c: null },
      bytes: 41
    })
    expect(jsonValue(undefined, 1_000)).toEqual({ value: null, bytes: 4 })
  })

  it("names what does not", () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    for (const wrong of [10n, { n: 10n }, cycle, () => 1, Number.NaN, Symbol("s"), "x".repeat(99)]) {
      expect(jsonValue(wrong, 100)).toHaveProperty("problem")
    }
  })
})

describe("errorText", () => {
  it("bounds the message and the stack, each for itself", () => {
    const error = new Error("m".repeat(5_000))
    error.stack = `Error: ${error.message}\n${"    at somewhere\n".repeat(1_000)}`
    const text = errorText(error)
    expect(text.length).toBeLessThanOrEqual(2_048 + 4_096)
    expect(text).toContain("at somewhere")
    expect(errorText({ odd: 1 })).toBe(`{"odd":1}`)
  })
})
