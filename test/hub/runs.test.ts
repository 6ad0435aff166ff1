import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { sharedHub, type TestHub } from "../support/runHubs.js"
import { ended, eventsOf, request, rowOf, typesOf, until } from "../support/runSteps.js"
import type { Files } from "../support/workspaces.js"

/** A workflow whose roles do as their prompt says. */
const odd = `
interface Shifts {
  lines: string
}
import { END } from "mound/workspace"
import { spawn } from "node:child_process"
import { appendFileSync } from "node:fs"
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const retryable = () => Object.assign(new Error("busy"), { retryable: true })
const deeds = {
  fine: () => ({ content: "fine", meta: { ok: true } }),
  throws: () => { throw new Error("the disk is upside down") },
  nothing: () => undefined,
  five: () => ({ content: 5 }),
  big: () => ({ content: "x", meta: { n: 1n } }),
  cycle: () => { const meta = {}; meta.self = meta; return { content: "x", meta } },
  huge: () => ({ content: "x".repeat(2 * 1024 * 1024) }),
  long: () => ({ content: "y".repeat(20000) }),
  retry: ({ attempt }) => { if (attempt < 3) throw retryable(); return { content: "well" } },
  exit: ({ attempt }) => { if (attempt === 1) process.exit(3); return { content: "second" } },
  prints: () => { process.stdout.write("z".repeat(5 * 1024 * 1024)); return { content: "printed" } },
  waits: async ({ abort }) => { await new Promise((_, reject) => abort.addEventListener("abort", () => reject(new Error("stopped")))) },
  deaf: async () => { await sleep(600000); return { content: "never" } },
  leaks: () => { const child = spawn("sleep", ["300"], { detached: true }); child.unref(); return { content: String(child.pid) } }
}
export const workflow = {
  roles: {
    actor: async (ctx) => {
      appendFileSync("calls.log", ctx.idempotencyKey + " " + ctx.attempt + "\\n")
      return await deeds[ctx.start.content.split(/\\W/)[0]](ctx)
    },
    other: async () => ({ content: "other" })
  },
  moderator: ({ start, steps }) => {
    if (start.content === "unknown role") return "nobody"
    if (start.content === "moderator throws") throw new Error("no idea")
    if (start.content === "moderator writes") { steps.push("x") }
    if (start.content === "moderator promises") return Promise.resolve("actor")
    if (start.content.startsWith("fine forever")) return "actor"
    if (start.content === "fine, then loops" && steps.length === 1) for (;;);
    return steps.length < 1 ? "actor" : END
  }
}`

const files: Files = {
  "mound.yaml": `
workflows:
  odd: { concurrency: 4, overflow: queue }
  one: { concurrency: 1, overflow: queue, max_queue: 3 }
  full: { concurrency: 1, overflow: queue, max_queue: 3 }
  keyed: { concurrency: 4 }
  paged: { concurrency: 4 }
  looping: {}
  none: {}
`,
  "workflows/odd/index.ts": odd,
  "workflows/one/index.ts": odd,
  "workflows/full/index.ts": odd,
  "workflows/keyed/index.ts": odd,
  "workflows/paged/index.ts": odd,
  "workflows/looping/index.ts": odd
}

const theHub = sharedHub(files)
const onHub = (name: string, body: (hub: TestHub) => Effect.Effect<void, unknown>) =>
  it.live(name, () => Effect.suspend(() => body(theHub())))

