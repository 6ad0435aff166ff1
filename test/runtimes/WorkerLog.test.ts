import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { WorkerLog } from "../../src/runtimes/WorkerLog.js"
import { temporaryFolder } from "../support/stores.js"

const line = (length: number) => Buffer.from(`${"x".repeat(length - 1)}\n`)

describe("WorkerLog", () => {
  const inFolder = (name: string, body: (folder: string) => void) =>
    it.scoped(name, () => Effect.map(temporaryFolder, body))

  inFolder("keeps so many files of so many bytes, the newest lines among them", (folder) => {
    const log = new WorkerLog(join(folder, "workers.log"), { now: () => 0, maxBytes: 1_000, maxFiles: 3 })
    const output = log.attach("w")
    for (let n = 0; n < 100; n++) output.write("out", Buffer.from(`line ${n}\n`))
    const files = readdirSync(folder).sort()
    expect(files).toEqual(["workers.log", "workers.log.1", "workers.log.2"])
    for (const file of files) expect(statSync(join(folder, file)).size).toBeLessThanOrEqual(1_000)
    expect(readFileSync(join(folder, "workers.log"), "utf8")).toContain("line 99\n")
  })

  inFolder("cuts a line that does not end, and says how much of a flood it dropped", (folder) => {
    let now = 0
    const path = join(folder, "workers.log")
    const output = new WorkerLog(path, { now: () => now }).attach("w")
    output.write("out", Buffer.alloc(20_000, "x"))
    expect(
      Math.max(
        ...readFileSync(path, "utf8")
          .split("\n")
          .map((text) => text.length)
      )
    ).toBeLessThan(8_300)
    for (let n = 0; n < 40; n++) output.write("out", line(65_536))
    now = 1_000
    output.write("out", line(10))
    expect(readFileSync(path, "utf8")).toMatch(/w hub \d+ bytes of output were dropped\n/)
    expect(statSync(path).size).toBeLessThan(1_200_000)
  })

  inFolder("goes on where an earlier hub left off", (folder) => {
    const path = join(folder, "workers.log")
    for (const text of ["first", "second"]) new WorkerLog(path, { now: () => 0 }).attach("w").note(text)
    expect(readFileSync(path, "utf8").match(/w hub (first|second)/g)).toEqual(["w hub first", "w hub second"])
  })

  inFolder("loses lines on a disk that takes none, and nothing else", (folder) => {
    const output = new WorkerLog(join(folder, "no", "such", "folder"), { now: () => 0 }).attach("w")
    expect(() => output.write("err", line(10))).not.toThrow()
  })
})
