/** The typed routes of claims: what each answers, what it refuses and how (contracts: ledger 4 and 5.5). */
import { describe, expect } from "@effect/vitest"
import { type Answer, askAt, serverBeside, type TestHub } from "../support/hub.js"
import { onHub } from "../support/onHub.js"
import { until } from "../support/sockets.js"

const mark = (id: string, more: object = {}) => ({
  record: { id, stanceTarget: "s", baseIntensity: 1, decayRate: 0, ...more }
})
const told = ({ status, json: { _tag } }: Answer) => [status, _tag]

const post = ({ ask }: TestHub, path: string, body: object = {}) => ask(path, { body })
const deposit = (hub: TestHub, id: string, more: object = {}) =>
  post(hub, "/claims", { ...mark(id), ...more })
/** The token of a claim on a fresh mark. */
const held = async (hub: TestHub, id: string, lease: object = {}): Promise<number> => {
  await deposit(hub, id)
  return (await post(hub, `/claims/${id}/claim`, { peer: "holder", ...lease })).json.token as number
}
/** Brings a claim into its grace by letting its lease run out. */
const inGrace = async (hub: TestHub, id: string): Promise<number> => {
  const token = await held(hub, id, { ttlMs: 1_000 })
  await until(async () => (await hub.ask(`/claims/${id}`)).json.state === "held.grace")
  return token
}

