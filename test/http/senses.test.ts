import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HubHandle } from "../../src/hub/startHub.js"
import { mound } from "../support/mound.js"
import { awaitSense, eventsOf, startTestHub } from "../support/testHubs.js"
import { makeWorkspace, writeFiles } from "../support/workspaces.js"

const files = {
  "mound.yaml": "senses:\n  count: { throttle: 5s }\n  slow: { timeout: 1h }\n  bad: {}\n  broken: {}",
  "senses/count/migrations/1.sql": "CREATE TABLE rows (n INTEGER); CREATE INDEX by_n ON rows (n);",
  "senses/count/compute.js": `exports.compute = ({ state, setState, db }) => {
    const n = (state ?? 0) + 1
    setState(n)
    db.prepare("INSERT INTO rows VALUES (?)").run(n)
    return { n }
  }`,
  "senses/slow/compute.js": "exports.compute = ({ abort }) => new Promise((end) => setTimeout(end, 3_000))",
  "senses/bad/compute.js": "exports.compute = () => { throw new Error('no luck') }",
  "senses/broken/compute.js": "exports.compute = ("
}

const ask = (hub: HubHandle, path: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(`${hub.url}${path}`, init)
    return { status: response.status, body: (await response.json()) as { readonly [field: string]: unknown } }
  })
const post = (hub: HubHandle, path: string, key?: string) =>
  ask(hub, path, { method: "POST", ...(key !== undefined && { headers: { "Idempotency-Key": key } }) })

const started = Effect.gen(function* () {
  const workspace = yield* makeWorkspace(files)
  const hub = yield* startTestHub(workspace)
  yield* awaitSense(hub, "broken", "SenseLoadFailed")
  for (const sense of ["count", "slow", "bad"]) yield* awaitSense(hub, sense, "SenseLoaded")
  return { hub, workspace }
})

