/** Callers that are known by their tokens, on the old routes and the new ones (contracts: ledger 4, 5.4). */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { digestOf } from "../../src/config/agents.js"
import { loadSettings } from "../../src/config/Settings.js"
import { startHub } from "../../src/hub/startHub.js"
import { type Asked, type Fields, serverBeside, startedHub, type TestHub } from "../support/hub.js"
import { temporaryFolder } from "../support/stores.js"

const tokens = {
  ann: "token-of-ann-0123456789",
  bob: "token-of-bob-0123456789",
  boss: "token-of-boss-0123456789",
  eye: "token-of-eye-0123456789"
}
type Name = keyof typeof tokens

const entries = {
  [tokens.ann]: { agentId: "ann", class: "worker", maxHeld: 1 },
  [`sha256:${digestOf(tokens.bob)}`]: { agentId: "bob", class: "worker" },
  [tokens.boss]: { agentId: "boss", class: "privileged" },
  [tokens.eye]: { agentId: "eye", class: "worker", scope: "read" }
}

const mark = (id: string, more: object = {}) => ({
  id,
  stanceTarget: "s",
  baseIntensity: 1,
  decayRate: 0,
  ...more
})

interface Place {
  readonly hub: TestHub
  readonly file: string
  /** As one of the agents, or with any other token. */
  readonly as: (who: Name | string, path: string, asked?: Asked) => ReturnType<TestHub["ask"]>
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

const place = (settings: { readonly [key: string]: string } = {}): Effect.Effect<Place, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const file = join(folder, "tokens.json")
    writeFileSync(file, JSON.stringify({ tokens: entries }))
    const kinds = join(folder, "kinds.json")
    const publishableBy = (...classes: ReadonlyArray<string>) => ({ publishableBy: classes })
    writeFileSync(
      kinds,
      JSON.stringify({
        kinds: { signal: publishableBy("worker", "privileged"), alarm: publishableBy("privileged") }
      })
    )
    const auth = { "ledger.auth.tokens_file": file, "ledger.auth.kind_registry": kinds }
    const hub = yield* startedHub({ folder, settings: { ...auth, ...settings } })
    const as: Place["as"] = (who, path, asked = {}) =>
      hub.ask(path, { ...asked, headers: { ...asked.headers, ...bearer(tokens[who as Name] ?? who) } })
    return { hub, file, as }
  })

const withPlace = (
  name: string,
  body: (place: Place) => Promise<void>,
  settings?: { readonly [key: string]: string }
) => it.scopedLive(name, () => Effect.flatMap(place(settings), (made) => Effect.promise(() => body(made))))

const post = { method: "POST" } as const
const told = ({ status, text }: { readonly status: number; readonly text: string }) => [status, text]
const tag = ({ status, json }: { readonly status: number; readonly json: Fields }) => [
  status,
  json._tag,
  json.need
]

/** Who is named by the events of a claim. */
const bysOf = async ({ ask }: TestHub, id: string) =>
  ((await ask(`/journal?stream=claim/${id}`)).json.events as ReadonlyArray<Fields>).map(({ type, by }) => [
    type,
    by
  ])