describe("commands", () => {
  onHub("deposit answers 201 and where the claim stands", async (hub) => {
    const { status, json } = await post(hub, "/claims", {
      ...mark("a b/ü"),
      maxAttempts: 3,
      expectedVersion: 0
    })
    expect([status, json]).toEqual([
      201,
      { id: "a b/ü", state: "open", version: 1, offset: await hub.head() }
    ])
    expect((await hub.ask("/claims/a%20b%2F%C3%BC")).json.maxAttempts).toBe(3)
  })

  onHub("claim answers a grant whose token is the offset of its event", async (hub) => {
    await deposit(hub, "a")
    const lease = { peer: "p", instance: "i", ttlMs: 90_000, graceMs: 5_000 }
    const { status, json } = await post(hub, "/claims/a/claim", lease)
    const offset = await hub.head()
    const now = json.now as number
    expect([status, json]).toEqual([
      200,
      {
        id: "a",
        token: offset,
        attempt: 1,
        ttlMs: 90_000,
        graceMs: 5_000,
        expiresAt: now + 90_000,
        boundTo: null,
        now,
        offset
      }
    ])
    // The same process of the same peer gets its grant again, and no event.
    expect((await post(hub, "/claims/a/claim", lease)).json).toMatchObject({ token: offset, offset })
    expect(await hub.head()).toBe(offset)
  })

  onHub("claim gives 5 min and 1 min of grace unless told, and for ever when told null", async (hub) => {
    await deposit(hub, "a")
    expect((await post(hub, "/claims/a/claim", { peer: "p" })).json).toMatchObject({
      ttlMs: 300_000,
      graceMs: 60_000
    })
    await deposit(hub, "b")
    expect((await post(hub, "/claims/b/claim", { peer: "p", ttlMs: null })).json).toMatchObject({
      ttlMs: null,
      expiresAt: null
    })
  })

  onHub("renew names the end that holds, and appends nothing within a third of the lease", async (hub) => {
    const token = await held(hub, "a", { ttlMs: 60_000 })
    const before = await hub.head()
    const { expiresAt } = (await hub.ask("/claims/a")).json
    const { status, json } = await post(hub, "/claims/a/renew", { token })
    expect([status, json]).toEqual([200, { token, expiresAt, recorded: false, now: json.now }])
    expect(await hub.head()).toBe(before)
  })

  onHub("renew in the grace begins a new lease", async (hub) => {
    const token = await inGrace(hub, "a")
    const { json } = await post(hub, "/claims/a/renew", { token })
    expect(json).toEqual({ token, expiresAt: (json.now as number) + 1_000, recorded: true, now: json.now })
  })

  onHub("verify says whether a token is current, and appends nothing", async (hub) => {
    const token = await held(hub, "a")
    const before = await hub.head()
    const { status, json } = await post(hub, "/claims/a/verify", { token })
    const { expiresAt } = (await hub.ask("/claims/a")).json
    expect([status, json]).toEqual([200, { token, state: "held.active", expiresAt, now: json.now }])
    expect(told(await post(hub, "/claims/a/verify", { token: token - 1 }))).toEqual([403, "StaleToken"])
    expect(await hub.head()).toBe(before)
  })

  onHub(
    "release, complete and fail end a claim once; repeated with the same token they are 200",
    async (hub) => {
      const ends: ReadonlyArray<readonly [verb: string, more: object, state: string]> = [
        ["release", { reason: "lunch" }, "open"],
        [
          "complete",
          { summary: "s", result: { x: [1] }, evidence: [{ kind: "log", uri: "file:x" }] },
          "done"
        ],
        ["fail", { reason: "flaky", retryAfterMs: 0 }, "open"],
        ["fail", { reason: "hopeless", retry: false }, "done"]
      ]
      for (const [index, [verb, more, state]] of ends.entries()) {
        const id = `m${index}`
        const token = await held(hub, id)
        const moved = await post(hub, `/claims/${id}/${verb}`, { token, ...more })
        const offset = await hub.head()
        expect([moved.status, moved.json]).toEqual([200, { id, state, version: 3, offset }])
        const again = await post(hub, `/claims/${id}/${verb}`, { token, ...more })
        expect([again.status, again.json, await hub.head()]).toEqual([200, moved.json, offset])
      }
      expect((await hub.ask("/claims/m1")).json).toMatchObject({ outcome: "completed", holder: null })
      expect((await hub.ask("/claims/m3")).json.outcome).toBe("failed")
    }
  )

  onHub("a handoff moves the work under a new token, and the old one is stale at once", async (hub) => {
    const token = await held(hub, "a")
    const offered = await post(hub, "/claims/a/handoff/offer", { token, to: "heir" })
    expect(offered.json.state).toBe("held.offered")
    expect((await hub.ask("/claims/a")).json.offer).toMatchObject({ to: "heir" })
    expect(told(await post(hub, "/claims/a/handoff/accept", { peer: "other" }))).toEqual([
      409,
      "NotAddressee"
    ])
    const { status, json } = await post(hub, "/claims/a/handoff/accept", { peer: "heir", ttlMs: 60_000 })
    expect([status, json.attempt, json.ttlMs]).toEqual([200, 1, 60_000])
    expect(json.token as number).toBeGreaterThan(token)
    expect(told(await post(hub, "/claims/a/complete", { token }))).toEqual([403, "StaleToken"])
    expect((await post(hub, "/claims/a/complete", { token: json.token })).status).toBe(200)
  })

  onHub("a handoff can be declined by its addressee and withdrawn by the holder", async (hub) => {
    const token = await held(hub, "a")
    for (const [verb, body] of [
      ["decline", { peer: "heir" }],
      ["withdraw", { token }]
    ] as const) {
      await post(hub, "/claims/a/handoff/offer", { token, to: "heir", offerMs: 60_000 })
      expect((await post(hub, `/claims/a/handoff/${verb}`, body)).json.state).toBe("held.active")
    }
  })

  onHub("reclaim takes from a holder in its grace, and with force from a live one", async (hub) => {
    const token = await inGrace(hub, "a")
    const body = { peer: "p", expectedToken: token, reason: "silent" }
    const taken = await post(hub, "/claims/a/reclaim", body)
    expect([taken.status, (taken.json.token as number) > token]).toEqual([200, true])
    expect(told(await post(hub, "/claims/a/reclaim", body))).toEqual([409, "TokenChanged"])
    const live = { ...body, expectedToken: taken.json.token }
    expect(told(await post(hub, "/claims/a/reclaim", live))).toEqual([409, "HolderLive"])
    expect((await post(hub, "/claims/a/reclaim", { ...live, force: true })).status).toBe(200)
  })

  onHub("inflate, revoke, reopen and evaporate answer where the claim stands", async (hub) => {
    const token = await held(hub, "a")
    const stateAfter = async (verb: string, body: object) =>
      (await post(hub, `/claims/a/${verb}`, body)).json.state
    expect(await stateAfter("inflate", {})).toBe("held.active")
    expect(await stateAfter("revoke", { reason: "r", token })).toBe("open")
    expect(await stateAfter("evaporate", { reason: "old" })).toBe("evaporated")
    expect(await stateAfter("inflate", {})).toBeUndefined()
    await deposit(hub, "a")
    const again = (await post(hub, "/claims/a/claim", { peer: "p" })).json.token
    expect(await stateAfter("complete", { token: again })).toBe("done")
    expect(await stateAfter("reopen", { reason: "more to do" })).toBe("open")
  })

  onHub(
    "sweep evaporates what is done and has faded, and counts without doing so when it runs dry",
    async (hub) => {
      const token = await held(hub, "done")
      await post(hub, "/claims/done/complete", { token })
      await deposit(hub, "open")
      const sweep = async (body: object) => (await post(hub, "/ledger/sweep", body)).json
      expect(await sweep({ floor: 2, dryRun: true })).toEqual({ kept: 1, dropped: 1 })
      expect(await sweep({ floor: 2 })).toEqual({ kept: 1, dropped: 1 })
      expect(await sweep({})).toEqual({ kept: 1, dropped: 0 })
      // Every view agrees, and what was finished stays finished (ledger 3.4 no. 6 and 7).
      expect((await hub.listed()).map(({ id }) => id)).toEqual(["open"])
      expect((await hub.ask("/healthz")).json).toMatchObject({ pheromones: 1, claims: 0 })
      expect((await hub.ask("/claims/done")).json.state).toBe("evaporated")
      expect(told(await post(hub, "/claims/done/claim", { peer: "p" }))).toEqual([409, "AlreadyDone"])
    }
  )
})

