import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

describe("docs/journal.md", () => {
  it("names tests that are there", () => {
    const named = [...read("docs/journal.md").matchAll(/^- `([^`]+)`: (.+)$/gm)]
    expect(named.length).toBeGreaterThan(35)
    const missing = named
      .map(([, file = "", name = ""]) => ({ file, name }))
      .filter(({ file, name }) => {
        const path = [`test/${file}.test.ts`, `test/${file}.ts`].find((each) =>
          existsSync(new URL(`../../${each}`, import.meta.url))
        )
        return path === undefined || !read(path).includes(`"${name}"`)
      })
    expect(missing).toEqual([])
  })
})
