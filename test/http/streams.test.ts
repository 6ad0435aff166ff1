import { readFileSync } from "node:fs"
import { join } from "node:path"
import { stream } from "@durable-streams/client"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeWorkspace, runMound } from "../support/runMound.js"

const enabled = "streams:\n  enabled: true\n  long_poll: 300ms\n"

const start = (workspace: string) =>
  Effect.map(runMound(["start", "--workspace", workspace]), ({ stdout }) => stdout.trim())
const kill = (workspace: string) =>
  Effect.sync(() => {
    const { pid } = JSON.parse(readFileSync(join(workspace, ".mound/hub.json"), "utf8")) as { pid: number }
    process.kill(pid, "SIGKILL")
  })

const hubWith = (yaml = enabled) =>
  Effect.flatMap(makeWorkspace(yaml), (workspace) =>
    Effect.map(start(workspace), (url) => ({ workspace, url }))
  )

const get = (url: string, init?: RequestInit) => Effect.promise(() => fetch(url, init))
const jsonOf = <A>(response: Response): Effect.Effect<A> =>
  Effect.promise(() => response.json() as Promise<A>)
const deposit = (url: string, id: string, payload: unknown = null) =>
  get(`${url}/claims`, {
    method: "POST",
    body: JSON.stringify({ record: { id, stanceTarget: "s", baseIntensity: 1, decayRate: 0, payload } })
  })

interface Recorded {
  readonly offset: number
  readonly stream: string
}

const token = (offset: number): string => `${"0".repeat(16)}_${String(offset).padStart(16, "0")}`
const isGapless = (events: ReadonlyArray<Recorded>): boolean =>
  events.every(({ offset }, index) => offset === index + 1)

/** Appends `count` events from some callers at once. */
const load = (url: string, count: number, prefix = "load") =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `${prefix}-${index}`),
    (id) => deposit(url, id),
    {
      concurrency: 16,
      discard: true
    }
  )

/** Frames of a server-sent stream until `enough` of them were seen; then the connection is cut. */
const frames = (
  url: string,
  enough: (seen: ReadonlyArray<string>) => boolean,
  headers: Record<string, string> = {}
) =>
  Effect.promise(async () => {
    const abort = new AbortController()
    const response = await fetch(url, { headers, signal: abort.signal })
    const reader = (response.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream())
      .getReader()
    const seen: Array<string> = []
    let rest = ""
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return seen
      const parts = (rest + value).split("\n\n")
      rest = parts.pop() ?? ""
      seen.push(...parts)
      if (!enough(seen)) continue
      abort.abort()
      return seen
    }
  })

describe("streams that are switched off", () => {
  it.live("answer in the old server's words, on every route and method, and append nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith("")
      for (const [path, method] of [
        ["/servers", "GET"],
        ["/servers", "POST"],
        ["/servers/x", "DELETE"]
      ] as const) {
        const answer = yield* get(`${url}${path}`, { method })
        expect(answer.status).toBe(400)
        expect(Object.entries(yield* jsonOf<object>(answer)).slice(0, 2)).toEqual([
          ["error", "durableStreams not enabled"],
          ["message", "Enable experimental.durableStreams in config"]
        ])
      }
      for (const path of ["/stream/events?sessionId=x", "/v1/stream/$all"]) {
        expect(yield* jsonOf<object>(yield* get(`${url}${path}`))).toMatchObject({
          error: "DurableStreamsDisabled",
          message: "Enable experimental.durableStreams in config to use this endpoint",
          fix: expect.stringContaining("streams.enabled: true") as string
        })
      }
    }).pipe(Effect.scoped)
  )

  it.live("are switched on by their old key too, and not by both keys at odds", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith("experimental:\n  durableStreams: true\n")
      expect((yield* get(`${url}/servers`)).status).toBe(200)
      const workspace = yield* makeWorkspace(
        "streams:\n  enabled: false\nexperimental:\n  durableStreams: true\n"
      )
      const refused = yield* runMound(["start", "--workspace", workspace])
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain("differs from what")
    }).pipe(Effect.scoped)
  )
})