describe("the routes of senses", () => {
  it.scopedLive("trigger, wait, list and page", () =>
    Effect.gen(function* () {
      const { hub } = yield* started
      const first = yield* post(hub, "/senses/count/trigger?wait=20000")
      expect(first).toMatchObject({ status: 200, body: { outcome: "signal", payload: { n: 1 } } })
      const second = yield* post(hub, "/senses/count/trigger", "key-1")
      expect(second).toMatchObject({ status: 202, body: { coalesced: false } })
      expect(yield* post(hub, "/senses/count/trigger", "key-1")).toEqual(second)
      expect(yield* post(hub, "/senses/count/trigger")).toMatchObject({
        status: 202,
        body: { coalesced: true, dueAt: second.body.dueAt }
      })
      yield* awaitSense(hub, "count", "SignalEmitted", second.body.offset as number)

      expect(yield* ask(hub, "/senses/count")).toMatchObject({
        status: 200,
        body: { name: "count", state: "idle", module: "loaded", circuit: "closed", computes: 2, signals: 2 }
      })
      const { body } = yield* ask(hub, "/senses")
      expect((body.rows as ReadonlyArray<{ name: string }>).map(({ name }) => name)).toEqual([
        "bad",
        "broken",
        "count",
        "slow"
      ])
      const page = yield* ask(hub, "/signals?sense=count&limit=1")
      expect(page.body.rows).toMatchObject([{ sense: "count", payload: { n: 2 } }])
      const rest = yield* ask(hub, `/signals?limit=1&cursor=${page.body.next}`)
      expect(rest.body.rows).toMatchObject([{ payload: { n: 1 } }])
      expect((yield* ask(hub, `/signals?cursor=${rest.body.next}`)).body).toMatchObject({
        rows: [],
        next: null
      })
    }).pipe(Effect.orDie)
  )

  it.scopedLive("say why not", () =>
    Effect.gen(function* () {
      const { hub, workspace } = yield* started
      expect(yield* post(hub, "/senses/nobody/trigger")).toMatchObject({
        status: 404,
        body: { _tag: "UnknownSense", name: "nobody" }
      })
      expect(yield* ask(hub, "/senses/nobody")).toMatchObject({ status: 404 })
      expect(yield* post(hub, "/senses/broken/trigger")).toMatchObject({
        status: 409,
        body: { _tag: "SenseBroken" }
      })
      const bad = yield* post(hub, "/senses/bad/trigger?wait=20000")
      expect(bad).toMatchObject({ status: 200, body: { outcome: "failed" } })
      expect(String(bad.body.error)).toContain("no luck")
      expect(yield* post(hub, "/senses/slow/trigger?wait=1")).toMatchObject({ status: 202 })
      expect(yield* post(hub, "/senses/count/trigger?wait=60001")).toMatchObject({ status: 400 })

      expect(yield* ask(hub, "/config")).toMatchObject({ status: 200, body: { maxRounds: 100 } })
      writeFiles(workspace, { "mound.yaml": "senses: { count: { throttle: 5 } }" })
      expect(yield* post(hub, "/config/reload")).toMatchObject({
        status: 400,
        body: { _tag: "ConfigRejected", errors: [{ path: "senses.count.throttle", code: "bad_duration" }] }
      })
      const health = yield* ask(hub, "/health")
      expect(health.body).toMatchObject({ status: "degraded" })
      const components = health.body.components as ReadonlyArray<{
        component: string
        reasons: ReadonlyArray<object>
      }>
      expect(components.map(({ component }) => component)).toEqual(["config", "senses"])
      writeFiles(workspace, { "mound.yaml": "senses: { count: {}, more: {} }" })
      expect(yield* post(hub, "/config/reload")).toMatchObject({
        status: 200,
        body: { added: ["senses/more"], changed: ["senses/count"] }
      })
    }).pipe(Effect.orDie)
  )

  it.scopedLive("load broken code anew when they are told to reset it", () =>
    Effect.gen(function* () {
      const { hub, workspace } = yield* Effect.gen(function* () {
        const workspace = yield* makeWorkspace({ ...files, "mound.yaml": "senses: { broken: {} }" })
        return { workspace, hub: yield* startTestHub(workspace, { watch: false }) }
      })
      const failed = yield* awaitSense(hub, "broken", "SenseLoadFailed")
      writeFiles(workspace, { "senses/broken/compute.js": "exports.compute = () => 1" })
      expect(yield* post(hub, "/senses/broken/reset")).toMatchObject({ status: 200 })
      yield* awaitSense(hub, "broken", "SenseLoaded", failed.offset)
      expect((yield* eventsOf(hub, "sense/broken")).map(({ type }) => type)).toContain("SenseReloading")
    }).pipe(Effect.orDie)
  )
})

describe("mound sense", () => {
  it.scopedLive(
    "lists, triggers and looks into databases that nobody can write to",
    () =>
      Effect.gen(function* () {
        const { hub, workspace } = yield* started
        const run = (...argv: ReadonlyArray<string>) =>
          mound(workspace, "sense", ...argv, "--workspace", workspace)
        const triggered = yield* run("trigger", "count", "--wait", "20s")
        expect([triggered.code, triggered.stdout]).toEqual([0, 'signal\t{"n":1}\n'])
        expect((yield* run("trigger", "bad", "--wait", "20s")).code).toBe(1)
        expect((yield* run("trigger", "nobody")).code).toBe(1)
        expect((yield* run("list")).stdout).toMatch(
          /^NAME +GROUP +STATE[\s\S]*\ncount +default +idle +signal/
        )
        expect((yield* run("query", "count")).stdout).toContain('{"n":1}')
        yield* hub.stop({ force: true, reason: "test" })
        yield* hub.stopped

        expect(JSON.parse((yield* run("query", "count", "SELECT n FROM rows", "--json")).stdout)).toEqual([
          { n: 1 }
        ])
        expect((yield* run("schema", "count")).stdout).toBe(
          "CREATE INDEX by_n ON rows (n);\nCREATE TABLE rows (n INTEGER);\n"
        )
        expect(yield* run("query", "count", "DELETE FROM rows")).toMatchObject({ code: 1, stdout: "" })
        expect((yield* run("query", "nobody", "SELECT 1")).stderr).toContain("there is no database")
        expect((yield* run("list")).stderr).toContain("fix: start it: mound start")
      }).pipe(Effect.orDie),
    60_000
  )
})
