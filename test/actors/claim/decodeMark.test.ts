import { describe, expect, it } from "@effect/vitest"
import { decodeMark } from "../../../src/actors/claim/decodeMark.js"

const valid = { id: "a", stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
const with_ = (fields: object) => ({ ...valid, ...fields })
const without = (field: string) => Object.fromEntries(Object.entries(valid).filter(([key]) => key !== field))
const infinite = JSON.parse("1e999")

/** A body and the word for its first fault (contracts: ledger 2.1, 8). */
const faults: ReadonlyArray<readonly [unknown, string]> = [
  [{}, "missing id"],
  [[], "missing id"],
  ["x", "missing id"],
  [5, "missing id"],
  [true, "missing id"],
  [null, "missing id"],
  [without("id"), "missing id"],
  [with_({ id: "" }), "missing id"],
  [with_({ id: 5 }), "missing id"],
  [without("stanceTarget"), "stanceTarget"],
  [with_({ stanceTarget: 3 }), "stanceTarget"],
  [with_({ stanceTarget: "é".repeat(513) }), "stanceTarget"],
  [without("baseIntensity"), "baseIntensity"],
  [with_({ baseIntensity: "1" }), "baseIntensity"],
  [with_({ baseIntensity: null }), "baseIntensity"],
  [with_({ baseIntensity: infinite }), "baseIntensity"],
  [without("decayRate"), "decayRate"],
  [with_({ decayRate: "0" }), "decayRate"],
  [with_({ decayRate: -1 }), "decayRate"],
  [with_({ decayRate: infinite }), "decayRate"],
  [with_({ seq: "1" }), "seq"],
  [with_({ seq: null }), "seq"],
  [with_({ seq: infinite }), "seq"],
  [with_({ inflations: -1 }), "inflations"],
  [with_({ inflations: 1.5 }), "inflations"],
  [with_({ inflations: "1" }), "inflations"],
  [with_({ inflations: null }), "inflations"],
  [with_({ inflations: 2 ** 53 }), "inflations"],
  [with_({ id: "." }), "invalid id"],
  [with_({ id: ".." }), "invalid id"],
  [with_({ id: "\ud800" }), "invalid id"],
  [with_({ id: "a\nb" }), "invalid id"],
  [with_({ id: "x".repeat(513) }), "invalid id"],
  [with_({ id: "é".repeat(257) }), "invalid id"]
]

describe("decodeMark", () => {
  it.each(faults)("finds the fault of %j: %s", (body, word) => {
    expect(decodeMark(body)).toBe(word)
  })

  it("names the first fault in the contract's order", () => {
    const inOrder = [
      ["id", ""],
      ["stanceTarget", 3],
      ["baseIntensity", "1"],
      ["decayRate", -1],
      ["seq", null],
      ["inflations", 0.5]
    ] as const
    const words = inOrder.map((_, from) => decodeMark(with_(Object.fromEntries(inOrder.slice(from)))))
    expect(words).toEqual(["missing id", "stanceTarget", "baseIntensity", "decayRate", "seq", "inflations"])
    expect(decodeMark(with_({ id: "..", inflations: 0.5 }))).toBe("inflations")
  })

  it.each([
    with_({ stanceTarget: "" }),
    with_({ baseIntensity: -1 }),
    with_({ decayRate: 5 }),
    with_({ seq: 1.5 }),
    with_({ inflations: 0 }),
    with_({ payload: null }),
    with_({ payload: [1, "x", { y: true }], kind: "k", agentId: "g", maxAttempts: "3", more: 1 }),
    with_({ id: "a b/ü:1" }),
    with_({ id: "x".repeat(512) }),
    with_({ stanceTarget: "x".repeat(1_024) })
  ])("accepts %j and keeps it as it is", (body) => {
    expect(decodeMark(body)).toEqual(body)
  })

  it("drops the client's intensity, keeps every other key and their order, and pollutes nothing", () => {
    const sent = `{"intensity":9,"id":"a","publishedAt":5,"stanceTarget":"s","baseIntensity":1,"decayRate":0,
      "zz":[1.50],"inflations":2,"__proto__":{"x":1},"7":1}`
    const mark = decodeMark(JSON.parse(sent))
    expect(JSON.stringify(mark)).toBe(
      '{"7":1,"id":"a","publishedAt":5,"stanceTarget":"s","baseIntensity":1,"decayRate":0,"zz":[1.5],"inflations":2,"__proto__":{"x":1}}'
    )
    expect((mark as { x?: unknown }).x).toBeUndefined()
  })
})