describe("the old routes with tokens of agents", () => {
  withPlace("take a token's agent for the peer, and its name on every mark", async ({ hub, as }) => {
    expect(told(await as("ann", "/pheromones", { body: mark("a", { agentId: "somebody", x: 1 }) }))).toEqual([
      201,
      "ok"
    ])
    expect(told(await as("bob", "/pheromones/a/claim", post))).toEqual([200, "ok"])
    expect(told(await as("ann", "/pheromones/a/inflate", post))).toEqual([200, "ok"])
    expect((await hub.listed())[0]).toMatchObject({ agentId: "ann", x: 1, kind: "signal" })
    expect(await bysOf(hub, "a")).toEqual([
      ["PheromoneDeposited", "ann"],
      ["ClaimGranted", "bob"],
      ["PheromoneInflated", "ann"]
    ])
    expect((await hub.ask("/claims/a")).json.holder).toMatchObject({ peer: "bob" })
  })

  withPlace("refuse commands without a token that they know, and append nothing", async ({ hub, as }) => {
    await as("ann", "/pheromones", { body: mark("a") })
    const before = await hub.head()
    for (const path of ["/pheromones/a/claim", "/pheromones/a/inflate", "/pheromones/none/claim"]) {
      expect(told(await hub.ask(path, post))).toEqual([401, "auth_error:401:missing_token"])
      const basic = { headers: { Authorization: `Basic ${tokens.ann}` } }
      expect(told(await hub.ask(path, { ...post, ...basic }))).toEqual([401, "auth_error:401:missing_token"])
      expect(told(await as("wrong", path, post))).toEqual([403, "auth_error:403:unknown_token"])
      expect(told(await as("eye", path, post))).toEqual([403, "auth_error:403:read_only"])
    }
    expect(told(await hub.ask("/pheromones", { body: mark("b") }))).toEqual([
      401,
      "auth_error:401:missing_token"
    ])
    expect(told(await as("wrong", "/pheromones", { body: mark("b") }))).toEqual([
      403,
      "auth_error:403:unknown_token"
    ])
    expect(await hub.head()).toBe(before)
    expect(await hub.listed()).toHaveLength(1)
    expect((await as("wrong", "/pheromones")).status).toBe(200)
  })

  withPlace("tell of the mark's faults first, then of the token, then of the kind", async ({ hub, as }) => {
    expect(told(await hub.ask("/pheromones", { body: mark("a", { kind: "none", seq: "x" }) }))).toEqual([
      400,
      "seq"
    ])
    expect(told(await hub.ask("/pheromones", { body: mark("a", { kind: "none" }) }))).toEqual([
      401,
      "auth_error:401:missing_token"
    ])
    expect(told(await as("ann", "/pheromones", { body: mark("a", { kind: "none" }) }))).toEqual([
      400,
      "kind_unregistered"
    ])
    expect(told(await as("ann", "/pheromones", { body: mark("a", { kind: 5 }) }))).toEqual([
      400,
      "kind_unregistered"
    ])
    expect(told(await as("ann", "/pheromones", { body: mark("a", { kind: "alarm" }) }))).toEqual([
      403,
      "auth_error:403:kind_privileged"
    ])
    expect(await hub.listed()).toEqual([])
    expect((await as("boss", "/pheromones", { body: mark("a", { kind: "alarm" }) })).status).toBe(201)
  })

  withPlace(
    "give every agent its own budget of inflations, ids that there are not counted too",
    async ({ as }) => {
      await as("ann", "/pheromones", { body: mark("a") })
      expect(told(await as("ann", "/pheromones/a/inflate", post))).toEqual([200, "ok"])
      expect(told(await as("ann", "/pheromones/none/inflate", post))).toEqual([404, "missing"])
      const over = await as("ann", "/pheromones/a/inflate", post)
      expect(told(over)).toEqual([429, "auth_error:429:inflate_budget"])
      expect(Number(over.headers["retry-after"])).toBeGreaterThan(3_000)
      expect(tag(await as("ann", "/claims/a/inflate", { body: {} }))).toEqual([
        429,
        "InflateBudget",
        undefined
      ])
      expect(told(await as("bob", "/pheromones/a/inflate", post))).toEqual([200, "ok"])
    },
    { "ledger.auth.inflate_max": "2", "ledger.auth.inflate_window": "1h" }
  )
})

describe("half of what agents may be held to", () => {
  withPlace(
    "is no budget of inflations: a number without a window, or none of them",
    async ({ as }) => {
      await as("ann", "/pheromones", { body: mark("a") })
      for (let n = 0; n < 5; n++) expect((await as("ann", "/pheromones/a/inflate", post)).text).toBe("ok")
    },
    { "ledger.auth.inflate_max": "2" }
  )

  it.scopedLive("is no registry of kinds where nobody has a token", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const kinds = join(folder, "kinds.json")
      writeFileSync(kinds, JSON.stringify({ kinds: { alarm: { publishableBy: ["privileged"] } } }))
      const hub = yield* startedHub({ folder, settings: { "ledger.auth.kind_registry": kinds } })
      yield* Effect.promise(async () => {
        expect((await hub.publish("a", { kind: "never heard of", agentId: "me" })).text).toBe("ok")
        expect(await hub.listed()).toMatchObject([{ kind: "never heard of", agentId: "me" }])
        await hub.publish("b")
        expect((await hub.listed())[1]).not.toHaveProperty("kind")
      })
    })
  )
})

