/** Questions to the claims, now and as of an offset or an instant; and the protocol as a page (contracts: ledger 5.5). */
import { describe, expect } from "@effect/vitest"
import type { Fields, TestHub } from "../support/hub.js"
import { onHub } from "../support/onHub.js"

const rowsOf = async ({ ask }: TestHub, query: string): Promise<ReadonlyArray<Fields>> =>
  (await ask(`/claims?${query}`)).json.rows as ReadonlyArray<Fields>
const idsOf = async (hub: TestHub, query: string) => (await rowsOf(hub, query)).map(({ id }) => id)

describe("GET /claims/:id", () => {
  onHub("shows a row with every field", async (hub) => {
    const record = { id: "a", stanceTarget: "s", baseIntensity: 2, decayRate: 0, payload: [1] }
    await hub.ask("/claims", { body: { record, maxAttempts: 3 } })
    const lease = { peer: "p", instance: "i", ttlMs: 60_000, graceMs: 5_000 }
    const grant = (await hub.ask("/claims/a/claim", { body: lease })).json
    const { status, json } = await hub.ask("/claims/a")
    expect([status, json]).toEqual([
      200,
      {
        id: "a",
        state: "held.active",
        record,
        publishedAt: json.publishedAt,
        inflations: 0,
        intensity: 2,
        holder: { peer: "p", instance: "i", boundTo: null },
        token: grant.token,
        grantedAt: grant.now,
        expiresAt: grant.expiresAt,
        graceUntil: null,
        offer: null,
        attempt: 1,
        maxAttempts: 3,
        notBefore: null,
        outcome: null,
        version: 2,
        offset: grant.offset
      }
    ])
    const missing = await hub.ask("/claims/b")
    expect([missing.status, missing.json]).toMatchObject([404, { _tag: "UnknownClaim", id: "b" }])
  })
})

