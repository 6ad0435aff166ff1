import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, isRunning } from "../support/processes.js"
import { awaitSense, eventsOf, startTestHub } from "../support/testHubs.js"
import { type Files, makeWorkspace } from "../support/workspaces.js"

const binary = resolve(import.meta.dirname, "../../dist/bin/mound.js")

/** A hub of its own process, which ends with the scope however the test ends. */
const hubProcess = (workspace: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [binary, "dev", "--port", "0", "--quiet", "--workspace", workspace], {
        stdio: "ignore",
        env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MOUND_")))
      })
    ),
    (child: ChildProcess) => Effect.sync(() => child.kill("SIGKILL"))
  )

const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "")

describe("a hub that is killed", () => {
  const killed = (files: Files, mark: string) =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace(files)
      const child = yield* hubProcess(workspace)
      yield* eventually(() => read(join(workspace, mark)) !== "")
      const left = read(join(workspace, mark)).trim().split(" ").map(Number)
      child.kill("SIGKILL")
      yield* eventually(() => !isRunning(child.pid as number))
      return { workspace, left }
    })

  it.scopedLive("computes again what it was computing, after everything that it left has ended", () =>
    Effect.gen(function* () {
      const { workspace, left } = yield* killed(
        {
          "mound.yaml": "senses: { a: { interval: 1h, timeout: 1h } }",
          "senses/a/compute.js": `
            const { spawn } = require("node:child_process")
            const { existsSync, readFileSync, writeFileSync } = require("node:fs")
            exports.compute = async ({ workspace, causes }) => {
              const mark = workspace + "/mark"
              if (existsSync(mark)) return { again: true, causes: causes.map((cause) => cause.kind) }
              const shell = spawn("sleep", ["300"], { detached: true, stdio: "ignore" })
              writeFileSync(mark, process.pid + " " + shell.pid)
              for (;;);
            }`
        },
        "mark"
      )
      const hub = yield* startTestHub(workspace)
      expect(left.map(isRunning)).toEqual([false, false])
      const signal = yield* awaitSense(hub, "a", "SignalEmitted")
      expect(signal.data.payload).toEqual({ again: true, causes: ["interval"] })
      const types = (yield* eventsOf(hub)).map(({ type }) => type)
      expect(types.filter((type) => type === "SenseComputeStarted")).toHaveLength(2)
      expect(types.filter((type) => type === "SenseTriggered")).toHaveLength(1)
      const lossAt = types.indexOf("HubLossDetected")
      expect(types.slice(lossAt, lossAt + 5)).toEqual([
        "HubLossDetected",
        "HubStarted",
        "HubBound",
        "ConfigLoaded",
        "SenseArmed"
      ])
    }).pipe(Effect.orDie)
  )

  it.scopedLive("lets those who listen hear of a signal that it had just recorded", () =>
    Effect.gen(function* () {
      const { workspace } = yield* killed(
        {
          "mound.yaml": "senses: { a: { interval: 1h, group: one }, b: { on: [a], group: two } }",
          "senses/a/compute.js": "exports.compute = () => 1",
          // The listener is held up in its loading, so that the hub is killed before it has computed.
          "senses/b/compute.js": `
            const { existsSync, writeFileSync } = require("node:fs")
            const mark = process.cwd() + "/mark"
            if (!existsSync(mark)) {
              const Database = require("${resolve(import.meta.dirname, "../../node_modules/better-sqlite3")}")
              const db = new Database(process.cwd() + "/.mound/mound.db", { readonly: true })
              while (!db.prepare("SELECT 1 FROM events WHERE type = 'SignalEmitted'").get());
              writeFileSync(mark, String(process.pid))
              for (;;);
            }
            exports.compute = ({ signals }) => signals.a`
        },
        "mark"
      )
      const hub = yield* startTestHub(workspace)
      const heard = yield* awaitSense(hub, "b", "SignalEmitted")
      expect(heard.data.payload).toMatchObject({ payload: 1 })
      const triggers = (yield* eventsOf(hub, "sense/b")).filter(({ type }) => type === "SenseTriggered")
      expect(triggers.map(({ commandId }) => commandId)).toHaveLength(1)
      expect(triggers[0]?.commandId).toMatch(/^signals:\d+:b$/)
    }).pipe(Effect.orDie)
  )
})