describe("refusals", () => {
  onHub("carry their tag, what to do and their own fields, and append nothing", async (hub) => {
    const token = await held(hub, "held")
    await deposit(hub, "open")
    const finished = await held(hub, "done")
    await post(hub, "/claims/done/complete", { token: finished })
    const before = await hub.head()
    const taker = { peer: "p" }
    const refused: ReadonlyArray<readonly [path: string, body: object, status: number, fields: object]> = [
      ["held/claim", taker, 409, { _tag: "AlreadyClaimed", by: "holder", token, state: "held.active" }],
      ["done/claim", taker, 409, { _tag: "AlreadyDone", outcome: "completed" }],
      ["nobody/claim", taker, 404, { _tag: "UnknownClaim", id: "nobody" }],
      ["nobody/renew", { token }, 404, { _tag: "UnknownClaim", id: "nobody" }],
      ["nobody/inflate", {}, 404, { _tag: "UnknownClaim", id: "nobody" }],
      [
        "open/claim",
        { ...taker, boundTo: "presence/x" },
        409,
        { _tag: "PresenceNotLive", presence: "presence/x" }
      ],
      [
        "held/renew",
        { token: 1 },
        403,
        { _tag: "StaleToken", given: 1, current: token, state: "held.active" }
      ],
      ["open/release", { token }, 403, { _tag: "StaleToken", given: token, current: null, state: "open" }],
      ["held/handoff/accept", taker, 409, { _tag: "NoOffer", state: "held.active" }],
      ["held/handoff/decline", taker, 409, { _tag: "NoOffer" }],
      ["held/handoff/withdraw", { token }, 409, { _tag: "NoOffer" }],
      ["open/reclaim", { ...taker, expectedToken: 1, reason: "r" }, 409, { _tag: "NotHeld", state: "open" }],
      [
        "held/reclaim",
        { ...taker, expectedToken: 1, reason: "r" },
        409,
        { _tag: "TokenChanged", current: token }
      ],
      [
        "held/reclaim",
        { ...taker, expectedToken: token, reason: "r" },
        409,
        { _tag: "HolderLive", by: "holder" }
      ],
      ["open/revoke", { reason: "r" }, 409, { _tag: "NotHeld" }],
      ["open/reopen", { reason: "r" }, 409, { _tag: "NotDone", state: "open" }],
      ["held/evaporate", {}, 409, { _tag: "AlreadyClaimed" }]
    ]
    for (const [path, body, status, fields] of refused) {
      const { status: actual, json } = await post(hub, `/claims/${path}`, body)
      expect([path, actual, json]).toMatchObject([path, status, fields])
      expect(json.message).toMatch(/\w+/)
    }
    const conflict = await post(hub, "/claims", { ...mark("open"), expectedVersion: 7 })
    expect([conflict.status, conflict.json]).toMatchObject([409, { _tag: "VersionConflict", current: 1 }])
    expect(told(await post(hub, "/claims/next", { peer: "p", prefix: "none" }))).toEqual([409, "NoneOpen"])
    expect(await hub.head()).toBe(before)
  })

  onHub(
    "a peer that holds all it may gets 429",
    async (hub) => {
      await held(hub, "a")
      await deposit(hub, "b")
      const { status, json } = await post(hub, "/claims/b/claim", { peer: "holder" })
      expect([status, json]).toMatchObject([429, { _tag: "QuotaReached", held: 1, limit: 1 }])
      expect(told(await post(hub, "/claims/next", { peer: "holder" }))).toEqual([429, "QuotaReached"])
      expect((await post(hub, "/claims/next", { peer: "other" })).status).toBe(200)
    },
    { settings: { "ledger.max_held_per_peer": "1" } }
  )

  onHub("a fenced-off holder can do nothing to its successor", async (hub) => {
    const token = await held(hub, "a")
    await post(hub, "/claims/a/revoke", { reason: "lost", token })
    const stale = async () => {
      for (const verb of ["renew", "verify", "release", "complete"]) {
        expect(told(await post(hub, `/claims/a/${verb}`, { token }))).toEqual([403, "StaleToken"])
      }
      expect(told(await post(hub, "/claims/a/fail", { token, reason: "r" }))).toEqual([403, "StaleToken"])
    }
    await stale()
    const successor = (await post(hub, "/claims/a/claim", { peer: "successor" })).json.token as number
    expect(successor).toBeGreaterThan(token)
    const row = (await hub.ask("/claims/a")).json
    await stale()
    const { intensity: _, ...untouched } = (await hub.ask("/claims/a")).json
    expect(row).toMatchObject(untouched)
  })
})