describe("GET /claims", () => {
  const filled = async (hub: TestHub) => {
    for (const [id, stanceTarget, baseIntensity] of [
      ["a1", "s", 1],
      ["a2", "s", 3],
      ["b1", "t", 2]
    ] as const) {
      await hub.publish(id, { stanceTarget, baseIntensity })
    }
    await hub.ask("/claims/a1/claim", { body: { peer: "p" } })
  }

  onHub("filters by state, stance, holder, prefix and intensity, and sorts", async (hub) => {
    await filled(hub)
    expect(await idsOf(hub, "")).toEqual(["a2", "b1", "a1"])
    expect(await idsOf(hub, "state=open")).toEqual(["a2", "b1"])
    expect(await idsOf(hub, "state=held")).toEqual(["a1"])
    expect(await idsOf(hub, "state=held.active")).toEqual(["a1"])
    expect(await idsOf(hub, "stance=t")).toEqual(["b1"])
    expect(await idsOf(hub, "holder=p")).toEqual(["a1"])
    expect(await idsOf(hub, "boundTo=presence/x")).toEqual([])
    expect(await idsOf(hub, "prefix=a")).toEqual(["a2", "a1"])
    expect(await idsOf(hub, "min=2")).toEqual(["a2", "b1"])
    expect(await idsOf(hub, "sort=intensity")).toEqual(["a2", "b1", "a1"])
    expect(await idsOf(hub, "sort=intensity&limit=1")).toEqual(["a2"])
  })

  onHub("pages by cursor; a row that changes meanwhile comes again rather than being missed", async (hub) => {
    await filled(hub)
    const first = (await hub.ask("/claims?limit=2")).json
    expect([(first.rows as ReadonlyArray<Fields>).length, typeof first.next]).toEqual([2, "string"])
    await hub.ask("/claims/a2/inflate", { body: {} })
    const second = (await hub.ask(`/claims?limit=2&cursor=${first.next}`)).json
    expect((second.rows as ReadonlyArray<Fields>).map(({ id }) => id)).toEqual(["a1", "a2"])
    const third = (await hub.ask(`/claims?limit=2&cursor=${second.next}`)).json
    expect([third.rows, third.next]).toEqual([[], null])
  })

  onHub("shows the past as of an offset or an instant, and fades what it shows until then", async (hub) => {
    await hub.publish("a", { decayRate: 1 })
    const published = await hub.head()
    await hub.ask("/claims/a/claim", { body: { peer: "p" } })
    const { publishedAt } = (await hub.ask("/claims/a")).json
    expect(await rowsOf(hub, `at=${published}`)).toMatchObject([{ id: "a", state: "open", intensity: 1 }])
    expect(await rowsOf(hub, `at=${published - 1}`)).toEqual([])

    // Between the mark and whatever came next it fades; before it there was none.
    const just = new Date((publishedAt as number) - 1).toISOString()
    expect(await rowsOf(hub, `at=${just}`)).toEqual([])
    await untilLater(publishedAt as number, 3)
    await hub.publish("b")
    const asked = (publishedAt as number) + 2
    const then = (await hub.ask(`/claims?at=${new Date(asked).toISOString()}&prefix=a`)).json
    expect(then.now).toBe(asked)
    expect((then.rows as ReadonlyArray<Fields>)[0]?.intensity).toBeCloseTo(Math.exp(-0.002), 12)
    const later = (await hub.ask("/claims/a?at=2999-01-01")).json
    expect(later.intensity as number).toBeGreaterThan(0.01)
    const head = await hub.head()
    expect((await hub.ask(`/claims?at=${head + 1}`)).json).toMatchObject({ _tag: "OffsetAhead", head })
  })

  onHub("refuses a question that it cannot take, and says which part", async (hub) => {
    for (const [query, path] of [
      ["at=yesterday", "at"],
      ["at=claim%201", "at"],
      ["at=-1", "at"],
      ["limit=0", "limit"],
      ["limit=1001", "limit"],
      ["limit=x", "limit"],
      ["sort=name", "sort"],
      ["min=high", "min"],
      ["cursor=x", "cursor"],
      ["colour=red", "colour"],
      ["state=open&state=done", "state"]
    ]) {
      const { status, json } = await hub.ask(`/claims?${query}`)
      expect([query, status, json._tag, json.path]).toEqual([query, 400, "InvalidCommand", path])
    }
  })
})

describe("the protocol's own pages", () => {
  onHub("are OpenAPI and a page that names every operation of it", async ({ ask }) => {
    const specification = await ask("/openapi.json")
    expect([specification.status, specification.headers["content-type"]]).toEqual([200, "application/json"])
    const paths = specification.json.paths as {
      readonly [path: string]: { readonly [method: string]: unknown }
    }
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
    )
    expect(operations).toContain("POST /claims/{id}/claim")
    expect(JSON.stringify(specification.json)).toContain(
      '"required":["id","stanceTarget","baseIntensity","decayRate"]'
    )
    const page = await ask("/docs")
    expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"])
    for (const operation of operations) expect(page.text).toContain(`<code>${operation}</code>`)
  })
})

describe("POST /projections/:name/rebuild", () => {
  onHub("makes the rows anew, the same as they were", async (hub) => {
    await hub.publish("a")
    const before = await hub.listed()
    const { status, json } = await hub.ask("/projections/claims/rebuild", { method: "POST" })
    expect([status, json]).toMatchObject([200, { name: "claims", rows: 1, digest: json.liveDigest }])
    expect(await hub.listed()).toEqual(before)
    const unknown = await hub.ask("/projections/nothing/rebuild", { method: "POST" })
    expect([unknown.status, unknown.json]).toMatchObject([
      404,
      { _tag: "UnknownProjection", name: "nothing" }
    ])
  })
})

/** Waits until this machine's clock is so many ms past an instant of the hub. */
const untilLater = async (instant: number, ms: number): Promise<void> => {
  while (Date.now() < instant + ms) await new Promise((resolve) => setImmediate(resolve))
}
