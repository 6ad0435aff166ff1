import { existsSync, readdirSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Finished, jsonLines, start, workspaceFolder } from "./support/binaries.js"
import { eventsIn, hubTypesIn } from "./support/hubs.js"

/** Runs a program that imports the package by its name, as an embedder does; `told` prints what it is given as a line of JSON. */
const embed = (workspace: string, body: string): Effect.Effect<Finished> => {
  const program = `
    import { startHub } from "mound"
    const workspace = ${JSON.stringify(workspace)}
    const told = (value) => console.log(JSON.stringify(value))
    const failure = (started) => started.then(() => null, ({ _tag, message, fix }) => ({ _tag, message, fix }))
    const post = (hub, path, body) =>
      fetch(hub.url + path, { method: "POST", body: JSON.stringify(body) }).then((response) => response.json())
    ${body}`
  return Effect.scoped(
    Effect.flatMap(start("--input-type=module", ["--eval", program]), ({ ended }) => ended)
  )
}

const toldBy = (workspace: string, body: string) =>
  Effect.map(embed(workspace, body), ({ code, stdout, stderr }) => {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    return jsonLines(stdout)
  })

describe("startHub of the package", () => {
  it.scopedLive("starts a hub that serves, says how it is, and stops clean with nothing left behind", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const [hub, deposited, health, clean] = yield* toldBy(
        workspace,
        `const hub = await startHub({ workspace, port: 0 })
         told(hub)
         told(await post(hub, "/claims", { record: { id: "w1", stanceTarget: "s", baseIntensity: 1, decayRate: 0 } }))
         told(await hub.health())
         told(await hub.stop({ reason: "enough" }))
         told(await hub.stopped)`
      )
      expect(hub).toMatchObject({
        url: `http://127.0.0.1:${hub?.port}`,
        bootId: expect.stringMatching(/^[0-9a-f]{32}$/)
      })
      expect(deposited).toMatchObject({ id: "w1", offset: 5 })
      expect(health).toMatchObject({ status: "ok", state: "ready", ledger: { counts: { open: 1 } } })
      expect(clean).toBe(true)
      const left = readdirSync(join(workspace, ".mound")).filter((name) => name !== "cursors")
      expect(left.sort()).toEqual(["hub.lock", "logs", "mound.db"])
      const drain = (yield* eventsIn(workspace)).find(({ type }) => type === "HubDrainStarted")
      expect(drain?.data).toMatchObject({ reason: "enough", force: false })
    })
  )

  it.scopedLive("rejects a second one in the same process, and starts it after the first has stopped", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const [second, again] = yield* toldBy(
        workspace,
        `const first = await startHub({ workspace })
         told(await failure(startHub({ workspace })))
         await first.stop()
         const again = await startHub({ workspace })
         told({ isSamePort: again.port === first.port, isSameBoot: again.bootId === first.bootId })
         await again.stop()`
      )
      expect(second).toMatchObject({ _tag: "Locked", message: expect.stringContaining(workspace) })
      expect(again).toEqual({ isSamePort: true, isSameBoot: false })
    })
  )

  it.scopedLive("refuses to stop while a claim is leased, unless it is forced", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const [refused, clean] = yield* toldBy(
        workspace,
        `const hub = await startHub({ workspace })
         await post(hub, "/claims", { record: { id: "w1", stanceTarget: "s", baseIntensity: 1, decayRate: 0 } })
         await post(hub, "/claims/w1/claim", { peer: "ann", ttlMs: 60_000 })
         await hub.stop().catch(({ _tag, message, reason }) => told({ _tag, message, reason }))
         told(await hub.stop({ force: true }))`
      )
      expect(refused).toMatchObject({ _tag: "StopRefused", reason: { _tag: "ActiveWork", total: 1 } })
      expect(clean).toBe(true)
    })
  )

  it.scopedLive("rejects with what is wrong, and starts nothing", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder("http:\n  prot: 1\n")
      const [invalid, nowhere, port] = yield* toldBy(
        workspace,
        `told(await failure(startHub({ workspace, drainTimeout: "soon" })))
         told(await failure(startHub({ workspace: workspace + "/nowhere" })))
         told(await failure(startHub({ workspace, port: 70_000, environment: {} })))`
      )
      expect(invalid).toMatchObject({
        _tag: "SettingsInvalid",
        message: expect.stringMatching(/http\.prot[\s\S]*drain/)
      })
      expect(nowhere).toMatchObject({ _tag: "WorkspaceNotFound", fix: expect.any(String) })
      expect(port).toMatchObject({ _tag: "SettingsInvalid", message: expect.stringContaining("http.port") })
      expect(existsSync(join(workspace, ".mound"))).toBe(false)
    })
  )

  it.scopedLive("handles no signals: a host that ignores them keeps its hub", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const { signal } = yield* embed(
        workspace,
        `await startHub({ workspace })
         process.kill(process.pid, "SIGTERM")
         setTimeout(() => {}, 60_000)`
      )
      expect(signal).toBe("SIGTERM")
      expect(yield* hubTypesIn(workspace)).toEqual(["HubStarted", "HubBound", "ConfigLoaded", "HubReady"])
    })
  )
})

describe("the example with a hub inside", () => {
  const main = resolve(import.meta.dirname, "../examples/embedded/main.mjs")

  it.scopedLive("does its work and ends", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const { ended } = yield* start(main, [workspace])
      const { code, stdout, stderr } = yield* ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(stdout.trimEnd().split("\n").slice(1)).toEqual([
        expect.stringMatching(/^task-\w{8} is mine under token 6$/),
        "health is ok, 1 done",
        "stopped clean"
      ])
      rmSync(workspace, { recursive: true })
    })
  )
})
