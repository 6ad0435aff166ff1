import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { loadSettings } from "../../src/config/Settings.js"
import { temporaryFolder } from "../support/stores.js"

const load = (environment: { readonly [name: string]: string }, yaml = "") =>
  Effect.gen(function* () {
    const workspace = yield* temporaryFolder
    writeFileSync(join(workspace, "mound.yaml"), yaml)
    return yield* loadSettings({ workspace, environment })
  })

describe("the settings of peers", () => {
  it.scoped("understand the old system's variables; ours win, and both win over the file", () =>
    Effect.gen(function* () {
      const yaml = "peers: {idle: 5m, crash_loop: {max: 9}}"
      const alone = yield* load({ IAPEER_IDLE_SECS: "60", IAPEER_SUPERVISE_LOG_VERBOSE: "yes" }, yaml)
      expect(alone.settings["peers.idle"]).toBe(60_000)
      expect(alone.settings["peers.lifecycle_log.verbose"]).toBe(true)
      expect(alone.settings["peers.crash_loop.max"]).toBe(9)
      const both = yield* load({ IAPEER_IDLE_SECS: "60", MOUND_IDLE_SECS: "90" }, yaml)
      expect(both.settings["peers.idle"]).toBe(90_000)
    })
  )

  it.scoped("take the default and warn where a variable is no positive integer", () =>
    Effect.gen(function* () {
      for (const value of ["0", "x", "-1", "1.5"]) {
        const { settings, warnings } = yield* load({ MOUND_CRASHLOOP_MAX: value })
        expect(settings["peers.crash_loop.max"]).toBe(3)
        expect(warnings).toEqual([`MOUND_CRASHLOOP_MAX has no effect: "${value}" is no positive integer`])
      }
    })
  )

  it.scoped("add runtimes to the built-in one, and name what is wrong with one", () =>
    Effect.gen(function* () {
      const { settings } = yield* load({}, "peers: {runtimes: {mine: {argv: [run, it], ready: {line: up}}}}")
      expect([...settings["peers.runtimes"].keys()]).toEqual(["process", "tmux", "claude", "codex", "mine"])
      expect(settings["peers.runtimes"].get("mine")).toMatchObject({ host: "process", argv: ["run", "it"] })
      const wrong = yield* Effect.exit(load({}, "peers: {runtimes: {mine: {boot: soon}}}"))
      expect(Exit.isFailure(wrong) && String(wrong.cause)).toContain(
        "peers.runtimes mine.boot must be a duration"
      )
    })
  )
})
