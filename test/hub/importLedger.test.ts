/** Ledgers of the old server move in: its own files, read by a real hub (contracts: ledger 6.2 and 8). */
import { appendFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { filesIn, moundIn } from "../support/binaries.js"
import { startedHub, type TestHub } from "../support/hub.js"
import { compactOld, oldServer } from "../support/oldServer.js"
import { temporaryFolder } from "../support/stores.js"

const record = (id: string, more: object = {}) => ({
  id,
  stanceTarget: "s",
  baseIntensity: 1,
  decayRate: 0,
  publishedAt: 5,
  inflations: 0,
  ...more
})
const published = (id: string, more: object = {}) =>
  JSON.stringify({ type: "publish", payload: record(id, more) })
const claimed = (id: string, token: string) => JSON.stringify({ type: "claim", id, token })
const inflated = (id: string) => JSON.stringify({ type: "inflate", id })

const importInto = (hub: TestHub, path: string, more: object = {}) =>
  hub.ask("/ledger/import", { body: { path, ...more } })
const claim = async (hub: TestHub, id: string) =>
  (await hub.ask(`/pheromones/${encodeURIComponent(id)}/claim`, { body: "" })).status
const eventsOf = async (hub: TestHub) =>
  (await hub.ask("/journal?limit=1000")).json.events as ReadonlyArray<{
    readonly stream: string
    readonly type: string
    readonly data: object
  }>

/** A hub and a folder for an old ledger. */
const moving = (
  name: string,
  body: (hub: TestHub, folder: string) => Effect.Effect<void, never, Scope.Scope>
) =>
  it.scopedLive(
    name,
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* body(yield* startedHub(), folder)
      }),
    60_000
  )