describe("a body or path that cannot be taken", () => {
  const cases: ReadonlyArray<readonly [path: string, body: unknown, where: string]> = [
    ["/claims", { record: 1 }, "record"],
    ["/claims", { record: { id: "" } }, "record.id"],
    ["/claims", mark("a", { stanceTarget: 3 }), "record.stanceTarget"],
    ["/claims", mark("a", { baseIntensity: null }), "record.baseIntensity"],
    ["/claims", mark("a", { decayRate: -1 }), "record.decayRate"],
    ["/claims", mark("a", { seq: null }), "record.seq"],
    ["/claims", mark("a", { inflations: 0.5 }), "record.inflations"],
    ["/claims", mark(".."), "record.id"],
    ["/claims", { ...mark("a"), maxAttempts: 0 }, "maxAttempts"],
    ["/claims", { ...mark("a"), expectedVersion: "1" }, "expectedVersion"],
    ["/claims", {}, "record"],
    ["/claims/a/claim", {}, "peer"],
    ["/claims/a/claim", { peer: "has space" }, "peer"],
    ["/claims/a/claim", { peer: "p".repeat(129) }, "peer"],
    ["/claims/a/claim", { peer: "p", instance: "" }, "instance"],
    ["/claims/a/claim", { peer: "p", ttlMs: 999 }, "ttlMs"],
    ["/claims/a/claim", { peer: "p", ttlMs: 86_400_001 }, "ttlMs"],
    ["/claims/a/claim", { peer: "p", graceMs: -1 }, "graceMs"],
    ["/claims/a/claim", { peer: "p", graceMs: 3_600_001 }, "graceMs"],
    ["/claims/a/claim", { peer: "p", ttl: 1 }, "ttl"],
    ["/claims/a/claim", "null", "body"],
    ["/claims/a/claim", "[]", "body"],
    ["/claims/a/claim", "{", "body"],
    ["/claims/a/claim", Buffer.from([0xff]), "body"],
    ["/claims/a/claim", "[".repeat(200_000), "body"],
    ["/claims/%07/claim", { peer: "p", preclaim: true }, "id"],
    ["/claims/%2/claim", { peer: "p" }, "id"],
    ["/claims/next", { peer: "p", waitMs: 60_001 }, "waitMs"],
    ["/claims/next", { peer: "p", stances: { s: 2 } }, "stances"],
    ["/claims/next", '{"peer":"p","minScore":1e999}', "minScore"],
    ["/claims/a/renew", { token: -1 }, "token"],
    ["/claims/a/renew", { token: "1" }, "token"],
    ["/claims/a/fail", { token: 1 }, "reason"],
    ["/claims/a/fail", { token: 1, reason: "r".repeat(2_001) }, "reason"],
    ["/claims/a/fail", { token: 1, reason: "r", retryAfterMs: 86_400_001 }, "retryAfterMs"],
    ["/claims/a/complete", { token: 1, summary: "s".repeat(2_001) }, "summary"],
    ["/claims/a/complete", { token: 1, result: "x".repeat(65_536) }, "result"],
    ["/claims/a/complete", { token: 1, evidence: Array(17).fill({ kind: "k", uri: "u" }) }, "evidence"],
    ["/claims/a/complete", { token: 1, evidence: [{ kind: "k" }] }, "evidence.0.uri"],
    ["/claims/a/handoff/offer", { token: 1, to: "" }, "to"],
    ["/claims/a/handoff/offer", { token: 1, to: "p", offerMs: 999 }, "offerMs"],
    ["/ledger/sweep", { floor: "low" }, "floor"],
    ["/hub/stop", { force: 1 }, "force"]
  ]
  onHub("is 400 with the field's name, and appends nothing", async (hub) => {
    await deposit(hub, "a")
    const before = await hub.head()
    for (const [path, body, where] of cases) {
      const { status, json } = await hub.ask(path, { body })
      const what = [path, JSON.stringify(body).slice(0, 60)]
      expect([...what, status, json._tag, json.path]).toEqual([...what, 400, "InvalidCommand", where])
      expect((json.message as string).startsWith(`${where}: `)).toBe(true)
    }
    for (const key of ["a b", "x".repeat(201)]) {
      const { status, json } = await hub.ask("/claims/a/inflate", {
        body: {},
        headers: { "Idempotency-Key": key }
      })
      expect([status, json.path]).toEqual([400, "Idempotency-Key"])
    }
    expect(await hub.head()).toBe(before)
  })

  onHub("a command above 1 MiB is 413; a deposit may hold 16 MiB", async (hub) => {
    await deposit(hub, "a")
    const large = "x".repeat(1024 * 1024)
    const refused = await post(hub, "/claims/a/revoke", { reason: large })
    expect([refused.status, refused.json]).toMatchObject([413, { _tag: "TooLarge", limit: 1024 * 1024 }])
    expect((await post(hub, "/claims", mark("b", { payload: large }))).status).toBe(201)
    const tooLarge = await post(hub, "/claims", mark("c", { payload: "x".repeat(16 * 1024 * 1024) }))
    expect([tooLarge.status, tooLarge.json.limit]).toEqual([413, 16 * 1024 * 1024])
  })
})

