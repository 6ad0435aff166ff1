import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "@effect/vitest"

const bench = async (...argv: ReadonlyArray<string>): Promise<string> =>
  (await promisify(execFile)(process.execPath, ["dist/bench/main.js", ...argv])).stdout

describe("the bench", () => {
  it("measures every scenario, as a table and as JSON", { timeout: 240_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "mound-test-"))
    try {
      const file = join(folder, "results.json")
      const table = await bench("--quick", "--json", file)
      const { machine, results } = JSON.parse(readFileSync(file, "utf8"))
      expect(Object.keys(machine)).toEqual(expect.arrayContaining(["cpu", "cores", "node", "filesystem"]))
      expect([...new Set(results.map(({ scenario }: { scenario: string }) => scenario))]).toEqual([
        "appends",
        "sends",
        "ledger",
        "replays",
        "recovery",
        "operations",
        "memory",
        "imports",
        "fan-out",
        "streams",
        "runs",
        "reactions",
        "resumption",
        "peers"
      ])
      for (const { scenario, what, value, beside, ratio, target, reached } of results) {
        expect(table).toContain(what)
        expect(value, `${scenario}, ${what}`).toSatisfy(Number.isFinite)
        expect(ratio).toBe(beside ? value / beside.value : null)
        expect(typeof reached).toBe(target ? "boolean" : "object")
      }
      expect(
        results
          .filter(({ what }: { what: string }) => what.endsWith("missed"))
          .every(({ value }: { value: number }) => value === 0)
      ).toBe(true)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("names its scenarios to somebody who asks for one that there is not", async () => {
    await expect(bench("--only", "nothing")).rejects.toThrow(
      /there is no nothing[\s\S]*appends[\s\S]*fan-out/
    )
  })
})