describe("the journal's streams", () => {
  it.live("are caught up with whole, resumed by a token, and told apart by name", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith()
      for (const id of ["a", "ab", "a/b \\:", "a"]) yield* deposit(url, id, { deep: [null, {}, "😀"] })
      const all = yield* get(`${url}/v1/stream/$all`)
      const events = yield* jsonOf<ReadonlyArray<Recorded>>(all)
      expect(isGapless(events)).toBe(true)
      expect(all.headers.get("stream-up-to-date")).toBe("true")
      expect(all.headers.get("stream-next-offset")).toBe(token(events.length))
      const named = (name: string) =>
        Effect.flatMap(get(`${url}/v1/stream/${encodeURIComponent(name)}`), (answer) =>
          jsonOf<ReadonlyArray<Recorded>>(answer)
        )
      for (const name of ["claim/a", "claim/ab", "claim/a/b \\:", "hub"]) {
        expect(yield* named(name)).toEqual(events.filter((event) => event.stream === name))
      }
      const own = events.filter(({ stream }) => stream === "claim/a")
      const [first, second] = own as [Recorded, Recorded]
      const later = yield* get(`${url}/v1/stream/claim/a?offset=${token(first.offset)}`)
      expect(yield* jsonOf(later)).toEqual([second])
      // A token of one stream goes on in another, and never steps back.
      const beyond = yield* get(`${url}/v1/stream/claim/ab?offset=${token(second.offset)}`)
      expect(yield* jsonOf(beyond)).toEqual([])
      expect(beyond.headers.get("stream-next-offset")).toBe(token(second.offset))
      const kinds = yield* get(`${url}/v1/stream/$all?kind=claim&type=PheromoneDeposited,ClaimGranted`)
      expect(yield* jsonOf(kinds)).toEqual(events.filter(({ stream }) => stream.startsWith("claim/")))
      const two = yield* get(`${url}/v1/stream/$all?limit=2`)
      expect(yield* jsonOf(two)).toEqual(events.slice(0, 2))
      expect(two.headers.get("stream-next-offset")).toBe(token(2))
      expect(two.headers.has("stream-up-to-date")).toBe(false)
    }).pipe(Effect.scoped)
  )

  it.live("say what is wrong with a request, and are only read", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith()
      yield* deposit(url, "a")
      const refusals = {
        "/v1/stream/claim/none": [404, "StreamNotFound"],
        "/v1/stream/nothing/x": [404, "StreamNotFound"],
        "/v1/stream/$all?offset=": [400, "MalformedOffset"],
        "/v1/stream/$all?offset=01ARZ3NDEKTSV4RRFFQ69G5FAV": [400, "MalformedOffset"],
        "/v1/stream/$all?offset=-1&offset=-1": [400, "MalformedOffset"],
        [`/v1/stream/$all?offset=${token(9_999)}`]: [400, "OffsetAhead"],
        "/v1/stream/$all?offset=9999999999999999_9999999999999999": [400, "ForeignOffset"],
        "/v1/stream/$all?offset=0000000001000000_0000000000000001": [400, "ForeignOffset"],
        "/v1/stream/$all?live=sse": [400, "BadParameter"],
        "/v1/stream/$all?live=yes&offset=-1": [400, "BadParameter"],
        "/v1/stream/$all?kind=nothing": [400, "BadParameter"],
        "/v1/stream/%E0%A4%A": [400, "BadParameter"]
      } as const
      for (const [path, [status, tag]] of Object.entries(refusals)) {
        const answer = yield* get(`${url}${path}`)
        expect([path, answer.status, (yield* jsonOf<{ _tag: string }>(answer))._tag]).toEqual([
          path,
          status,
          tag
        ])
        expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
      }
      for (const method of ["PUT", "POST", "DELETE"]) {
        const answer = yield* get(`${url}/v1/stream/$all`, { method })
        expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"])
      }
      const head = yield* get(`${url}/v1/stream/claim/a`, { method: "HEAD" })
      const now = yield* get(`${url}/v1/stream/claim/a?offset=now`)
      expect(yield* jsonOf(now)).toEqual([])
      expect(now.headers.get("stream-next-offset")).toBe(head.headers.get("stream-next-offset"))
    }).pipe(Effect.scoped)
  )

  it.live("tell a page of any origin what it may ask, and let none of them read that may not", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith()
      yield* deposit(url, "a")
      const foreign = { Origin: "https://example.test", "Access-Control-Request-Method": "GET" }
      const options = yield* get(`${url}/v1/stream/claim%2Fa`, { method: "OPTIONS", headers: foreign })
      expect(options.status).toBe(204)
      expect(options.headers.get("access-control-allow-headers")).toMatch(
        /If-None-Match.*Last-Event-ID.*Producer-Id/
      )
      expect(options.headers.get("access-control-allow-origin")).toBe(null)
      expect((yield* get(`${url}/v1/stream/claim%2Fa`, { headers: { Origin: foreign.Origin } })).status).toBe(
        403
      )
      expect((yield* get(`${url}/claims/a`, { method: "OPTIONS", headers: foreign })).status).toBe(403)
    }).pipe(Effect.scoped)
  )

  it.live("answer an unchanged stream without its events", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith()
      yield* deposit(url, "a")
      const etag = (yield* get(`${url}/v1/stream/claim/a`)).headers.get("etag") ?? ""
      const again = yield* get(`${url}/v1/stream/claim/a`, { headers: { "if-none-match": `"x", W/${etag}` } })
      expect([again.status, yield* Effect.promise(() => again.text())]).toEqual([304, ""])
      yield* deposit(url, "a")
      expect((yield* get(`${url}/v1/stream/claim/a`, { headers: { "if-none-match": etag } })).status).toBe(
        200
      )
    }).pipe(Effect.scoped)
  )

  it.live("let a long poll wait for what comes, or say after a while that nothing did", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith("streams:\n  enabled: true\n  long_poll: 5s\n")
      yield* deposit(url, "a")
      const at =
        (yield* get(`${url}/v1/stream/claim/a`, { method: "HEAD" })).headers.get("stream-next-offset") ?? ""
      const waiting = yield* Effect.fork(get(`${url}/v1/stream/claim/a?live=long-poll&offset=${at}`))
      yield* deposit(url, "b")
      yield* deposit(url, "a")
      const answer = yield* waiting
      expect(answer.status).toBe(200)
      expect((yield* jsonOf<ReadonlyArray<Recorded>>(answer)).map(({ stream }) => stream)).toEqual([
        "claim/a"
      ])
      expect(answer.headers.get("stream-cursor")).toMatch(/^\d+$/)

      const { url: impatient } = yield* hubWith("streams:\n  enabled: true\n  long_poll: 100ms\n")
      const nothing = yield* get(`${impatient}/v1/stream/$all?live=long-poll&offset=now`)
      expect([nothing.status, nothing.headers.get("stream-up-to-date")]).toEqual([204, "true"])
    }).pipe(Effect.scoped)
  )

  it.live("send data that looks like a frame as data", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith()
      const payload = "\r\nevent: control\r\ndata: {}\n\n"
      yield* deposit(url, "a", payload)
      const [data, control] = yield* frames(
        `${url}/v1/stream/claim/a?live=sse&offset=-1`,
        (seen) => seen.length >= 2
      )
      const sent = JSON.parse((data ?? "").replace("event: data\ndata:", "")) as ReadonlyArray<{
        data: { record: { payload: string } }
      }>
      expect(sent[0]?.data.record.payload).toBe(payload)
      expect(control).toMatch(
        /^event: control\ndata:\{"streamNextOffset":"[0-9_]+","streamCursor":"\d+","upToDate":true\}\nid:[0-9_]+$/
      )
    }).pipe(Effect.scoped)
  )

  it.live(
    "reach the protocol's own client once and in order: in one request, by SSE and by long-poll, across a kill",
    () =>
      Effect.gen(function* () {
        const { workspace, url } = yield* hubWith()
        yield* load(url, 600)
        const whole = yield* Effect.promise(async () =>
          (await stream<Recorded>({ url: `${url}/v1/stream/$all`, live: false })).json()
        )
        expect(whole.length).toBeGreaterThan(600)
        expect(isGapless(whole)).toBe(true)
        for (const live of ["sse", "long-poll"] as const) {
          const following = yield* Effect.fork(followTo(`${url}/v1/stream/$all`, live, `claim/${live}-last`))
          yield* load(url, 10, live)
          yield* kill(workspace)
          expect(yield* start(workspace)).toBe(url)
          yield* load(url, 20, live)
          yield* deposit(url, `${live}-last`)
          expect(isGapless(yield* following)).toBe(true)
        }
      }).pipe(Effect.scoped),
    60_000
  )
})