describe("Idempotency-Key", () => {
  onHub("gets the first answer again and appends nothing; of another command it is refused", async (hub) => {
    const once = (path: string, body: object, key: string) =>
      hub.ask(path, { body, headers: { "Idempotency-Key": key } })
    const first = await once("/claims", mark("a"), "k1")
    const grant = await once("/claims/a/claim", { peer: "p" }, "k2")
    const end = await hub.head()
    expect((await once("/claims", mark("a"), "k1")).json).toEqual(first.json)
    expect((await once("/claims/a/claim", { peer: "p" }, "k2")).json).toEqual(grant.json)
    const reused = await once("/claims/a/release", { token: grant.json.token }, "k2")
    expect([reused.status, reused.json]).toMatchObject([409, { _tag: "CommandIdReused", commandId: "k2" }])
    expect(await hub.head()).toBe(end)
    // A refused command left nothing behind, so its key is free.
    await once("/claims/b/claim", { peer: "p" }, "k3")
    await deposit(hub, "b")
    expect((await once("/claims/b/claim", { peer: "p" }, "k3")).status).toBe(200)
  })
})

describe("POST /claims/next", () => {
  onHub("takes the strongest by weight, of equals the first one listed", async (hub) => {
    for (const [id, stanceTarget, baseIntensity] of [
      ["weak", "s", 1],
      ["first", "s", 2],
      ["second", "s", 2],
      ["other", "t", 3]
    ] as const) {
      await post(hub, "/claims", mark(id, { stanceTarget, baseIntensity, payload: id }))
    }
    const next = async (body: object) => (await post(hub, "/claims/next", { peer: "p", ...body })).json
    const { record, score, ...grant } = await next({ stances: { s: 1, t: 0.5 } })
    expect([record, score, grant.id, grant.attempt]).toMatchObject([{ payload: "first" }, 2, "first", 1])
    expect((await next({ stances: ["t"], minScore: 4 }))._tag).toBe("NoneOpen")
    expect((await next({ stances: ["t"] })).id).toBe("other")
    expect((await next({ prefix: "w" })).id).toBe("weak")
    expect((await next({ stances: { s: 0 } }))._tag).toBe("NoneOpen")
    expect((await next({})).id).toBe("second")
    expect((await next({}))._tag).toBe("NoneOpen")
  })

  onHub("serves those who wait in the order in which they came, and passes over who hung up", async (hub) => {
    const server = await serverBeside(hub)
    const gone = new AbortController()
    const body = { peer: "gone", waitMs: 60_000 }
    const first = askAt(server.port, "/claims/next", { body, signal: gone.signal }).catch(() => "hung up")
    await until(() => server.open() === 1)
    // What comes later is decided later: once this is answered, the other one waits.
    await post(hub, "/claims/nobody/inflate")
    gone.abort()
    expect(await first).toBe("hung up")
    await until(() => server.open() === 0)
    await deposit(hub, "nobody's")
    expect((await hub.ask("/claims/nobody's")).json.state).toBe("open")
    await post(hub, "/claims/nobody's/claim", { peer: "p" })

    const order: Array<string> = []
    const waiting = ["one", "two", "three"].map((peer) => ({ peer, answer: undefined as unknown }))
    for (const each of waiting) {
      const open = server.open()
      const body = { peer: each.peer, waitMs: 60_000 }
      each.answer = askAt(server.port, "/claims/next", { body }).then(({ json }) =>
        order.push(`${each.peer}: ${json.id}`)
      )
      await until(() => server.open() > open)
      await post(hub, "/claims/nobody/inflate")
    }
    for (const [index, { answer }] of waiting.entries()) {
      await deposit(hub, `m${index}`)
      await answer
    }
    expect(order).toEqual(["one: m0", "two: m1", "three: m2"])
    await server.close()
  })

  onHub("says NoneOpen when the time is up", async (hub) => {
    expect(told(await post(hub, "/claims/next", { peer: "p", waitMs: 50 }))).toEqual([409, "NoneOpen"])
  })

  onHub("gives each of 10 marks to one of 64 callers", async (hub) => {
    await Promise.all(Array.from({ length: 10 }, (_, index) => deposit(hub, `m${index}`)))
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) => post(hub, "/claims/next", { peer: `p${index}` }))
    )
    const granted = answers.filter(({ status }) => status === 200)
    expect(new Set(granted.map(({ json }) => json.id)).size).toBe(10)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(54)
  })
})

describe("a race for one claim", () => {
  onHub("of 64 callers has one winner and appends one event", async (hub) => {
    await deposit(hub, "a")
    const before = await hub.head()
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) => post(hub, "/claims/a/claim", { peer: `p${index}` }))
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(
      answers.filter(({ status, json }) => status === 409 && json._tag === "AlreadyClaimed")
    ).toHaveLength(63)
    expect(await hub.head()).toBe(before + 1)
  })
})