describe("an old ledger of lines", () => {
  const lines = [
    published("a"),
    claimed("a", "t1"),
    claimed("a", "t2"),
    inflated("a"),
    inflated("nobody"),
    claimed("x%20y", "t3"),
    published("x y"),
    "not json",
    `{"type":"publish","pay${claimed("b", "t4")}`
  ]
  const report = {
    pheromones: 2,
    claims: 3,
    decoded: 1,
    existing: 0,
    ignored: 2,
    recovered: [9],
    skipped: [8]
  }

  moving("is imported with a report that names every line that was not as it should be", (hub, folder) =>
    Effect.promise(async () => {
      const path = join(folder, "ledger.jsonl")
      writeFileSync(path, `${lines.join("\n")}\n`)
      expect(await importInto(hub, path)).toMatchObject({ status: 200, json: report })
      expect(await hub.listed()).toMatchObject([
        { id: "a", publishedAt: 5, inflations: 1, intensity: 2 },
        { id: "x y" }
      ])
      for (const id of ["a", "x y", "b"]) expect([id, await claim(hub, id)]).toEqual([id, 409])
      expect((await hub.ask("/claims/b")).json).toMatchObject({
        state: "held.active",
        holder: { peer: "anonymous" },
        expiresAt: null
      })
    })
  )

  moving("changes nothing when its content comes again, whatever its file is called", (hub, folder) =>
    Effect.promise(async () => {
      const path = join(folder, "ledger.jsonl")
      writeFileSync(path, lines.join("\n"))
      await importInto(hub, path)
      const head = await hub.head()
      writeFileSync(join(folder, "copy.jsonl"), lines.join("\n"))
      for (const again of [path, join(folder, "copy.jsonl")]) {
        expect((await importInto(hub, again)).json).toEqual(report)
      }
      expect(await hub.head()).toBe(head)
    })
  )

  moving("only says what it would come to in a dry run", (hub, folder) =>
    Effect.promise(async () => {
      const path = join(folder, "ledger.jsonl")
      writeFileSync(path, lines.join("\n"))
      await hub.publish("a")
      const head = await hub.head()
      const expected = { ...report, pheromones: 1, claims: 2, existing: 1 }
      expect((await importInto(hub, path, { dryRun: true })).json).toEqual(expected)
      expect(await hub.head()).toBe(head)
      expect((await importInto(hub, path)).json).toEqual(expected)
    })
  )

  moving("leaves an id alone that has a history here already", (hub, folder) =>
    Effect.promise(async () => {
      await hub.publish("a", { baseIntensity: 7 })
      const path = join(folder, "ledger.jsonl")
      writeFileSync(path, [published("a"), claimed("a", "t1"), published("new")].join("\n"))
      expect((await importInto(hub, path)).json).toMatchObject({ pheromones: 1, claims: 0, existing: 1 })
      expect(await hub.listed()).toMatchObject([{ id: "a", baseIntensity: 7 }, { id: "new" }])
      expect(await claim(hub, "a")).toBe(200)
    })
  )

  moving("keeps what limits would refuse, and names what cannot be kept", (hub, folder) =>
    Effect.promise(async () => {
      const long = "x".repeat(600)
      const path = join(folder, "ledger.jsonl")
      const odd = [
        published(long),
        published("tab\there", { decayRate: -1, stanceTarget: undefined }),
        '{"type":"publish","payload":{"id":"\\ud800"}}',
        '{"type":"publish","payload":{"stanceTarget":"s"}}',
        '{"type":"publish","payload":5}',
        "5",
        "",
        '{"payload":{"id":"sorted"},"type":"publish"}'
      ]
      writeFileSync(path, `${odd.join("\n")}\n`)
      expect((await importInto(hub, path)).json).toMatchObject({
        pheromones: 3,
        ignored: 1,
        skipped: [3, 4, 5]
      })
      expect((await hub.listed()).map(({ id }) => id)).toEqual([long, "tab\there", "sorted"])
      // What was never written down is the time of the import, and nothing.
      expect(await hub.listed()).toMatchObject([{}, {}, { inflations: 0, intensity: 0 }])
    })
  )

  moving("is recovered where a line lost only its end", (hub, folder) =>
    Effect.promise(async () => {
      const path = join(folder, "ledger.jsonl")
      writeFileSync(path, `${published("a")}${claimed("a", "t")}\n${published("torn").slice(0, -9)}`)
      expect((await importInto(hub, path)).json).toMatchObject({
        pheromones: 1,
        claims: 1,
        recovered: [1],
        skipped: [2]
      })
    })
  )

  moving(
    "that its server wrote, tore and glued is listed as it was served, and nothing is lost",
    (hub, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "ledger.jsonl")
        const first = yield* oldServer("JSONL", path)
        yield* Effect.promise(async () => {
          await first.publish("zz", { zz: [1.5], "7": 1, payload: { text: "ü" }, inflations: 2 })
          await first.publish("a", { baseIntensity: 3 })
          await first.act("zz", "inflate")
          await first.act("a", "claim")
          await first.publish("a", { baseIntensity: 4 })
          await first.publish("a b")
          await first.act("a%20b", "claim")
          await first.kill()
        })
        // Killed in the middle of a write; the next server's first one was glued to what there was of it.
        appendFileSync(path, published("lost").slice(0, 30))
        const second = yield* oldServer("JSONL", path)
        const list = yield* Effect.promise(async () => {
          await second.publish("glued")
          const all = await second.list()
          await second.kill()
          return all
        })
        const before = filesIn(folder)
        yield* Effect.promise(async () => {
          expect((await importInto(hub, path)).json).toEqual({
            pheromones: 4,
            claims: 2,
            decoded: 1,
            existing: 0,
            ignored: 0,
            recovered: [8],
            skipped: []
          })
          expect(JSON.stringify(await hub.listed())).toBe(JSON.stringify(list))
          expect(await Promise.all(["zz", "a", "a b", "glued"].map((id) => claim(hub, id)))).toEqual([
            200, 409, 409, 200
          ])
        })
        expect(filesIn(folder)).toEqual(before)
      })
  )
})

