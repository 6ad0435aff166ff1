import { describe, expect, it } from "@effect/vitest"
import { boolean, duration, integer, number, offOr, size, text, texts } from "../../src/config/parsers.js"

const valid = (value: unknown) => ({ value })
const invalid = { problem: expect.any(String) }

describe("a parser", () => {
  it("reads durations with a unit, within their limits", () => {
    const parse = duration(250, 86_400_000)
    const spans = { "250ms": 250, "30s": 30_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 }
    for (const [written, ms] of Object.entries(spans)) expect(parse(written)).toEqual(valid(ms))
    for (const wrong of ["249ms", "2d", "5", 5, "5 m", "1.5h", "-1s", "", null, undefined, "5M"]) {
      expect(parse(wrong)).toEqual(invalid)
    }
  })

  it("reads sizes in bytes, KiB, MiB and GiB", () => {
    const parse = size(1, 1_024 ** 3)
    expect(parse(65_536)).toEqual(valid(65_536))
    expect(parse("64KiB")).toEqual(valid(65_536))
    expect(parse("1GiB")).toEqual(valid(1_024 ** 3))
    for (const wrong of ["2GiB", "0", "64KB", "1.5MiB", "", null]) expect(parse(wrong)).toEqual(invalid)
  })

  it("reads whole numbers, written as numbers or as text", () => {
    const parse = integer(-1, 10)
    expect(parse("10")).toEqual(valid(10))
    expect(parse(-1)).toEqual(valid(-1))
    for (const wrong of [11, "11", 1.5, "1e1", "0x1", "", " 1", true, null])
      expect(parse(wrong)).toEqual(invalid)
  })

  it("reads finite numbers only", () => {
    expect(number("0.01")).toEqual(valid(0.01))
    expect(number(-3)).toEqual(valid(-3))
    for (const wrong of ["", " ", "x", Number.NaN, "Infinity", null, true])
      expect(number(wrong)).toEqual(invalid)
  })

  it("reads true and false as YAML and the environment write them", () => {
    for (const yes of [true, "true", "1"]) expect(boolean(yes)).toEqual(valid(true))
    for (const no of [false, "false", "0"]) expect(boolean(no)).toEqual(valid(false))
    for (const wrong of ["yes", 1, "", null]) expect(boolean(wrong)).toEqual(invalid)
  })

  it("reads texts, and lists of them", () => {
    expect(text("a")).toEqual(valid("a"))
    expect(text(5)).toEqual(invalid)
    expect(texts(["a", "b"])).toEqual(valid(["a", "b"]))
    expect(texts("a, b")).toEqual(valid(["a", "b"]))
    expect(texts(["a", 5])).toEqual(invalid)
  })

  it("takes off for none", () => {
    const parse = offOr(integer(1, 5))
    for (const off of ["off", false, 0, "0"]) expect(parse(off)).toEqual(valid(undefined))
    expect(parse(3)).toEqual(valid(3))
    expect(parse("on")).toEqual(invalid)
  })
})