/** What the protocol's own client sees until an event of a stream, beginning anew from its last offset whenever it is cut off. */
const followTo = (
  url: string,
  live: "sse" | "long-poll",
  last: string
): Effect.Effect<ReadonlyArray<Recorded>> => {
  const seen: Array<Recorded> = []
  let offset = "-1"
  const connection = Effect.tryPromise(async (signal) => {
    const following = await stream<Recorded>({
      url,
      offset,
      live,
      signal,
      backoffOptions: { maxRetries: 0 } as never
    })
    await new Promise<void>((resolve, reject) => {
      following.closed.then(resolve, reject)
      following.subscribeJson(async (batch) => {
        seen.push(...batch.items)
        offset = batch.offset
        if (seen.some((event) => event.stream === last)) resolve()
      })
    })
  })
  const isDone = Effect.sync(() => seen.some((event) => event.stream === last))
  return Effect.ignore(connection).pipe(
    Effect.zipRight(Effect.sleep(50)),
    Effect.zipRight(isDone),
    Effect.repeat({ until: (done) => done }),
    Effect.as(seen)
  )
}

describe("GET /stream/events", () => {
  it.live("gives a session's past, at an offset inclusive, after one exclusive, and nothing for nobody", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith()
      for (let round = 0; round < 3; round++) for (const id of ["a", "ab"]) yield* deposit(url, id)
      const ask = (query: string) => get(`${url}/stream/events?${query}`)
      const offsets = (answer: Response) =>
        Effect.map(jsonOf<ReadonlyArray<{ offset: string }>>(answer), (messages) =>
          messages.map(({ offset }) => offset)
        )
      const all = yield* ask("sessionId=claim/a")
      const mine = yield* offsets(all)
      expect(mine).toHaveLength(3)
      expect(all.headers.get("stream-next-offset")).toBe(mine[2])
      expect(yield* offsets(yield* ask(`sessionId=claim/a&offset=${mine[1]}`))).toEqual(mine.slice(1))
      expect(yield* offsets(yield* ask(`sessionId=claim/a&after=${mine[1]}`))).toEqual(mine.slice(2))
      const two = yield* ask("sessionId=claim/a&limit=2")
      expect(yield* offsets(two)).toEqual(mine.slice(0, 2))
      expect([two.headers.get("stream-next-offset"), two.headers.get("stream-up-to-date")]).toEqual([
        mine[1],
        "false"
      ])
      const nobody = yield* ask("sessionId=nobody")
      expect(yield* offsets(nobody)).toEqual([])
      expect(nobody.headers.get("stream-next-offset")).toBe("-1")
      for (const query of [
        "",
        "sessionId=",
        "sessionId=x&live=yes",
        "sessionId=x&offset=01ARZ3NDEKTSV4RRFFQ69G5FAV",
        `sessionId=$all&offset=-1&after=-1`
      ]) {
        const refused = yield* ask(query)
        expect([query, refused.status]).toEqual([query, 400])
        expect(yield* jsonOf(refused)).toMatchObject({ success: false, errors: [{}] })
      }
    }).pipe(Effect.scoped)
  )

  it.live("delivers every event once and in order to many that connect at random moments of a load", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith()
      const count = 1_000
      const isWhole = (seen: ReadonlyArray<string>) => seen.some((frame) => frame.includes(`"claim/last"`))
      const loading = yield* Effect.fork(Effect.zipRight(load(url, count), deposit(url, "last")))
      const followers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index),
        (index) =>
          Effect.zipRight(
            load(url, index % 5, `follower-${index}`),
            frames(`${url}/stream/events?sessionId=$all&live=true`, isWhole)
          ),
        { concurrency: "unbounded" }
      )
      yield* loading
      for (const seen of followers) {
        const events = seen
          .filter((frame) => frame.startsWith("data:"))
          .map((frame) => JSON.parse(frame.split("\n")[0]?.slice(6) ?? "") as { event: Recorded })
        expect(isGapless(events.map(({ event }) => event))).toBe(true)
        expect(seen.filter((frame) => frame.startsWith("event: catch-up-complete"))).toHaveLength(1)
      }
    }).pipe(Effect.scoped)
  )

  it.live("sends heartbeats to who waits, and resumes after the id that a browser shows", () =>
    Effect.gen(function* () {
      const { url } = yield* hubWith("streams:\n  enabled: true\n  heartbeat: 100ms\n")
      yield* deposit(url, "a")
      yield* deposit(url, "a")
      const first = yield* frames(
        `${url}/stream/events?sessionId=claim/a&live=true`,
        (seen) => seen.length >= 1
      )
      const id = /^id:(.*)$/m.exec(first[0] ?? "")?.[1] ?? ""
      const resumed = yield* frames(
        `${url}/stream/events?sessionId=claim/a&live=true`,
        (seen) => seen.some((frame) => frame.startsWith("event: heartbeat")),
        {
          "last-event-id": id
        }
      )
      expect(resumed.map((frame) => frame.split("\n")[0]?.slice(0, 24))).toEqual([
        'data: {"offset":"0000000',
        "event: catch-up-complete",
        "event: heartbeat"
      ])
    }).pipe(Effect.scoped)
  )
})
