/** Mound in the place of the old ledger's server (contracts: ledger 6.1, hub 8 scenario 8). Runs what `npm run build` has made. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { moundIn } from "../support/binaries.js"
import { dropIn, installedPlugin, runtimeIn, supervise } from "../support/dropIn.js"
import { hubTypesIn } from "../support/hubs.js"
import { oldServer } from "../support/oldServer.js"
import { temporaryFolder } from "../support/stores.js"

const timeoutMs = 120_000
const get = async (url: string) => (await fetch(url)).json() as Promise<{ readonly [key: string]: unknown }>
const listening = /^sbp listening (\d+)/

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const gone = async (pid: number) => {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe("the old ledger's plugin", () => {
  it.scopedLive(
    "starts one Mound by itself, twice at once, with the marks of its old server, and ends it by one signal",
    () =>
      Effect.gen(function* () {
        const plugin = yield* installedPlugin
        const worktree = yield* temporaryFolder
        const stigmergy = join(worktree, ".stigmergy")
        mkdirSync(stigmergy)
        const old = yield* oldServer("SQLITE", join(stigmergy, "ledger.db"))
        yield* Effect.promise(async () => {
          await old.publish("mark")
          await old.act("mark", "claim")
          await old.kill()
        })
        const started = () =>
          Promise.all(
            ["one", "two"].map((name) => supervise(plugin, worktree, join(stigmergy, `${name}.log`)))
          )
        const urls = yield* Effect.promise(started)
        const { url, pid, port, startedAt } = runtimeIn(worktree)
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            if (isAlive(pid)) process.kill(pid, "SIGKILL")
          })
        )
        expect(urls).toEqual([url, url])
        expect(url).toBe(`http://127.0.0.1:${port}`)
        expect(new Date(startedAt).toISOString()).toBe(startedAt)
        yield* Effect.promise(async () => {
          expect(await get(`${url}/healthz`)).toEqual({
            ok: true,
            store: "sqlite",
            replayedAt: expect.any(Number),
            pheromones: 1,
            claims: 1
          })
          expect((await get(`${url}/readyz`)).pid).toBe(pid)
          expect((await fetch(`${url}/pheromones/mark/claim`, { method: "POST" })).status).toBe(409)
          process.kill(pid, "SIGTERM")
          await gone(pid)
        })
        expect(existsSync(join(stigmergy, "runtime.json"))).toBe(false)
        expect(yield* hubTypesIn(worktree)).toEqual([
          "HubStarted",
          "HubBound",
          "ConfigLoaded",
          "LedgerImported",
          "HubReady",
          "HubDrainStarted",
          "HubDrained",
          "HubStopped"
        ])
      }),
    timeoutMs
  )
})

describe("server.mjs", () => {
  it.scopedLive(
    "is the hub of the worktree, found by the verbs, and a second one is told that it is locked",
    () =>
      Effect.gen(function* () {
        const worktree = yield* temporaryFolder
        const runtime = join(worktree, "deep/er/runtime.json")
        const variables = {
          PORT: "0",
          SBP_SUPERVISED: "1",
          STIGMERGY_WORKTREE: worktree,
          SBP_RUNTIME_FILE: runtime
        }
        const first = yield* dropIn(variables)
        const said = yield* Effect.promise(() => first.said)
        const port = listening.exec(said)?.[1]
        expect(said).toBe(`sbp listening ${port} sqlite=${join(worktree, ".mound/mound.db")}`)
        expect(JSON.parse(readFileSync(runtime, "utf8"))).toMatchObject({ pid: first.child.pid })
        const second = yield* dropIn(variables)
        expect(yield* Effect.promise(() => second.ended)).toEqual({
          code: 75,
          stderr: "sbp: ledger locked\n"
        })
        expect((yield* moundIn(worktree)("url")).stdout).toBe(`http://127.0.0.1:${port}\n`)
        // Somebody else's file by now: it is left alone.
        writeFileSync(runtime, JSON.stringify({ url: "http://127.0.0.1:1", pid: 1 }))
        first.child.kill("SIGINT")
        expect(yield* Effect.promise(() => first.ended)).toMatchObject({ code: 0 })
        expect(JSON.parse(readFileSync(runtime, "utf8"))).toMatchObject({ pid: 1 })
      }),
    timeoutMs
  )

  it.scopedLive(
    "keeps its state beside a ledger that is named, which it imports and does not touch",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const path = join(folder, "ledger.jsonl")
        const line = '{"type":"claim","id":"a","token":"t"}\n'
        writeFileSync(path, line)
        const hub = yield* dropIn({ PORT: "0", SBP_LEDGER_JSONL: path })
        const said = yield* Effect.promise(() => hub.said)
        expect(said).toMatch(`sqlite=${path}.mound/mound.db`)
        const url = `http://127.0.0.1:${listening.exec(said)?.[1]}`
        expect(yield* Effect.promise(() => get(`${url}/healthz`))).toMatchObject({ pheromones: 0, claims: 1 })
        expect(readdirSync(folder)).toEqual(["ledger.jsonl", "ledger.jsonl.mound"])
        expect(readFileSync(path, "utf8")).toBe(line)
      }),
    timeoutMs
  )

  it.scopedLive(
    "keeps nothing when it is told of no ledger",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const hub = yield* dropIn({ PORT: "0", TMPDIR: folder })
        const said = yield* Effect.promise(() => hub.said)
        expect(said).toMatch(/^sbp listening \d+$/)
        const url = `http://127.0.0.1:${listening.exec(said)?.[1]}`
        expect(yield* Effect.promise(() => get(`${url}/healthz`))).toMatchObject({
          store: "memory",
          replayedAt: null
        })
        hub.child.kill("SIGTERM")
        expect(yield* Effect.promise(() => hub.ended)).toMatchObject({ code: 0 })
        expect(readdirSync(folder)).toEqual([])
      }),
    timeoutMs
  )

  it.scopedLive(
    "says what is wrong with its variables, and starts nothing",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const ends = (variables: { readonly [name: string]: string }) =>
          Effect.flatMap(dropIn({ TMPDIR: folder, ...variables }), ({ ended }) => Effect.promise(() => ended))
        const both = { SBP_LEDGER_JSONL: join(folder, "a"), SBP_LEDGER_SQLITE: join(folder, "b") }
        expect(yield* ends({ PORT: "70000" })).toEqual({ code: 2, stderr: "sbp: invalid PORT\n" })
        expect(yield* ends({ SBP_SUPERVISED: "1" })).toMatchObject({
          code: 2,
          stderr: expect.stringContaining("STIGMERGY_WORKTREE")
        })
        expect(yield* ends({ PORT: "0", ...both })).toMatchObject({
          code: 2,
          stderr: expect.stringContaining("SBP_LEDGER_JSONL and SBP_LEDGER_SQLITE")
        })
        expect(readdirSync(folder)).toEqual([])
        // Without the old claims work could be given away twice.
        writeFileSync(both.SBP_LEDGER_SQLITE, "SQLite format 3\0 and then nothing of the kind")
        expect(yield* ends({ PORT: "0", SBP_LEDGER_SQLITE: both.SBP_LEDGER_SQLITE })).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/^sbp: the old ledger .*b cannot be read: .*\nfix: /)
        })
        expect(readdirSync(folder)).toEqual(["b"])
      }),
    timeoutMs
  )

  it.scopedLive(
    "ends with 1 when it cannot write its runtime file",
    () =>
      Effect.gen(function* () {
        const worktree = yield* temporaryFolder
        writeFileSync(join(worktree, "file"), "")
        const hub = yield* dropIn({
          PORT: "0",
          SBP_SUPERVISED: "1",
          STIGMERGY_WORKTREE: worktree,
          SBP_RUNTIME_FILE: join(worktree, "file/runtime.json")
        })
        const { code, stderr } = yield* Effect.promise(() => hub.ended)
        expect([code, stderr]).toEqual([1, expect.stringContaining(join(worktree, "file/runtime.json"))])
        expect((yield* hubTypesIn(worktree)).at(-1)).toBe("HubStopped")
      }),
    timeoutMs
  )
})
