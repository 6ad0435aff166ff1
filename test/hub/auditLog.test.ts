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

  it.scopedLive("tells whose token was turned away and why, and never which token it was", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const [log, tokens, kinds] = ["own.log", "tokens.json", "kinds.json"].map((name) => join(folder, name))
      const [ann, eye, wrong] = ["token-of-ann-0123456789", "token-of-eye-0123456789", "token-of-nobody-01"]
      const agents = {
        [String(ann)]: { agentId: "ann", class: "worker" },
        [String(eye)]: { agentId: "eye", class: "worker", scope: "read" }
      }
      const classes = { signal: { publishableBy: ["worker"] }, alarm: { publishableBy: ["privileged"] } }
      writeFileSync(String(tokens), JSON.stringify({ tokens: agents }))
      writeFileSync(String(kinds), JSON.stringify({ kinds: classes }))
      const hub = yield* startedHub({
        environment: {
          SBP_LOG_FILE: String(log),
          SBP_AUTH_TOKENS_FILE: String(tokens),
          SBP_KIND_REGISTRY_FILE: String(kinds),
          SBP_INFLATE_MAX_PER_WINDOW: "1",
          SBP_INFLATE_WINDOW_SECONDS: "3600"
        }
      })
      yield* Effect.promise(async () => {
        const as = (token: string | undefined, path: string, body: unknown) =>
          hub.ask(path, {
            method: "POST",
            body,
            headers: token === undefined ? {} : { Authorization: `Bearer ${token}` }
          })
        const more = { stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
        await as(undefined, "/pheromones", { id: "a", ...more })
        await as(wrong, "/pheromones/a/claim", "")
        await as(eye, "/pheromones/a/inflate", "")
        await as(ann, "/pheromones", { id: "b", ...more, kind: "alarm" })
        await as(ann, "/pheromones", { id: "c", ...more, kind: "none" })
        await as(ann, "/pheromones/nobody/inflate", "")
        await as(ann, "/pheromones/d/inflate", "")
        // The new routes' answers are others; what was refused is the same.
        await as(ann, "/claims", { record: { id: "e", ...more, kind: "none" } })
        await as(wrong, "/claims/next?why=here", {})
        await as(ann, "/ledger/sweep", {})
        await as(eye, "/claims/next", {})
        await hub.end()
      })
      const text = readFileSync(String(log), "utf8")
      const lines = linesOf(String(log)).filter(({ event }) => /auth_error|kind_un/.test(String(event)))
      expect(lines.map(({ ts, ...fields }) => JSON.stringify(fields))).toEqual(
        [
          { event: "auth_error", route: "publish", reason: "missing_token", id: "a" },
          { event: "auth_error", route: "claim", reason: "unknown_token", id: "a" },
          { event: "auth_error", route: "inflate", reason: "read_only", id: "a" },
          {
            event: "auth_error",
            route: "publish",
            reason: "kind_privileged",
            id: "b",
            kind: "alarm",
            class: "worker"
          },
          { event: "kind_unregistered", id: "c", kind: "none" },
          { event: "auth_error", route: "inflate", reason: "inflate_budget", id: "d", agentId: "ann" },
          { event: "kind_unregistered", id: "e", kind: "none" },
          { event: "auth_error", route: "POST /claims/next", reason: "unknown_token" },
          { event: "auth_error", route: "POST /ledger/sweep", reason: "not_operator" },
          { event: "auth_error", route: "POST /claims/next", reason: "read_only" }
        ].map((fields) => JSON.stringify(fields))
      )
      for (const token of [ann, eye, wrong]) expect(text).not.toContain(token)
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
