import { describe, expect, it } from "@effect/vitest"
import { threadBlock } from "../../src/projections/threadBlock.js"
import { newestPage, pageBefore } from "../../src/projections/threadPage.js"

const rounds = (...lengths: ReadonlyArray<number>) =>
  lengths.map((chars, index) => ({ round: index + 1, chars }))
const seven = rounds(...Array.from({ length: 7 }, () => 101))

describe("a page of a thread", () => {
  it("shows the first round and the newest ones, up to and with the one that crosses the budget", () => {
    expect(newestPage(seven, 300)).toEqual({ rounds: [1, 6, 7], omitted: 4, before: 6 })
  })

  it("shows the first round alone when it uses the budget up", () => {
    expect(newestPage(seven, 1)).toEqual({ rounds: [1], omitted: 6, before: 8 })
    expect(newestPage(rounds(9_000, 10, 10))).toEqual({ rounds: [1], omitted: 2, before: 4 })
  })

  it("shows all where all fit", () => {
    expect(newestPage(seven)).toEqual({ rounds: [1, 2, 3, 4, 5, 6, 7], omitted: 0, before: null })
    expect(newestPage([])).toEqual({ rounds: [], omitted: 0, before: null })
  })

  it("goes back from a round, the first one like any other", () => {
    expect(pageBefore(seven, 5, 150).rounds).toEqual([3, 4])
    expect(pageBefore(seven, 1).rounds).toEqual([])
    expect(pageBefore(seven, 2).rounds).toEqual([1])
    expect(pageBefore(seven, 99, 101).rounds).toEqual([7])
  })

  it("never misses a round and never shows one twice, however small the budget", () => {
    const seen: Array<number> = []
    for (let before: number | null = 8; before !== null; ) {
      const page = pageBefore(seven, before, 1)
      seen.unshift(...page.rounds)
      before = page.before
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7])
  })
})

describe("a block of a thread", () => {
  const block = { round: 5, role: "tester", at: 0, attempt: 1, meta: {}, content: "all well" }

  it("has a head, its content and a blank line", () => {
    expect(threadBlock(block)).toBe("[#5 tester] 1970-01-01T00:00:00.000Z\nall well\n\n")
  })

  it("names an attempt above the first, and shows its meta as YAML", () => {
    expect(threadBlock({ ...block, attempt: 2, meta: { ok: true, files: ["a"] } })).toBe(
      "[#5 tester] 1970-01-01T00:00:00.000Z (attempt 2)\n---\nok: true\nfiles:\n  - a\n---\nall well\n\n"
    )
  })
})
