/** The audit log in the old ledger's format (contracts: ledger 6.5), beside the one that its own server writes. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { jsonLines } from "../support/binaries.js"
import { startedHub } from "../support/hub.js"
import { oldServer } from "../support/oldServer.js"
import { temporaryFolder } from "../support/stores.js"

const linesOf = (path: string) => jsonLines(existsSync(path) ? readFileSync(path, "utf8") : "")
const ask = async (url: string, path: string, body?: string) => {
  const response = await fetch(`${url}${path}`, body === undefined ? {} : { method: "POST", body })
  await response.text()
}
const mark = (id: string, more: object = {}) =>
  JSON.stringify({ id, stanceTarget: "s", baseIntensity: 1, decayRate: 0, ...more })

/** What both servers know, each with a line in the log. */
const useLedger = async (url: string) => {
  await ask(url, "/pheromones", mark("a"))
  await ask(url, "/pheromones", mark("a", { inflations: 2 }))
  await ask(url, "/pheromones/a/inflate", "")
  await ask(url, "/pheromones/nobody/inflate", "")
  await ask(url, "/pheromones/a/claim", "")
  await ask(url, "/pheromones/a/claim", "")
  await ask(url, "/pheromones", mark("b", { seq: "x" }))
  await ask(url, "/pheromones", "{}")
  await ask(url, "/pheromones", mark("c", { stanceTarget: "unheard of" }))
  await ask(url, "/pheromones")
  await ask(url, "/healthz")
  await ask(url, "/elsewhere?x=1")
  const stream = new AbortController()
  await fetch(`${url}/stream`, { signal: stream.signal })
  stream.abort()
}

/** A line as the old log has it, whenever it was and whatever of ours stands behind. */
const comparable = ({ ts, offset, peer, ...fields }: { readonly [key: string]: unknown }) => {
  expect([typeof ts, offset === undefined || typeof offset === "number"]).toEqual(["number", true])
  expect(peer === undefined || peer === "anonymous").toBe(true)
  return JSON.stringify(fields)
}

describe("the audit log", () => {
  it.scopedLive(
    "has the lines of the old server's for the same requests, field by field",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const [oldLog, ownLog] = [join(folder, "old.log"), join(folder, "made/own.log")]
        const stances = join(folder, "stances.json")
        writeFileSync(stances, JSON.stringify({ stance_vector: { s: 1 } }))
        const old = yield* oldServer("SQLITE", join(folder, "old.db"), {
          SBP_LOG_FILE: oldLog,
          SBP_STANCE_REGISTRY: stances
        })
        const hub = yield* startedHub({ environment: { SBP_LOG_FILE: ownLog, SBP_STANCE_REGISTRY: stances } })
        yield* Effect.promise(async () => {
          await useLedger(old.url)
          await useLedger(hub.url)
          await old.kill()
          await hub.end()
        })
        const expected = linesOf(oldLog).map(comparable).toSorted()
        expect(expected.length).toBe(13)
        expect(linesOf(ownLog).map(comparable).toSorted()).toEqual(expected)
        expect(Object.keys(linesOf(ownLog)[0] ?? {})).toEqual(["ts", "event", "id", "intensity", "offset"])
      }),
    60_000
  )

  it.scopedLive("tells what only this hub knows: a claim on nothing, an end, a sweep", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const log = join(folder, "own.log")
      const hub = yield* startedHub({ environment: { SBP_LOG_FILE: log } })
      yield* Effect.promise(async () => {
        await ask(hub.url, "/pheromones/nobody/claim", "")
        await hub.publish("a", { baseIntensity: 0.001 })
        const claim = async () =>
          (await hub.ask("/claims/a/claim", { body: { peer: "ann" } })).json.token as number
        await hub.ask("/claims/a/release", { body: { token: await claim() } })
        await hub.ask("/claims/a/complete", { body: { token: await claim() } })
        await hub.ask("/ledger/sweep", { body: {} })
        await hub.end()
      })
      const of = (event: string) => linesOf(log).filter((line) => line.event === event)
      expect(of("claim_missing")).toMatchObject([{ id: "nobody" }])
      expect(of("claim")).toMatchObject([
        { id: "a", peer: "ann" },
        { id: "a", peer: "ann" }
      ])
      expect([of("release"), of("done"), of("evaporate")]).toMatchObject([
        [{ id: "a" }],
        [{ id: "a" }],
        [{ id: "a" }]
      ])
      expect(of("compaction_done")).toMatchObject([
        { store: "sqlite", kept: 0, dropped: 1, bytesBefore: expect.any(Number), bytesAfter: 0 }
      ])
    })
  )

  it.scopedLive("that cannot be written shows in health, and has every change once it can", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const log = join(folder, "file/own.log")
      writeFileSync(join(folder, "file"), "")
      const environment = { MOUND_LEDGER_AUDIT_FILE: log }
      const first = yield* startedHub({ folder, environment })
      yield* Effect.promise(async () => {
        await first.publish("a")
        while (!(await first.ask("/health")).text.includes('"subject":"audit"')) {
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        await first.end()
      })
      rmSync(join(folder, "file"))
      const second = yield* startedHub({ folder, environment })
      yield* Effect.promise(async () => {
        await second.publish("b")
        await second.end()
      })
      const third = yield* startedHub({ folder, environment })
      yield* Effect.promise(() => third.end())
      expect(linesOf(log)).toMatchObject([
        { event: "publish", id: "a" },
        { event: "publish", id: "b" }
      ])
    })
  )

  it.scopedLive("begins with the boot that first has one", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const silent = yield* startedHub({ folder })
      yield* Effect.promise(async () => {
        await silent.publish("before")
        await silent.end()
      })
      const log = join(folder, "own.log")
      const hub = yield* startedHub({ folder, environment: { MOUND_LEDGER_AUDIT_FILE: log } })
      yield* Effect.promise(async () => {
        await hub.publish("after")
        await hub.end()
      })
      expect(linesOf(log)).toMatchObject([{ event: "publish", id: "after" }])
    })
  )
})
