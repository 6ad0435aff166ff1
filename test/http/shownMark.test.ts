/** What readers see of a mark, made in the quick way, is what it is in the plain one (contracts: ledger 2.2). */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import type { MarkRecord } from "../../src/actors/claim/ClaimEvent.js"
import { shownMark, shownText } from "../../src/http/shownMark.js"

const now = 1_700_000_100_000
const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
const count = fc.nat(1_000)
const time = fc.integer({ min: 0, max: 1_800_000_000_000 })
const key = fc.oneof(
  fc.constantFrom("id", "payload", "publishedAt", "inflations", "7", "__proto__", "kind"),
  fc.string({ maxLength: 4 })
)
const tricky = fc.constantFrom('"publishedAt":5,"inflations":0}', '}","inflations":1}', "ü\u2028")
const value = fc.oneof(
  fc.jsonValue(),
  tricky,
  fc.record({ publishedAt: time, inflations: count }),
  fc.dictionary(key, fc.oneof(count, tricky))
)

const both = (record: MarkRecord, publishedAt: number, inflations: number) => {
  const parsed: MarkRecord = JSON.parse(JSON.stringify(record))
  const text = JSON.stringify(parsed)
  const numberOf = (field: unknown) => (typeof field === "number" ? field : 0)
  const [base, decay] = [numberOf(parsed.baseIntensity), numberOf(parsed.decayRate)]
  return [
    shownText({ record: text, base, decay, publishedAt, inflations }, now),
    JSON.stringify(shownMark({ record: parsed, publishedAt, inflations }, now))
  ] as const
}

describe("a mark in a list", () => {
  it("is the same text as the mark alone, whatever was published", () => {
    fc.assert(
      fc.property(fc.dictionary(key, value), finite, finite, time, count, (more, base, decay, at, floor) => {
        const [text, plain] = both({ ...more, baseIntensity: base, decayRate: Math.abs(decay) }, at, floor)
        expect(text).toBe(plain)
      })
    )
  })

  it("is the same text where the record says itself when it was published, at its end or before it", () => {
    fc.assert(
      fc.property(fc.dictionary(key, value), value, time, count, count, (more, last, at, floor, later) => {
        const record = { ...more, publishedAt: at, inflations: floor }
        for (const each of [
          record,
          { ...record, zz: last },
          { inflations: floor, publishedAt: at, zz: record }
        ]) {
          for (const inflations of [floor, floor + later]) {
            const [text, plain] = both(each, at, inflations)
            expect(text).toBe(plain)
          }
        }
      })
    )
  })

  it("has null for an intensity that no number can say", () => {
    const [text, plain] = both({ id: "a", baseIntensity: 1, decayRate: -1e9 }, 0, 0)
    expect([text, text.endsWith('"intensity":null}')]).toEqual([plain, true])
  })

  it("is a mark also where nothing was published but what the hub adds", () => {
    const [text, plain] = both({}, 5, 0)
    expect(text).toBe(plain)
  })
})