describe("a run in a hub", () => {
  onHub("plays its roles in a worker, and shows what they said", (hub) =>
    Effect.gen(function* () {
      const { runId, status } = yield* request(hub, "odd", { prompt: "fine" })
      expect(status).toBe("running")
      expect(yield* ended(hub, runId)).toMatchObject({ status: "completed", exitCode: 0, rounds: 1 })
      expect(yield* typesOf(hub, runId)).toEqual([
        "RunRequested",
        "RunStarted",
        "RoleSelected",
        "RoleAttemptStarted",
        "RoleStepRecorded",
        "RunCompleted"
      ])
      const page = yield* hub.get(`/workflow_runs/${runId}/thread`)
      expect(page.body).toMatchObject({
        total: 1,
        omitted: 0,
        before: null,
        rounds: [{ round: 1, role: "actor", content: "fine", meta: { ok: true } }]
      })
      const text = yield* hub.get(`/workflow_runs/${runId}/thread`, { accept: "text/plain" })
      expect(text.body).toMatch(/^\[#1 actor\] \S+Z\n---\nok: true\n---\nfine\n\n$/)
    })
  )

  onHub("ends in the recorded state that a misbehaving role leads to, and names the cause", (hub) =>
    Effect.gen(function* () {
      const ends: { readonly [prompt: string]: string } = {
        throws: "the disk is upside down",
        nothing: "a role must answer { content, meta? }",
        five: "content must be a text, not number",
        big: "BigInt",
        cycle: "circular",
        huge: "the limit is 1048576",
        "unknown role": "nobody",
        "moderator throws": "no idea",
        "moderator writes": "not extensible",
        "moderator promises": "must not be async"
      }
      for (const [prompt, cause] of Object.entries(ends)) {
        const { runId } = yield* request(hub, "odd", { prompt })
        const row = yield* ended(hub, runId)
        expect([prompt, row.status, row.exitCode]).toEqual([prompt, "failed", 1])
        expect(row.error).toContain(cause)
      }
      const { runId } = yield* request(hub, "odd", { prompt: "fine" })
      expect((yield* ended(hub, runId)).status).toBe("completed")
    })
  )

  onHub("names the line of the source that a role failed at", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "odd", { prompt: "throws" })
      yield* ended(hub, runId)
      const failed = (yield* eventsOf(hub, runId)).find(({ type }) => type === "RunFailed")
      const line = odd.split("\n").findIndex((text) => text.includes("upside down")) + 1
      expect(failed?.data.error).toMatchObject({
        stack: expect.stringContaining(`workflows/odd/index.ts:${line}:`)
      })
    })
  )

  onHub("tries again what may pass, with a back-off, and shows each attempt", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "odd", { prompt: "retry" })
      expect((yield* ended(hub, runId)).status).toBe("completed")
      const events = yield* eventsOf(hub, runId)
      const attempts = events.filter(({ type }) => type === "RoleAttemptStarted")
      expect(attempts.map(({ data }) => data.attempt)).toEqual([1, 2, 3])
    })
  )

  onHub("goes on with attempt 2 under the same key when its role ends the process, and others go on", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "odd", { prompt: "exit" })
      const row = yield* ended(hub, runId)
      expect(row).toMatchObject({ status: "completed", resumes: 1 })
      expect(yield* typesOf(hub, runId)).toEqual([
        "RunRequested",
        "RunStarted",
        "RoleSelected",
        "RoleAttemptStarted",
        "RunSuspended",
        "RoleAttemptAbandoned",
        "RunResumed",
        "RoleAttemptStarted",
        "RoleStepRecorded",
        "RunCompleted"
      ])
      const page = yield* hub.get(`/workflow_runs/${runId}/thread`, { accept: "text/plain" })
      expect(page.body).toContain("(attempt 2)")
      expect((yield* hub.get("/workflows/odd")).body).toMatchObject({ circuit: "closed", active: 0 })
    })
  )

  onHub("keeps a long content aside and shows it whole", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "odd", { prompt: "long" })
      yield* ended(hub, runId)
      const events = yield* eventsOf(hub, runId)
      const step = events.find(({ type }) => type === "RoleStepRecorded")
      expect(step?.data.content).toMatchObject({ bytes: 20_000, chars: 20_000 })
      const { body } = yield* hub.get(`/workflow_runs/${runId}/thread`)
      expect((body as { rounds: [{ content: string }] }).rounds[0].content).toBe("y".repeat(20_000))
    })
  )

  onHub("is not troubled by a role that prints megabytes, nor by a child that one leaves behind", (hub) =>
    Effect.gen(function* () {
      const printing = yield* request(hub, "odd", { prompt: "prints" })
      expect((yield* ended(hub, printing.runId)).status).toBe("completed")
      const leaking = yield* request(hub, "odd", { prompt: "leaks" })
      expect((yield* ended(hub, leaking.runId)).status).toBe("completed")
    })
  )

  onHub("fails with exit code 2 when it wants more rounds than it may have", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "odd", { prompt: "fine forever", maxRounds: 3 })
      expect(yield* ended(hub, runId)).toMatchObject({
        status: "failed",
        reason: "max_rounds",
        exitCode: 2,
        rounds: 3
      })
    })
  )

  onHub("keeps the step and fails when its moderator never ends, and its worker is another one then", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "looping", { prompt: "fine, then loops" })
      const row = yield* ended(hub, runId)
      expect(row).toMatchObject({ status: "failed", reason: "moderator_error", rounds: 1, exitCode: 1 })
      expect(row.error).toContain("did not answer within")
      const next = yield* request(hub, "looping", { prompt: "fine" })
      expect((yield* ended(hub, next.runId)).status).toBe("completed")
      expect((yield* hub.get("/workflows/looping")).body).toMatchObject({ circuit: "closed" })
    })
  )

  onHub("is killed in the queue at once, and at work as soon as its role heeds the abort", (hub) =>
    Effect.gen(function* () {
      const working = yield* request(hub, "one", { prompt: "waits" })
      const waiting = yield* request(hub, "one", { prompt: "fine" })
      expect(waiting.status).toBe("queued")
      const killed = yield* hub.post(`/workflow_runs/${waiting.runId}/kill`)
      expect(killed).toMatchObject({ status: 202, body: { status: "killed" } })
      yield* until(hub, working.runId, ({ attempt }) => attempt === 1)
      yield* hub.post(`/workflow_runs/${working.runId}/kill`, { reason: "enough" })
      expect(yield* ended(hub, working.runId)).toMatchObject({
        status: "killed",
        exitCode: 137,
        reason: "enough"
      })
      expect((yield* typesOf(hub, working.runId)).slice(-3)).toEqual([
        "RunKillRequested",
        "RoleAttemptAbandoned",
        "RunKilled"
      ])
      const again = yield* hub.post(`/workflow_runs/${working.runId}/kill`)
      expect(again).toMatchObject({ status: 202, body: { status: "killed" } })
      const next = yield* request(hub, "one", { prompt: "fine" })
      expect(next.status).toBe("running")
      expect((yield* ended(hub, next.runId)).status).toBe("completed")
    })
  )

  onHub("has one id and one answer for a request that is repeated with its key", (hub) =>
    Effect.gen(function* () {
      const key = { "idempotency-key": "k1" }
      const first = yield* request(hub, "keyed", { prompt: "fine" }, key)
      yield* ended(hub, first.runId)
      const again = yield* request(hub, "keyed", { prompt: "fine" }, key)
      expect(again).toEqual(first)
      const { body } = yield* hub.get("/workflow_runs?status=all&workflow=keyed")
      expect((body as { rows: ReadonlyArray<unknown> }).rows).toHaveLength(1)
    })
  )

  onHub("says what becomes of requests over the limit: queued, evicted, dropped", (hub) =>
    Effect.gen(function* () {
      const fates = []
      for (let n = 1; n <= 6; n++) fates.push(yield* request(hub, "full", { prompt: "waits" }))
      expect(fates.map(({ status }) => status)).toEqual([
        "running",
        "queued",
        "queued",
        "queued",
        "queued",
        "queued"
      ])
      const second = yield* ended(hub, fates[1]?.runId ?? "")
      expect(second).toMatchObject({ status: "dropped", reason: "evicted" })
      expect((yield* ended(hub, fates[2]?.runId ?? "")).status).toBe("dropped")
      const open = yield* hub.get("/workflow_runs?workflow=full")
      expect((open.body as { rows: ReadonlyArray<unknown> }).rows).toHaveLength(4)
    })
  )

  onHub("crashes when its module is not there, and what is asked for after it is dropped", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "none", { prompt: "fine" })
      expect(yield* ended(hub, runId)).toMatchObject({
        status: "crashed",
        exitCode: 255,
        reason: "load_failed"
      })
      expect((yield* hub.get("/workflows/none")).body).toMatchObject({ circuit: "open", worker: "absent" })
      const dropped = yield* request(hub, "none", { prompt: "fine" })
      expect(dropped).toMatchObject({ status: "dropped", reason: "circuit_open" })
    })
  )

  onHub("cannot be asked for in a wrong way", (hub) =>
    Effect.gen(function* () {
      const refused = (path: string, body: unknown) =>
        Effect.map(hub.post(path, body), ({ status, body }) => [status, (body as { _tag: string })._tag])
      expect(yield* refused("/workflows/nope/runs", { prompt: "x" })).toEqual([404, "UnknownWorkflow"])
      expect(yield* refused("/workflows/odd/runs", { prompt: "  " })).toEqual([400, "InvalidCommand"])
      expect(yield* refused("/workflows/odd/runs", { prompt: "x".repeat(65_537) })).toEqual([
        400,
        "InvalidCommand"
      ])
      expect(yield* refused("/workflows/odd/runs", { prompt: "x", maxRounds: 1_001 })).toEqual([
        400,
        "InvalidCommand"
      ])
      expect(yield* refused("/workflows/odd/runs", { payload: "x" })).toEqual([400, "InvalidCommand"])
      expect(yield* refused("/workflow_runs/nope/kill", {})).toEqual([404, "UnknownRun"])
      expect((yield* hub.get("/workflow_runs/nope")).status).toBe(404)
      expect((yield* hub.get("/workflow_runs/nope/thread")).status).toBe(404)
    })
  )

  onHub("is followed from its first event on", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "odd", { prompt: "fine" })
      yield* ended(hub, runId)
      const text = yield* Effect.promise(async () => {
        const stop = new AbortController()
        const response = await fetch(`${hub.hub.url}/workflow_runs/${runId}/events`, {
          headers: { accept: "text/event-stream" },
          signal: stop.signal
        })
        let seen = ""
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
          seen += Buffer.from(chunk).toString()
          if (seen.includes("RunCompleted")) break
        }
        stop.abort()
        return seen
      })
      const types = [...text.matchAll(/"type":"(\w+)"/g)].map(([, type]) => type)
      expect(types).toEqual(yield* typesOf(hub, runId))
    })
  )

  onHub("is shown in pages, and as it was at an earlier offset", (hub) =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      for (let n = 0; n < 3; n++) ids.push((yield* request(hub, "paged", { prompt: "fine" })).runId)
      for (const id of ids) yield* ended(hub, id)
      const first = yield* hub.get("/workflow_runs?status=completed&workflow=paged&limit=2")
      const { rows, next } = first.body as { rows: ReadonlyArray<{ runId: string }>; next: string }
      const second = yield* hub.get(`/workflow_runs?status=completed&workflow=paged&limit=2&cursor=${next}`)
      const rest = second.body as { rows: ReadonlyArray<{ runId: string }>; next: string | null }
      expect([...rows, ...rest.rows].map(({ runId }) => runId)).toEqual(ids.toReversed())
      expect(rest.next).toBeNull()
      const events = yield* eventsOf(hub, ids[0] ?? "")
      const past = yield* hub.get(`/workflow_runs/${ids[0]}?at=${events[2]?.offset}`)
      expect(past.body).toMatchObject({ status: "running", role: "actor", endedAt: null })
      expect((yield* rowOf(hub, ids[0] ?? "")).status).toBe("completed")
    })
  )
})
