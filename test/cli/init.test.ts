import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mound } from "../support/mound.js"
import { makeWorkspace } from "../support/workspaces.js"

describe("mound init", () => {
  it.scopedLive("makes a workspace that validates, and names what it wrote", () =>
    Effect.gen(function* () {
      const folder = yield* makeWorkspace({})
      const made = yield* mound(folder, "init", "fleet")
      expect(made.code).toBe(0)
      expect(made.stdout.trim().split("\n")).toEqual([
        "mound.yaml",
        "senses/load/compute.ts",
        "workflows/report/index.ts",
        "tsconfig.json",
        ".gitignore"
      ])
      const checked = yield* mound(join(folder, "fleet"), "validate")
      expect(checked).toMatchObject({
        code: 0,
        stdout: "ok: 1 senses, 1 reflexes, 1 workflows\n",
        stderr: ""
      })
    })
  )

  it.scopedLive("overwrites nothing", () =>
    Effect.gen(function* () {
      const folder = yield* makeWorkspace({ "mound.yaml": "# mine" })
      const { stdout, stderr } = yield* mound(folder, "init")
      expect(stdout).not.toContain("mound.yaml")
      expect(stderr).toContain("mound.yaml is there already")
      expect(readFileSync(join(folder, "mound.yaml"), "utf8")).toBe("# mine")
    })
  )
})

describe("mound init --example", () => {
  it.scopedLive("copies the example that comes with Mound, and it validates", () =>
    Effect.gen(function* () {
      const folder = yield* makeWorkspace({})
      const made = yield* mound(folder, "init", "guard", "--example", "scratch-guard")
      expect(made.stdout.split("\n")).toContain("senses/disk-usage/migrations/001-samples.sql")
      const checked = yield* mound(join(folder, "guard"), "validate")
      expect(checked).toMatchObject({ code: 0, stdout: "ok: 3 senses, 3 reflexes, 2 workflows\n" })
    })
  )
})

describe("mound dev", () => {
  it.scopedLive("with a configuration that is refused exits 2, with every error, and makes nothing", () =>
    Effect.gen(function* () {
      const folder = yield* makeWorkspace({ "mound.yaml": "senses: { a: { throttle: 5 } }\nmax_rounds: 0" })
      const { code, stderr } = yield* mound(folder, "dev", "--port", "0")
      expect(code).toBe(2)
      expect(stderr).toContain("mound.yaml:1:16 senses.a.throttle bad_duration")
      expect(stderr).toContain("mound.yaml:2:1 max_rounds out_of_range")
      expect(readdirSync(folder)).toEqual(["mound.yaml"])
    })
  )
})

describe("mound validate", () => {
  it.scopedLive("prints a line an error, with its place, and exits 1", () =>
    Effect.gen(function* () {
      const text = "senses:\n  a: { throttle: 10 }\nledger: { sweep: { floor: x } }\nsensse: {}\n"
      const folder = yield* makeWorkspace({ "mound.yaml": text })
      const { code, stdout } = yield* mound(folder, "validate")
      expect(code).toBe(1)
      const lines = stdout
        .trim()
        .split("\n")
        .map((line) => line.replace(folder, "."))
      expect(lines).toEqual([
        "./mound.yaml:2:8 senses.a.throttle bad_duration 10 is no duration (a whole number above 0 and a unit: 250ms, 30s, 5m, 1h, 7d)",
        "./mound.yaml:3:20 ledger.sweep.floor bad_setting must be a finite number",
        './mound.yaml:4:1 sensse unknown_key "sensse" is no key here (did you mean senses?)'
      ])
    })
  )

  it.scopedLive("prints one JSON value with --json", () =>
    Effect.gen(function* () {
      const folder = yield* makeWorkspace({ "mound.yaml": "senses: { a: { tiemout: 1s } }" })
      const { code, stdout } = yield* mound(folder, "validate", "--json")
      expect([code, JSON.parse(stdout)]).toMatchObject([
        1,
        { ok: false, errors: [{ path: "senses.a.tiemout", line: 1, column: 16, code: "unknown_key" }] }
      ])
    })
  )

  it.scopedLive("warns of what has no code", () =>
    Effect.gen(function* () {
      const folder = yield* makeWorkspace({ "mound.yaml": "senses: { a: {} }" })
      const { code, stdout, stderr } = yield* mound(folder, "validate")
      expect([code, stdout]).toEqual([0, "ok: 1 senses, 0 reflexes, 0 workflows\n"])
      expect(stderr).toContain("senses.a no_module")
    })
  )
})