describe("the new routes with tokens of agents", () => {
  withPlace("let an agent act as itself alone", async ({ hub, as }) => {
    expect((await as("ann", "/claims", { body: { record: mark("a", { agentId: "bob" }) } })).status).toBe(201)
    expect((await hub.ask("/claims/a")).json.record).toMatchObject({ agentId: "ann", kind: "signal" })
    expect(tag(await as("ann", "/claims", { body: { record: mark("b", { kind: "alarm" }) } }))[1]).toBe(
      "NotAllowed"
    )
    expect(tag(await as("ann", "/claims/a/claim", { body: { peer: "bob" } }))).toEqual([
      403,
      "NotAllowed",
      "the token of bob"
    ])
    const grant = await as("ann", "/claims/a/claim", { body: {} })
    expect(grant.json).toMatchObject({ ttlMs: 300_000, boundTo: null })
    const token = grant.json.token as number
    // A fencing token is no secret: it does not make another its holder.
    for (const [path, body] of [
      ["renew", {}],
      ["release", {}],
      ["complete", {}],
      ["fail", { reason: "r" }],
      ["handoff/offer", { to: "bob" }],
      ["handoff/withdraw", {}]
    ] as const) {
      for (const other of ["bob", "boss"]) {
        const answer = await as(other, `/claims/a/${path}`, { body: { token, ...body } })
        expect([path, ...tag(answer)]).toEqual([path, 403, "NotAllowed", "to be ann, who holds this claim"])
      }
    }
    expect((await as("ann", "/claims/a/handoff/offer", { body: { token, to: "bob" } })).status).toBe(200)
    expect(tag(await as("ann", "/claims/a/handoff/decline", { body: { peer: "bob" } }))[0]).toBe(403)
    expect((await as("bob", "/claims/a/handoff/accept", { body: {} })).json.id).toBe("a")
    expect(await bysOf(hub, "a")).toEqual([
      ["PheromoneDeposited", "ann"],
      ["ClaimGranted", "ann"],
      ["HandoffOffered", "ann"],
      ["ClaimTransferred", "bob"]
    ])
  })

  withPlace("keep what is for operators to them, and reading to readers", async ({ hub, as }) => {
    await as("ann", "/claims", { body: { record: mark("a") } })
    const { token } = (await as("ann", "/claims/a/claim", { body: {} })).json
    const before = await hub.head()
    const forOperators: ReadonlyArray<readonly [path: string, body: object]> = [
      ["/claims/a/revoke", { reason: "r" }],
      ["/claims/a/reopen", { reason: "r" }],
      ["/claims/a/evaporate", {}],
      ["/ledger/sweep", {}],
      ["/hub/stop", { force: true }],
      ["/projections/claims/rebuild", {}],
      ["/peers", { personality: "x", cwd: "/" }],
      ["/config/reload", {}]
    ]
    for (const [path, body] of forOperators) {
      expect([path, ...tag(await as("ann", path, { body }))]).toEqual([path, 403, "NotAllowed", "operator"])
    }
    const force = { expectedToken: token, reason: "r", force: true }
    expect(tag(await as("bob", "/claims/a/reclaim", { body: force }))).toEqual([
      403,
      "NotAllowed",
      "operator"
    ])
    const commands: ReadonlyArray<readonly [path: string, body: object]> = [
      ...forOperators,
      ["/claims", { record: mark("b") }],
      ["/claims/next", {}],
      ["/messages", { to: "x", body: "b" }],
      ["/blobs", {}],
      ["/mcp", {}],
      ["/servers", {}]
    ]
    for (const [path, body] of commands) {
      expect([path, ...tag(await hub.ask(path, { body }))]).toEqual([path, 401, "NotAllowed", "token"])
      expect([path, ...tag(await as("wrong", path, { body }))]).toEqual([path, 403, "NotAllowed", "token"])
      const reader = await as("eye", path, { body })
      expect([path, reader.status, reader.json._tag]).toEqual([path, 403, "NotAllowed"])
    }
    expect(await hub.head()).toBe(before)
    expect((await as("eye", "/claims/a/verify", { body: { token } })).status).toBe(200)
    expect((await hub.ask("/claims/a")).status).toBe(200)
    expect((await as("boss", "/claims/a/revoke", { body: { reason: "r" } })).status).toBe(200)
    expect((await bysOf(hub, "a")).at(-1)).toEqual(["ClaimRevoked", "boss"])
  })

  withPlace(
    "record who asked for what the hub then does itself",
    async ({ hub, as }) => {
      await as("ann", "/claims", { body: { record: mark("faded", { baseIntensity: 0.001 }) } })
      const { token } = (await as("ann", "/claims/faded/claim", { body: {} })).json
      await as("ann", "/claims/faded/complete", { body: { token } })
      const old = join(hub.folder, "old.jsonl")
      writeFileSync(old, `${JSON.stringify({ type: "claim", id: "moved", token: "t" })}\n`)
      writeFileSync(join(hub.folder, "mound.yaml"), "# another file\n")
      const asked: ReadonlyArray<readonly [path: string, body: object, type: string]> = [
        ["/ledger/sweep", {}, "PheromoneEvaporated"],
        ["/ledger/import", { path: old }, "LedgerImported"],
        ["/config/reload", {}, "ConfigReloaded"],
        ["/projections/claims/rebuild", {}, "ProjectionRebuilt"],
        ["/servers", { id: "s", url: "http://localhost:1", port: 1, pid: 1 }, "ServerRegistered"]
      ]
      const before = await hub.head()
      const answers = []
      for (const [path, body] of asked) answers.push([path, (await as("boss", path, { body })).status])
      const events = (await hub.ask(`/journal?after=${before}&limit=1000`)).json
        .events as ReadonlyArray<Fields>
      expect([answers, asked.map(([, , type]) => events.find((event) => event.type === type)?.by)]).toEqual([
        asked.map(([path]) => [path, 200]),
        asked.map(() => "boss")
      ])
    },
    { "streams.enabled": "true" }
  )

  withPlace("hold an agent to the number of claims that is its own", async ({ as }) => {
    for (const id of ["a", "b"]) await as("bob", "/claims", { body: { record: mark(id) } })
    expect((await as("ann", "/claims/a/claim", { body: {} })).status).toBe(200)
    const over = await as("ann", "/claims/b/claim", { body: {} })
    expect([over.status, over.json]).toMatchObject([429, { _tag: "QuotaReached", held: 1, limit: 1 }])
    expect((await as("bob", "/claims/b/claim", { body: {} })).status).toBe(200)
  })

  withPlace("give two agents that choose the same command id an answer each", async ({ as }) => {
    const headers = { "Idempotency-Key": "k" }
    await as("bob", "/claims", { body: { record: mark("a") } })
    const claim = (who: Name) => as(who, "/claims/a/claim", { body: {}, headers })
    const [first, other, again] = [await claim("ann"), await claim("bob"), await claim("ann")]
    expect([first.status, other.status, other.json.by]).toEqual([200, 409, "ann"])
    expect([again.status, again.json.token]).toEqual([200, first.json.token])
    await as("bob", "/pheromones", { body: mark("b") })
    const old = (who: Name) =>
      as(who, "/pheromones/b/claim", { ...post, headers: { "Idempotency-Key": "l" } })
    expect([told(await old("bob")), told(await old("ann")), told(await old("bob"))]).toEqual([
      [200, "ok"],
      [409, "claimed"],
      [200, "ok"]
    ])
  })

  withPlace("let the verbs of this machine go on by the hub's own token", async ({ hub }) => {
    const own = readFileSync(join(hub.folder, ".mound", "token"), "utf8")
    const ask = (path: string, body: object) => hub.ask(path, { body, headers: bearer(own) })
    expect((await ask("/claims", { record: mark("a", { agentId: "x" }) })).status).toBe(201)
    expect((await ask("/claims/a/claim", { peer: "bob" })).status).toBe(200)
    expect((await ask("/claims/a/revoke", { reason: "r" })).status).toBe(200)
    expect(await bysOf(hub, "a")).toEqual([
      ["PheromoneDeposited", "operator"],
      ["ClaimGranted", "bob"],
      ["ClaimRevoked", "operator"]
    ])
  })

  withPlace("believe no header for a name", async ({ hub, as }) => {
    const headers = { "X-IAPeer-Identity": "process-x" }
    expect((await hub.ask("/messages", { body: { to: "x", body: "b" }, headers })).status).toBe(401)
    expect((await as("ann", "/messages", { body: { to: "x", body: "b" }, headers })).status).toBe(403)
  })
})

