import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import { Effect } from "effect"
import type { RecordedEvent } from "../../src/events/Event.js"
import { eventually, isRunning } from "../support/processes.js"
import { awaitSense, eventsOf, startTestHub, triggerSense } from "../support/testHubs.js"
import { makeWorkspace, writeFiles } from "../support/workspaces.js"

const dataOf = (event: RecordedEvent | undefined) => event?.data as { readonly [field: string]: unknown }
const count = (events: ReadonlyArray<RecordedEvent>, type: string) =>
  events.filter((event) => event.type === type).length

describe("senses in a running hub", () => {
  it.scopedLive("compute with state, database, peers, signals and blobs, and others hear of it", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({
        "mound.yaml": `senses:
  counter: { group: one }
  listener: { group: two, on: [counter] }`,
        "senses/counter/migrations/001-samples.sql": "CREATE TABLE samples (n INTEGER);",
        "senses/counter/compute.ts": `
          export async function compute({ state, setState, db, blobs, causes }) {
            const n = (state ?? 0) + 1
            setState(n)
            db.prepare("INSERT INTO samples VALUES (?)").run(n)
            const { sha256 } = await blobs.write("sample " + n)
            return { n, sha256, cause: causes[0].kind, large: "x".repeat(n === 2 ? 20_000 : 1) }
          }`,
        "senses/listener/index.js": `
          module.exports = async ({ peers, signals, blobs, causes }) => {
            const rows = peers.counter.prepare("SELECT n FROM samples").all()
            let denied
            try { peers.counter.exec("DELETE FROM samples") } catch (error) { denied = error.code }
            const { payload } = signals.counter
            const blob = payload.sha256 && String(await blobs.read(payload.sha256))
            return { rows, denied, blob, heard: causes[0].sense, isReference: "preview" in payload }
          }`
      })
      const hub = yield* startTestHub(workspace)
      yield* awaitSense(hub, "counter", "SenseLoaded")
      yield* triggerSense(hub, "counter")
      const heard = yield* awaitSense(hub, "listener", "SignalEmitted")
      expect(dataOf(heard)).toMatchObject({
        depth: 1,
        payload: {
          rows: [{ n: 1 }],
          denied: "SQLITE_READONLY",
          blob: "sample 1",
          heard: "counter",
          isReference: false
        }
      })
      expect(dataOf(yield* awaitSense(hub, "counter", "SenseComputeCompleted"))).toMatchObject({
        outcome: "signal",
        state: 1
      })
      expect(heard.causation).not.toBeNull()

      yield* triggerSense(hub, "counter")
      const second = yield* awaitSense(hub, "listener", "SignalEmitted", heard.offset)
      expect(dataOf(second)).toMatchObject({ payload: { isReference: true } })
      const [, emitted] = (yield* eventsOf(hub, "sense/counter")).filter(
        ({ type }) => type === "SignalEmitted"
      )
      const { blob, bytes } = dataOf(emitted).payload as { blob: string; bytes: number }
      const path = join(workspace, ".mound/blobs", blob.slice(0, 2), blob.slice(2))
      expect(readFileSync(path)).toHaveLength(bytes)
      expect(
        yield* hub.parts.projector.read("SELECT name, signals, computes FROM senses ORDER BY name")
      ).toEqual([
        { name: "counter", signals: 2, computes: 2 },
        { name: "listener", signals: 2, computes: 2 }
      ])
    }).pipe(Effect.orDie)
  )

  it.scopedLive("fail with a reason for what cannot be recorded or is thrown", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({
        "mound.yaml": "senses: { big: {}, odd: {}, cross: {}, state: {} }",
        "senses/big/compute.js": `exports.compute = () => "x".repeat(2_000_000)`,
        "senses/odd/compute.js": `exports.compute = () => ({ n: 1n })`,
        "senses/cross/compute.ts": `\n\nexport const compute = () => { throw new RangeError("no luck") }`,
        "senses/state/compute.js": `exports.compute = ({ setState }) => setState("x".repeat(70_000))`
      })
      const hub = yield* startTestHub(workspace)
      const errorOf = (sense: string) =>
        Effect.gen(function* () {
          yield* awaitSense(hub, sense, "SenseLoaded")
          yield* triggerSense(hub, sense)
          return String(dataOf(yield* awaitSense(hub, sense, "SenseComputeFailed")).error)
        })
      expect(yield* errorOf("big")).toContain("the limit is 1048576")
      expect(yield* errorOf("odd")).toContain("BigInt")
      expect(yield* errorOf("cross")).toMatch(/^RangeError: no luck\n[\s\S]*compute\.ts:3/)
      expect(yield* errorOf("state")).toContain("the limit is 65536")
    }).pipe(Effect.orDie)
  )

  it.scopedLive(
    "that loop for ever lose their process, blame themselves alone, and everybody is loaded again",
    () =>
      Effect.gen(function* () {
        const workspace = yield* makeWorkspace({
          "mound.yaml": "senses: { loop: { timeout: 200ms }, calm: {} }",
          "senses/loop/compute.js": "exports.compute = () => { for (;;); }",
          "senses/calm/compute.js": "exports.compute = () => 1"
        })
        const hub = yield* startTestHub(workspace)
        const first = yield* awaitSense(hub, "loop", "SenseLoaded")
        yield* awaitSense(hub, "calm", "SenseLoaded")
        yield* triggerSense(hub, "loop")
        const lost = yield* awaitSense(hub, "calm", "SenseWorkerLost")
        expect(dataOf(lost)).toMatchObject({ reason: "overdue", blamed: false, signal: "SIGKILL" })
        const own = yield* awaitSense(hub, "loop", "SenseWorkerLost")
        expect(dataOf(own)).toMatchObject({ reason: "overdue", blamed: true })
        expect(isRunning(dataOf(first).pid as number)).toBe(false)
        const types = (yield* eventsOf(hub, "sense/loop")).map(({ type }) => type)
        expect(types.slice(-3)).toEqual(["SenseComputeTimedOut", "SenseComputeAbandoned", "SenseWorkerLost"])
        yield* awaitSense(hub, "calm", "SenseLoaded", lost.offset)
        yield* triggerSense(hub, "calm")
        yield* awaitSense(hub, "calm", "SignalEmitted")
      }).pipe(Effect.orDie)
  )

  it.scopedLive("that heed their abort keep their process", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({
        "mound.yaml": "senses: { slow: { timeout: 100ms } }",
        "senses/slow/compute.js":
          "exports.compute = ({ abort }) => new Promise((end) => abort.addEventListener('abort', () => end(1)))"
      })
      const hub = yield* startTestHub(workspace)
      yield* awaitSense(hub, "slow", "SenseLoaded")
      yield* triggerSense(hub, "slow")
      const aborted = yield* awaitSense(hub, "slow", "SenseComputeAborted")
      yield* triggerSense(hub, "slow")
      yield* awaitSense(hub, "slow", "SenseComputeAborted", aborted.offset)
      const events = yield* eventsOf(hub, "sense/slow")
      expect([count(events, "SenseWorkerLost"), count(events, "SignalEmitted")]).toEqual([0, 0])
    }).pipe(Effect.orDie)
  )

  it.scopedLive(
    "whose code or migrations are broken say so, leave their neighbours alone, and mend by a save",
    () =>
      Effect.gen(function* () {
        const workspace = yield* makeWorkspace({
          "mound.yaml": "senses: { syntax: {}, sql: {}, none: {}, well: {} }",
          "senses/syntax/compute.ts": "export const compute = (",
          "senses/sql/compute.js": "exports.compute = ({ db }) => db.prepare('SELECT n FROM t').get()",
          "senses/sql/migrations/1.sql": "CREATE TABLE t (n); INSERT INTO missing VALUES (1);",
          "senses/well/compute.js": "exports.compute = () => 1"
        })
        const hub = yield* startTestHub(workspace)
        yield* awaitSense(hub, "well", "SenseLoaded")
        const failed = yield* awaitSense(hub, "sql", "SenseLoadFailed")
        expect(String(dataOf(failed).error)).toContain("1.sql: no such table: missing")
        expect(String(dataOf(yield* awaitSense(hub, "none", "SenseLoadFailed")).error)).toContain(
          "no code in senses/none"
        )
        yield* awaitSense(hub, "syntax", "SenseLoadFailed")
        const db = new Database(join(workspace, ".mound/senses/sql.db"), { readonly: true })
        expect(db.prepare("SELECT count(*) AS tables FROM sqlite_master WHERE name = 't'").get()).toEqual({
          tables: 0
        })
        db.close()
        expect(
          yield* hub.parts.projector.read("SELECT subject FROM health WHERE reason = 'broken' ORDER BY 1")
        ).toEqual([{ subject: "none" }, { subject: "sql" }, { subject: "syntax" }])

        writeFiles(workspace, {
          "senses/sql/migrations/1.sql": "CREATE TABLE t (n); INSERT INTO t VALUES (7);"
        })
        yield* awaitSense(hub, "sql", "SenseLoaded", failed.offset)
        yield* triggerSense(hub, "sql")
        expect(dataOf(yield* awaitSense(hub, "sql", "SignalEmitted"))).toMatchObject({ payload: { n: 7 } })
        const reloads = (yield* eventsOf(hub)).filter(({ type }) => type === "SenseReloading")
        expect(new Set(reloads.map(({ stream, data }) => `${stream} ${data.reason}`))).toEqual(
          new Set(["sense/sql changed", "sense/well sibling", "sense/syntax sibling", "sense/none sibling"])
        )
      }).pipe(Effect.orDie)
  )

  it.scopedLive(
    "are reloaded when a file that they share changes, and not when its bytes stay the same",
    () =>
      Effect.gen(function* () {
        const shared = (n: number) => ({ "lib/shared.ts": `export const n: number = ${n}` })
        const workspace = yield* makeWorkspace({
          "mound.yaml": "senses: { a: { group: one }, b: { group: two }, c: { group: three } }",
          "senses/a/compute.ts": `import { n } from "../../lib/shared.js"; export const compute = () => n`,
          "senses/b/compute.ts": `import { n } from "../../lib/shared"; export const compute = () => n`,
          "senses/c/compute.ts": `export const compute = () => 0`,
          ...shared(1)
        })
        const hub = yield* startTestHub(workspace)
        const loaded = yield* Effect.forEach(["a", "b", "c"], (sense) =>
          awaitSense(hub, sense, "SenseLoaded")
        )
        const last = Math.max(...loaded.map(({ offset }) => offset))
        writeFiles(workspace, shared(1))
        writeFiles(workspace, shared(2))
        yield* Effect.forEach(["a", "b"], (sense) => awaitSense(hub, sense, "SenseLoaded", last))
        yield* triggerSense(hub, "b")
        expect(dataOf(yield* awaitSense(hub, "b", "SignalEmitted"))).toMatchObject({ payload: 2 })
        expect(count(yield* eventsOf(hub, "sense/c"), "SenseReloading")).toBe(0)
        expect(count(yield* eventsOf(hub, "sense/a"), "SenseReloading")).toBe(1)
      }).pipe(Effect.orDie)
  )

  it.scopedLive("follow their configuration while the hub runs; one that is refused changes nothing", () =>
    Effect.gen(function* () {
      const code =
        "exports.compute = ({ state, setState }) => { setState((state ?? 0) + 1); return state ?? 0 }"
      const workspace = yield* makeWorkspace({
        "mound.yaml": "senses: { a: {} }",
        "senses/a/compute.js": code,
        "senses/b/compute.js": code
      })
      const hub = yield* startTestHub(workspace)
      yield* awaitSense(hub, "a", "SenseLoaded")
      yield* triggerSense(hub, "a")
      yield* awaitSense(hub, "a", "SignalEmitted")

      writeFiles(workspace, { "mound.yaml": "senses: { a: { throttle: 5 } }" })
      const types = () => Effect.map(eventsOf(hub, "hub"), (events) => events.map(({ type }) => type))
      while (!(yield* types()).includes("ConfigRejected")) yield* Effect.sleep(20)
      expect(count(yield* eventsOf(hub, "sense/a"), "SenseReconfigured")).toBe(0)

      writeFiles(workspace, { "mound.yaml": "senses: { b: { throttle: 5s } }" })
      yield* awaitSense(hub, "b", "SenseLoaded")
      const removed = yield* awaitSense(hub, "a", "SenseRemoved")
      const reloaded = (yield* eventsOf(hub, "hub")).find(({ type }) => type === "ConfigReloaded")
      expect(dataOf(reloaded)).toMatchObject({ added: ["senses/b"], removed: ["senses/a"], changed: [] })

      writeFiles(workspace, { "mound.yaml": "senses: { a: {}, b: { throttle: 1s } }" })
      yield* awaitSense(hub, "a", "SenseLoaded", removed.offset)
      yield* awaitSense(hub, "b", "SenseReconfigured")
      yield* triggerSense(hub, "a")
      expect(dataOf(yield* awaitSense(hub, "a", "SignalEmitted", removed.offset))).toMatchObject({
        payload: 1
      })
      expect(existsSync(join(workspace, ".mound/workers.log"))).toBe(true)
    }).pipe(Effect.orDie)
  )

  it.scopedLive("of an old workspace run as they are", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({
        "nerve.yaml": "senses: { old: { gracePeriod: 1s, interval: 1h } }\nagents: {}",
        "senses/old/index.ts": `
          import { START } from "@uncaged/nerve-core"
          export async function compute() { return { start: START } }`
      })
      const hub = yield* startTestHub(workspace)
      const signal = yield* awaitSense(hub, "old", "SignalEmitted")
      expect(signal.data.payload).toEqual({ start: "__start__" })
      const registered = yield* awaitSense(hub, "old", "SenseRegistered")
      const started = yield* awaitSense(hub, "old", "SenseComputeStarted")
      expect(started.at - registered.at).toBeGreaterThanOrEqual(1_000)
    }).pipe(Effect.orDie)
  )

  it.scopedLive("do not hold up a stop while they only stand by, and end with it", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({
        "mound.yaml":
          "senses: { idle: { interval: 1h, grace_period: 1h }, waiting: { throttle: 1h, interval: 1s } }",
        "senses/idle/compute.js": "exports.compute = () => 1",
        "senses/waiting/compute.js": "exports.compute = () => 1"
      })
      const hub = yield* startTestHub(workspace)
      const { pid } = dataOf(yield* awaitSense(hub, "idle", "SenseLoaded"))
      yield* awaitSense(hub, "waiting", "SignalEmitted")
      yield* hub.stop({ force: false, reason: "test" })
      expect(yield* hub.stopped).toEqual({ clean: true })
      expect((yield* eventsOf(hub, "hub")).map(({ type }) => type).slice(-3)).toEqual([
        "HubDrainStarted",
        "HubDrained",
        "HubStopped"
      ])
      yield* eventually(() => !isRunning(pid as number))
    }).pipe(Effect.orDie)
  )

  it.scopedLive(
    "that take their process down five times are left out, and the others go on without them",
    () =>
      Effect.gen(function* () {
        const workspace = yield* makeWorkspace({
          "mound.yaml": "senses: { bad: {}, good: {} }",
          "senses/bad/compute.js": "exports.compute = () => process.exit(3)",
          "senses/good/compute.js": "exports.compute = () => 1"
        })
        const hub = yield* startTestHub(workspace)
        yield* awaitSense(hub, "bad", "SenseLoaded")
        // The cause that was lost with the process is computed again in the next one: one trigger is enough.
        yield* triggerSense(hub, "bad")
        const opened = yield* awaitSense(hub, "bad", "SenseCircuitOpened")
        yield* awaitSense(hub, "good", "SenseLoaded", opened.offset)
        yield* triggerSense(hub, "good")
        yield* awaitSense(hub, "good", "SignalEmitted")
        const events = yield* eventsOf(hub)
        const losses = events.filter(({ type }) => type === "SenseWorkerLost")
        const blamed = losses.map(({ stream, data }) => `${stream} ${data.code} ${data.blamed}`)
        expect(blamed.filter((each) => each === "sense/bad 3 true")).toHaveLength(5)
        expect(blamed.filter((each) => each === "sense/good 3 false")).toHaveLength(5)
        expect(count(events, "SenseCircuitOpened")).toBe(1)
      }).pipe(Effect.orDie),
    60_000
  )
})