describe("an old ledger that its own server has compacted", () => {
  for (const [store, name] of [
    ["JSONL", "ledger.jsonl"],
    ["SQLITE", "ledger.db"]
  ] as const) {
    moving(`comes to what its server serves from it (${store})`, (hub, folder) =>
      Effect.gen(function* () {
        const path = join(folder, name)
        const first = yield* oldServer(store, path)
        yield* Effect.promise(async () => {
          await first.publish("z", { zz: [1.5], "7": 1, payload: { b: "ü", a: null }, inflations: 2 })
          await first.publish("a", { baseIntensity: 3 })
          await first.publish("faded", { baseIntensity: 0.001 })
          await first.publish("faint", { baseIntensity: 0.001 })
          await first.publish("x y")
          for (const id of ["a", "faded", "x%20y"]) await first.act(id, "claim")
          await first.act("z", "inflate")
          await first.act("a", "inflate")
          await first.publish("a", { baseIntensity: 4 })
          await first.kill()
        })
        expect(compactOld(path)).toEqual({ kept: 4, dropped: 1 })
        const second = yield* oldServer(store, path)
        const list = yield* Effect.promise(async () => {
          const all = await second.list()
          await second.kill()
          return all
        })
        yield* Effect.promise(async () => {
          const { json } = await importInto(hub, path)
          // The compacted lines forget a claim whose encoded id is no record's; a database keeps it.
          const decoded = store === "JSONL" ? 0 : 1
          expect(json).toMatchObject({
            pheromones: 4,
            claims: 1 + decoded,
            decoded,
            skipped: [],
            recovered: []
          })
          const byId = (rows: ReadonlyArray<{ readonly id?: unknown }>) =>
            JSON.stringify(rows.toSorted((one, other) => String(one.id).localeCompare(String(other.id))))
          expect(byId(await hub.listed())).toBe(byId(list))
          const answers = await Promise.all(["z", "a", "faint", "x y"].map((id) => claim(hub, id)))
          expect(answers).toEqual([200, 409, 200, decoded ? 409 : 200])
        })
      })
    )
  }
})

describe("an old ledger in SQLite", () => {
  moving("is imported while its server still writes its log, and is not changed", (hub, folder) =>
    Effect.gen(function* () {
      const path = join(folder, "ledger.DB")
      const old = yield* oldServer("SQLITE", path)
      const list = yield* Effect.promise(async () => {
        await old.publish("b", { payload: [1, { x: null }] })
        await old.publish("a", { inflations: 1 })
        await old.act("a", "inflate")
        await old.act("b", "claim")
        await old.act("nobody", "claim")
        return old.list()
      })
      const content = () => [path, `${path}-wal`].map((each) => readFileSync(each).toString("base64"))
      const before = content()
      yield* Effect.promise(async () => {
        expect((await importInto(hub, path)).json).toMatchObject({ pheromones: 2, claims: 2, skipped: [] })
        const byId = (rows: ReadonlyArray<{ readonly id?: unknown }>) =>
          JSON.stringify(rows.toSorted((one, other) => String(one.id).localeCompare(String(other.id))))
        expect(byId(await hub.listed())).toBe(byId(list))
        expect(await Promise.all(["b", "a", "nobody"].map((id) => claim(hub, id)))).toEqual([409, 200, 409])
        const grants = (await eventsOf(hub)).filter(
          ({ type, data }) => type === "ClaimGranted" && "importedToken" in data
        )
        expect(grants).toMatchObject([
          { stream: "claim/b", data: { peer: "anonymous", ttlMs: null, claimedAt: expect.any(Number) } },
          { stream: "claim/nobody", data: { preclaim: true, importedToken: expect.any(String) } }
        ])
      })
      expect(content()).toEqual(before)
    })
  )

  moving("that holds something else is refused with what it is", (hub, folder) =>
    Effect.promise(async () => {
      writeFileSync(join(folder, "text.db"), "no database at all, but long enough to be looked at")
      mkdirSync(join(folder, "folder.jsonl"))
      for (const name of ["missing.jsonl", "text.db", "folder.jsonl"]) {
        const { status, json } = await importInto(hub, join(folder, name))
        expect([name, status, json._tag]).toEqual([name, 400, "LedgerUnreadable"])
        expect(json.message).toContain(join(folder, name))
      }
      expect((await importInto(hub, "relative.db")).json).toMatchObject({
        _tag: "InvalidCommand",
        path: "path"
      })
    })
  )
})