describe("the tokens file of a running hub", () => {
  withPlace("is in force as it is now, from the next request on", async ({ hub, file, as }) => {
    await as("ann", "/claims", { body: { record: mark("a") } })
    const { [tokens.ann]: _, ...others } = entries
    writeFileSync(
      file,
      JSON.stringify({ tokens: { ...others, fresh: { agentId: "fresh", class: "worker" } } })
    )
    expect(told(await as("ann", "/pheromones/a/claim", post))).toEqual([403, "auth_error:403:unknown_token"])
    expect(tag(await as("ann", "/claims/a/claim", { body: {} }))).toEqual([403, "NotAllowed", "token"])
    expect((await as("fresh", "/claims/a/claim", { body: {} })).status).toBe(200)
    for (const breakIt of [() => writeFileSync(file, "{"), () => rmSync(file)]) {
      breakIt()
      expect((await as("bob", "/claims", { body: { record: mark("b") } })).status).toBe(201)
      expect(hub.parts.agentFiles?.isRejected()).toBe(true)
      expect((await as("ann", "/claims/a/claim", { body: {} })).status).toBe(403)
    }
    writeFileSync(file, JSON.stringify({ tokens: entries }))
    expect((await as("ann", "/claims/a/inflate", { body: {} })).status).toBe(200)
    expect(hub.parts.agentFiles?.isRejected()).toBe(false)
  })

  withPlace(
    "ends what goes on with a token that is taken back, and nothing else",
    async ({ hub, file, as }) => {
      const leave = new AbortController()
      const follow = async (path: string, token: string | undefined) => {
        const headers = { Accept: "text/event-stream", ...(token !== undefined && bearer(token)) }
        const { status, body } = await fetch(`${hub.url}${path}`, { headers, signal: leave.signal })
        expect([path, status]).toEqual([path, 200])
        return (body as ReadableStream<Uint8Array>).getReader()
      }
      const untilEnd = async (reader: ReadableStreamDefaultReader<Uint8Array>) => {
        while (!(await reader.read()).done);
      }
      const paths = [
        "/stream",
        "/journal?after=0",
        "/v1/stream/claim/a?offset=-1&live=sse",
        "/stream/events?sessionId=claim/a&live=true"
      ]
      await as("ann", "/pheromones", { body: mark("a") })
      const hers = await Promise.all(paths.map((path) => follow(path, tokens.ann)))
      const others = await Promise.all(
        [tokens.bob, "never-known-0123", undefined].map((t) => follow("/stream", t))
      )
      // A command is seen to have come when the hub's time of the newest one moves.
      const { lastCommandAt } = hub.parts.system
      const before = lastCommandAt()
      while (Date.now() === before) await new Promise((resolve) => setImmediate(resolve))
      const waiting = as("ann", "/claims/next", { body: { waitMs: 60_000, prefix: "b" } })
      while (lastCommandAt() === before) await new Promise((resolve) => setImmediate(resolve))
      const { [tokens.ann]: _, ...rest } = entries
      writeFileSync(file, JSON.stringify({ tokens: rest }))
      await Promise.all(hers.map(untilEnd))
      expect(tag(await waiting)).toEqual([403, "NotAllowed", "token"])
      expect((await as("bob", "/pheromones", { body: mark("b") })).status).toBe(201)
      expect((await hub.ask("/claims/b")).json.state).toBe("open")
      for (const reader of others) {
        let text = ""
        while (!text.includes('"id":"b"')) {
          const { value, done } = await reader.read()
          expect(done).toBe(false)
          text += new TextDecoder().decode(value)
        }
      }
      leave.abort()
    },
    { "streams.enabled": "true" }
  )

  it.scopedLive("stops the start when it is wrong, and says nothing of a token", () =>
    Effect.gen(function* () {
      const workspace = yield* temporaryFolder
      const file = join(workspace, "tokens.json")
      writeFileSync(file, JSON.stringify({ tokens: { [tokens.ann]: { agentId: "ann" } } }))
      const flags = { "http.port": "0", "ledger.auth.tokens_file": file }
      const { settings } = yield* loadSettings({ workspace, environment: {}, flags })
      const failure = yield* Effect.flip(startHub(settings, "test"))
      expect([failure._tag, failure.message]).toEqual([
        "AuthFileInvalid",
        `ledger.auth.tokens_file: ${file}: entry 1 (ann) has no class: it must be worker or privileged`
      ])
      expect(readdirSync(workspace)).toEqual(["tokens.json"])
    })
  )

  withPlace("leaves no token in the state folder", async ({ hub, as, file }) => {
    for (const who of [...Object.keys(tokens), "wrong-0123456789"]) {
      await as(who, "/claims", { body: { record: mark(who) } })
      await as(who, "/pheromones", { body: mark(who) })
    }
    rmSync(file)
    await hub.end()
    const state = join(hub.folder, ".mound")
    const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile()
    )
    expect(files.length).toBeGreaterThan(3)
    for (const entry of files) {
      const bytes = readFileSync(join(entry.parentPath, entry.name)).toString("latin1")
      for (const secret of [...Object.values(tokens), "wrong-0123456789"]) {
        expect([entry.name, bytes.includes(secret)]).toEqual([entry.name, false])
      }
    }
  })
})

