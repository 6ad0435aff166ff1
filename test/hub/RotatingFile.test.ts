import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { RotatingFile } from "../../src/hub/RotatingFile.js"

describe("a rotating file", () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mound-test-"))
    path = join(folder, "hub.log")
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const line = (index: number): string => String(index).padStart(99, "x")
  const sizes = () =>
    ["", ".1", ".2", ".3"].map((suffix) => statSync(path + suffix, { throwIfNoEntry: false })?.size)

  it("moves aside before the line that would be too much, and keeps so many older ones", () => {
    const file = new RotatingFile(path, { maxBytes: 1_000, maxFiles: 2 })
    for (let index = 0; index < 25; index++) file.append([line(index)])
    expect(sizes()).toEqual([500, 1_000, 1_000, undefined])
    for (let index = 25; index < 50; index++) file.append([line(index)])
    expect(sizes()).toEqual([1_000, 1_000, 1_000, undefined])
    expect(readFileSync(`${path}.2`, "utf8").split("\n")[0]).toBe(line(20))
  })

  it("does the same for lines that come together", () => {
    const file = new RotatingFile(path, { maxBytes: 1_000, maxFiles: 2 })
    file.append(Array.from({ length: 25 }, (_, index) => line(index)))
    expect(sizes()).toEqual([500, 1_000, 1_000, undefined])
  })

  it("goes on in the file that is there, counting what it holds", () => {
    appendFileSync(path, "y".repeat(950))
    const file = new RotatingFile(path, { maxBytes: 1_000, maxFiles: 1 })
    file.append([line(0)])
    expect(sizes()).toEqual([100, 950, undefined, undefined])
  })

  it("writes a line that is too long by itself whole", () => {
    const file = new RotatingFile(path, { maxBytes: 1_000, maxFiles: 1 })
    file.append(["z".repeat(5_000), line(0)])
    expect(sizes()).toEqual([100, 5_001, undefined, undefined])
  })

  it("begins anew when no older ones are kept", () => {
    const file = new RotatingFile(path, { maxBytes: 1_000, maxFiles: 0 })
    file.append(Array.from({ length: 15 }, (_, index) => line(index)))
    expect(sizes()).toEqual([500, undefined, undefined, undefined])
  })
})