describe("mound ledger import", () => {
  it.scopedLive(
    "prints the report as one line of JSON, and fails where there is no such file",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* startedHub({ folder })
        writeFileSync(join(folder, "old.jsonl"), `${published("a")}\n`)
        const mound = moundIn(folder)
        const dry = yield* mound("ledger", "import", "old.jsonl", "--dry-run")
        expect(dry).toMatchObject({ code: 0, stderr: "" })
        expect(yield* mound("ledger", "import", "old.jsonl")).toMatchObject({ code: 0, stdout: dry.stdout })
        expect(JSON.parse(dry.stdout)).toMatchObject({ pheromones: 1, claims: 0, skipped: [] })
        const { code, stderr } = yield* mound("ledger", "import", "missing.jsonl")
        expect([code, stderr]).toEqual([1, expect.stringContaining(join(folder, "missing.jsonl"))])
      }),
    60_000
  )
})

describe("a configured old ledger", () => {
  const configured = (folder: string, path: string) =>
    startedHub({ folder, environment: { SBP_LEDGER_JSONL: path } })

  it.scopedLive("is imported at start, and again only when it has changed", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = join(folder, "old.jsonl")
      const none = yield* configured(folder, path)
      yield* Effect.promise(() => none.end())
      writeFileSync(path, `${published("a")}\n${claimed("a", "t")}\n`)
      const first = yield* configured(folder, path)
      yield* Effect.promise(async () => {
        expect(await claim(first, "a")).toBe(409)
        await first.end()
      })
      appendFileSync(path, `${published("b")}\n`)
      const second = yield* configured(folder, path)
      yield* Effect.promise(async () => {
        expect((await second.listed()).map(({ id }) => id)).toEqual(["a", "b"])
        await second.end()
      })
      const third = yield* configured(folder, path)
      const imports = (yield* Effect.promise(() => eventsOf(third))).filter(
        ({ type }) => type === "LedgerImported"
      )
      expect(imports.map(({ data }) => (data as { readonly report: object }).report)).toMatchObject([
        { pheromones: 1, claims: 1, existing: 0 },
        { pheromones: 1, claims: 0, existing: 1 }
      ])
    })
  )

  it.scopedLive("that is still written afterwards shows in health", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = join(folder, "old.jsonl")
      writeFileSync(path, `${published("a")}\n`)
      const hub = yield* configured(folder, path)
      const statusOf = async () => {
        const { components } = (await hub.ask("/health")).json
        return (components as ReadonlyArray<{ readonly component: string }>).find(
          ({ component }) => component === "ledger"
        )
      }
      yield* hub.parts.importer.look
      expect(yield* Effect.promise(statusOf)).toBeUndefined()
      truncateSync(path, 0)
      appendFileSync(path, `${published("a")}\n`)
      yield* hub.parts.importer.look
      expect(yield* Effect.promise(statusOf)).toBeUndefined()
      appendFileSync(path, `${published("late")}\n`)
      yield* hub.parts.importer.look
      expect(yield* Effect.promise(statusOf)).toMatchObject({
        status: "degraded",
        reasons: [{ reason: "still_written", subject: path }]
      })
      yield* Effect.promise(async () => {
        expect((await importInto(hub, path)).json).toMatchObject({ pheromones: 1, existing: 1 })
        expect(await statusOf()).toBeUndefined()
      })
    })
  )
})