describe("a hub that is reached from elsewhere", () => {
  const off = { "http.host": "0.0.0.0" }

  withPlace(
    "wants a token for reading too, and one for reading will do",
    async ({ hub, as }) => {
      expect(tag(await hub.ask("/health"))).toEqual([401, "NotAllowed", "token"])
      expect(tag(await as("wrong", "/health"))).toEqual([403, "NotAllowed", "token"])
      expect((await as("eye", "/health")).status).toBe(200)
      expect((await as("eye", "/readyz")).json).toMatchObject({ ready: true })
      expect(tag(await as("eye", "/claims/next", { body: {} }))).toEqual([403, "NotAllowed", "agent"])
    },
    off
  )

  withPlace(
    "lets a caller ask so often, and says when it may again",
    async ({ hub }) => {
      const rates = { perSecond: 1e-4, burst: 3, maxFailures: 100 }
      const { port, close } = await serverBeside(hub, undefined, rates)
      const ask = (path: string, token: string) =>
        fetch(`http://127.0.0.1:${port}${path}`, { headers: bearer(token) })
      const statuses = []
      for (let n = 0; n < 4; n++) statuses.push((await ask("/claims", tokens.ann)).status)
      expect(statuses).toEqual([200, 200, 200, 429])
      const over = await ask("/claims", tokens.ann)
      expect(Number(over.headers.get("retry-after"))).toBeGreaterThan(1_000)
      expect(await over.json()).toMatchObject({ _tag: "TooManyRequests" })
      const old = await ask("/pheromones", tokens.ann)
      expect([old.status, await old.text()]).toEqual([429, "slow down"])
      expect((await ask("/claims", tokens.bob)).status).toBe(200)
      expect((await ask("/livez", tokens.ann)).status).toBe(200)
      await close()
    },
    off
  )

  withPlace(
    "shuts an address out that tries one token after the other, whatever it shows then",
    async ({ hub }) => {
      const rates = { perSecond: 1_000, burst: 1_000, maxFailures: 3 }
      const { port, close } = await serverBeside(hub, undefined, rates)
      const ask = (token: string) => fetch(`http://127.0.0.1:${port}/claims`, { headers: bearer(token) })
      const statuses = []
      for (const token of ["x", "y", tokens.ann, "z", tokens.ann]) statuses.push((await ask(token)).status)
      expect(statuses).toEqual([403, 403, 200, 403, 429])
      await close()
    },
    off
  )
})
