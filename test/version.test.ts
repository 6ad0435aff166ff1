import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { version } from "../src/version.js"

describe("version", () => {
  it("is the package's", () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
    expect(version).toBe(manifest.version)
  })
})
