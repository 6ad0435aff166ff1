/** What the pages promise is held by tests, and these are there. */
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

/** The tests that a page names, a line each: `file`: name. */
const namedIn = (page: string): ReadonlyArray<{ readonly file: string; readonly name: string }> =>
  [...read(page).matchAll(/^ *- `([^`]+)`: (.+)$/gm)].map(([, file = "", name = ""]) => ({ file, name }))

const isThere = ({ file, name }: { readonly file: string; readonly name: string }): boolean => {
  const path = [`test/${file}.test.ts`, `test/${file}.ts`].find((each) =>
    existsSync(new URL(`../../${each}`, import.meta.url))
  )
  return path !== undefined && read(path).includes(`"${name}"`)
}

describe("a page that promises something", () => {
  for (const [page, least] of [
    ["docs/journal.md", 36],
    ["docs/ledger.md", 24]
  ] as const) {
    it(`names tests that are there: ${page}`, () => {
      const named = namedIn(page)
      expect(named.length).toBeGreaterThanOrEqual(least)
      expect(named.filter((each) => !isThere(each))).toEqual([])
    })
  }
})
