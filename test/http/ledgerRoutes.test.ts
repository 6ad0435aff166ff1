/** The old ledger's routes to the byte (contracts: ledger 2, 5.1, 5.2 and the vectors of 8). */
import { describe, expect } from "@effect/vitest"
import type { Fields, TestHub } from "../support/hub.js"
import { onHub } from "../support/onHub.js"
import { sendRaw } from "../support/sockets.js"

const valid = { id: "a", stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
const without = (key: keyof typeof valid) => ({ ...valid, [key]: undefined })
const text = "text/plain; charset=utf-8"

const list = ({ listed }: TestHub) => listed()
const post = ({ ask }: TestHub, path: string, headers: { readonly [name: string]: string } = {}) =>
  ask(path, { method: "POST", headers })

describe("POST /pheromones", () => {
  onHub("answers 201 and the bare word", async ({ ask }) => {
    const { status, headers, text: body } = await ask("/pheromones", { body: valid })
    expect([status, headers["content-type"], headers["content-length"], body]).toEqual([201, text, "2", "ok"])
  })

  const faults: ReadonlyArray<readonly [word: string, bodies: ReadonlyArray<unknown>]> = [
    ["missing id", ["", "{}", "[]", '"x"', "5", "true", "null"]],
    ["missing id", [without("id"), { ...valid, id: "" }, { ...valid, id: 5 }]],
    ["stanceTarget", [without("stanceTarget"), { ...valid, stanceTarget: 3 }]],
    ["stanceTarget", [{ ...valid, stanceTarget: "s".repeat(1_025) }]],
    ["baseIntensity", [without("baseIntensity"), { ...valid, baseIntensity: "1" }]],
    ["baseIntensity", [{ ...valid, baseIntensity: null }, numbered("baseIntensity", "1e999")]],
    ["decayRate", [without("decayRate"), { ...valid, decayRate: "0" }, { ...valid, decayRate: -1 }]],
    ["seq", [{ ...valid, seq: "1" }, { ...valid, seq: null }, numbered("seq", "1e999")]],
    [
      "inflations",
      [
        { ...valid, inflations: -1 },
        { ...valid, inflations: 1.5 }
      ]
    ],
    [
      "inflations",
      [
        { ...valid, inflations: "1" },
        { ...valid, inflations: null }
      ]
    ],
    ["inflations", [numbered("inflations", "9007199254740992")]],
    ["invalid id", [".", "..", "\u0007", "a\nb", "i".repeat(513)].map((id) => ({ ...valid, id }))],
    ["invalid id", ['{"id":"\\ud800","stanceTarget":"s","baseIntensity":1,"decayRate":0}']],
    ["invalid json", ["{", Buffer.from([0xff, 0xfe]), "[".repeat(200_000), nested(129), "\ufeff{}"]],
    ["missing id", [{ stanceTarget: 3, baseIntensity: "1", decayRate: -1, seq: null, inflations: -1 }]]
  ]
  onHub("names the first fault of a record, and leaves no trace of it", async (hub) => {
    const { ask, publish, head } = hub
    await publish("kept", { payload: 1 })
    const before = [await list(hub), await head(), (await ask("/healthz")).text]
    for (const [word, bodies] of faults) {
      for (const body of bodies) {
        const { status, text: said } = await ask("/pheromones", { body })
        expect([status, said, describeBody(body)]).toEqual([400, word, describeBody(body)])
      }
    }
    expect([await list(hub), await head(), (await ask("/healthz")).text]).toEqual(before)
  })

  onHub("takes whatever the old server took", async (hub) => {
    const { ask } = hub
    const accepted: ReadonlyArray<object> = [
      { stanceTarget: "" },
      { baseIntensity: -1 },
      { decayRate: 5 },
      { seq: 1.5 },
      ...[{ a: [1] }, [1], "text", 1.5, true, null].map((payload) => ({ payload })),
      { kind: "signal", agentId: "x", maxAttempts: "many", constructor: 1 }
    ]
    for (const [index, more] of accepted.entries()) {
      const body = { ...valid, id: `a${index}`, ...more }
      expect((await ask("/pheromones", { body })).text).toBe("ok")
      const shown = (await list(hub)).at(-1) as Fields
      expect(shown).toEqual({
        ...body,
        publishedAt: shown.publishedAt,
        inflations: 0,
        intensity: shown.intensity
      })
    }
  })

  onHub("takes a chunked body without a content type, nested 128 deep, and 8 MiB of payload", async (hub) => {
    const body = JSON.stringify(valid)
    const chunks = [...body].map((character) => `1\r\n${character}\r\n`).join("")
    const answer = await sendRaw(hub.port, [
      `POST /pheromones?x=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`
    ])
    expect(answer).toMatch(/^HTTP\/1.1 201 Created\r\n/)
    expect((await hub.ask("/pheromones", { body: nested(128) })).status).toBe(201)
    const payload = "8".repeat(8 * 1024 * 1024)
    expect((await hub.ask("/pheromones", { body: { ...valid, id: "big", payload } })).status).toBe(201)
    expect((await list(hub)).at(-1)?.payload).toBe(payload)
  })

  onHub(
    "refuses a body above the limit, declared or counted while it comes",
    async ({ ask, head, port }) => {
      const before = await head()
      const tooLarge = { ...valid, payload: "x".repeat(64 * 1024) }
      expect((await ask("/pheromones", { body: tooLarge })).text).toBe("too large")
      const chunk = `1000\r\n${"x".repeat(0x1000)}\r\n`
      const answer = await sendRaw(port, [
        "POST /pheromones HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        ...Array.from({ length: 17 }, () => chunk)
      ])
      expect(answer).toMatch(
        /^HTTP\/1.1 413 Payload Too Large\r\n(.*\r\n)*Connection: close\r\n(.*\r\n)*\r\ntoo large$/
      )
      expect(await head()).toBe(before)
    },
    { settings: { "ledger.max_body_bytes": "64KiB" } }
  )

  onHub("replaces a mark whole when it is published again, in its place and with its claim", async (hub) => {
    await hub.publish("first", { payload: 1 })
    await hub.publish("second")
    await post(hub, "/pheromones/first/inflate")
    await post(hub, "/pheromones/first/claim")
    expect((await hub.publish("first", { baseIntensity: 3, inflations: 5 })).text).toBe("ok")
    const [first, second] = await list(hub)
    expect([first?.id, first?.intensity, first?.payload, second?.id]).toEqual([
      "first",
      8,
      undefined,
      "second"
    ])
    expect((await post(hub, "/pheromones/first/claim")).text).toBe("claimed")
  })

  onHub(
    "refuses a stance that is not registered",
    async ({ ask }) => {
      expect((await ask("/pheromones", { body: valid })).text).toBe("stance_unknown")
    },
    { settings: { "ledger.stance_registry": new URL("./fixtures/stances.json", import.meta.url).pathname } }
  )
})

describe("POST /pheromones/:id/claim", () => {
  onHub("is won once: 200 with the token, then 409, for the winner too", async (hub) => {
    await hub.publish("a")
    const won = await post(hub, "/pheromones/a/claim")
    expect([won.status, won.text, won.headers["content-type"]]).toEqual([200, "ok", text])
    expect(Number(won.headers["mound-token"])).toBe(await hub.head())
    const lost = await post(hub, "/pheromones/a/claim")
    expect([lost.status, lost.text, lost.headers["mound-token"]]).toEqual([409, "claimed", undefined])
  })

  onHub("answers the winner as before when it repeats its Idempotency-Key", async (hub) => {
    await hub.publish("a")
    const claim = (key: string) => post(hub, "/pheromones/a/claim", { "Idempotency-Key": key })
    const won = await claim("k1")
    const again = await claim("k1")
    expect([again.status, again.headers["mound-token"]]).toEqual([200, won.headers["mound-token"]])
    expect((await claim("k2")).status).toBe(409)
  })

  onHub("holds for ever, and its token ends it on the new routes", async (hub) => {
    await hub.publish("a")
    const token = Number((await post(hub, "/pheromones/a/claim")).headers["mound-token"])
    const row = (await hub.ask("/claims/a")).json
    expect(row).toMatchObject({ state: "held.active", holder: { peer: "anonymous" }, expiresAt: null, token })
    expect((await hub.ask("/claims/a/complete", { body: { token } })).json.state).toBe("done")
    expect((await post(hub, "/pheromones/a/claim")).text).toBe("claimed")
  })

  onHub(
    "is a lease when ledger.compat_ttl says so",
    async (hub) => {
      await hub.publish("a")
      await post(hub, "/pheromones/a/claim")
      const { grantedAt, expiresAt } = (await hub.ask("/claims/a")).json
      expect((expiresAt as number) - (grantedAt as number)).toBe(90_000)
    },
    { settings: { "ledger.compat_ttl": "90s" } }
  )

  onHub("reads no body: the plugin's two bytes, none, or a megabyte", async (hub) => {
    for (const [index, body] of ['""', undefined, "x".repeat(1 << 20)].entries()) {
      await hub.publish(`m${index}`)
      const { status } = await hub.ask(`/pheromones/m${index}/claim`, { method: "POST", body })
      expect(status).toBe(200)
    }
  })

  onHub(
    "grants a preclaim where ledger.preclaim allows it, but to no id that a mark could not have",
    async (hub) => {
      expect((await post(hub, "/pheromones/early/claim")).text).toBe("ok")
      expect((await post(hub, "/pheromones/early/claim")).text).toBe("claimed")
      expect((await hub.ask("/healthz")).json).toMatchObject({ pheromones: 0, claims: 1 })
      expect((await post(hub, `/pheromones/${"i".repeat(513)}/claim`)).text).toBe("invalid id")
      expect((await post(hub, "/pheromones/%07/claim")).text).toBe("invalid id")
      await hub.publish("early")
      expect((await post(hub, "/pheromones/early/claim")).text).toBe("claimed")
    },
    { settings: { "ledger.preclaim": "true" } }
  )
})

describe("POST /pheromones/:id/inflate", () => {
  onHub("adds one to the floor, also of a claimed mark", async (hub) => {
    await hub.publish("a", { inflations: 2 })
    await post(hub, "/pheromones/a/claim")
    const answer = await post(hub, "/pheromones/a/inflate")
    expect([answer.status, answer.text]).toEqual([200, "ok"])
    expect((await list(hub))[0]).toMatchObject({ inflations: 3, intensity: 4 })
  })

  onHub("counts every one of 40 at once", async (hub) => {
    await hub.publish("a")
    await Promise.all(Array.from({ length: 40 }, () => post(hub, "/pheromones/a/inflate")))
    expect((await list(hub))[0]?.inflations).toBe(40)
  })
})

describe("GET /pheromones", () => {
  onHub("shows the record as it was sent, with the hub's own values in their places", async (hub) => {
    const sent =
      '{"intensity":9,"id":"a","publishedAt":5,"stanceTarget":"s","baseIntensity":1,"decayRate":0,"zz":[1.50],"inflations":2,"__proto__":{"x":1},"7":1}'
    await hub.ask("/pheromones", { body: sent })
    const { status, headers, text: shown } = await hub.ask("/pheromones")
    const at = /"publishedAt":(\d{13})/.exec(shown)?.[1]
    expect([status, headers["content-type"]]).toEqual([200, "application/json"])
    expect(shown).toBe(
      `[{"7":1,"id":"a","publishedAt":${at},"stanceTarget":"s","baseIntensity":1,"decayRate":0,"zz":[1.5],"inflations":2,"__proto__":{"x":1},"intensity":3}]`
    )
    expect(({} as { readonly x?: number }).x).toBeUndefined()
  })

  onHub("is an empty array before the first mark", async ({ ask }) => {
    expect((await ask("/pheromones")).text).toBe("[]")
  })

  onHub("lists slices of marks in the order of their first publication, claimed ones too", async (hub) => {
    const ids = Array.from({ length: 250 }, (_, index) => `m${index}`)
    for (let from = 0; from < ids.length; from += 50) {
      await Promise.all(ids.slice(from, from + 50).map((id) => hub.publish(id)))
    }
    await post(hub, "/pheromones/m7/claim")
    await hub.publish("m0", { payload: "again" })
    const listed = (await list(hub)).map(({ id }) => id as string)
    const recorded = (await hub.ask("/journal?limit=1000")).json.events as unknown as ReadonlyArray<{
      readonly type: string
      readonly stream: string
    }>
    const deposits = recorded.filter(({ type }) => type === "PheromoneDeposited")
    expect(listed).toEqual([...new Set(deposits.map(({ stream }) => stream.slice("claim/".length)))])
    expect(listed).toHaveLength(250)
  })

  onHub(
    "keeps claimed marks back when ledger.list_claimed is false",
    async (hub) => {
      await hub.publish("held")
      await hub.publish("open")
      await post(hub, "/pheromones/held/claim")
      expect((await list(hub)).map(({ id }) => id)).toEqual(["open"])
    },
    { settings: { "ledger.list_claimed": "false" } }
  )
})

describe("GET /healthz", () => {
  onHub("is what the old clients compare with, in this order", async (hub) => {
    await hub.publish("a")
    await hub.publish("b")
    await post(hub, "/pheromones/a/claim")
    const { status, headers, text: body } = await hub.ask("/healthz")
    expect([status, headers["content-type"]]).toEqual([200, "application/json"])
    expect(body).toMatch(/^\{"ok":true,"store":"sqlite","replayedAt":\d{13},"pheromones":2,"claims":1\}$/)
  })
})

describe("any other method or path", () => {
  onHub("is 404 with the bare words", async ({ ask, publish }) => {
    await publish("a")
    const asked: ReadonlyArray<readonly [method: string, path: string]> = [
      ["GET", "/"],
      ["GET", "/pheromones/"],
      ["GET", "/pheromones/a"],
      ["PUT", "/pheromones"],
      ["OPTIONS", "/pheromones"],
      ["GET", "/pheromones/a/claim"],
      ["POST", "/pheromones/a/claim/"],
      ["POST", "/pheromones//claim"],
      ["POST", "/pheromones/a/x/y/claim"],
      ["POST", "/pheromones/claim"],
      ["POST", "/pheromones/a/CLAIM"],
      ["POST", "//"],
      ["POST", "/healthz"],
      ["POST", "/stream"],
      ["DELETE", "/claims/a"]
    ]
    for (const [method, path] of asked) {
      const { status, text: body } = await ask(path, { method })
      expect([method, path, status, body]).toEqual([method, path, 404, "not found"])
    }
    const head = await ask("/pheromones", { method: "HEAD" })
    expect([head.status, head.text]).toEqual([404, ""])
  })
})

describe("an id in a path", () => {
  onHub("is decoded exactly once", async (hub) => {
    for (const id of ["a b/ü", "x:1", "100%25", "..%2f", "ὢ𝔘"]) {
      await hub.publish(id)
      const path = `/pheromones/${encodeURIComponent(id)}`
      expect([(await post(hub, `${path}/inflate`)).text, (await post(hub, `${path}/claim`)).text]).toEqual([
        "ok",
        "ok"
      ])
    }
    expect((await post(hub, "/pheromones/a%20b/claim")).text).toBe("missing")
  })

  onHub("with a broken escape or bytes that are no UTF-8 is 400", async (hub) => {
    for (const segment of ["%", "%2", "%zz", "%ff", "%c3", "%ed%a0%80"]) {
      const { status, text: body } = await post(hub, `/pheromones/${segment}/claim`)
      expect([segment, status, body]).toEqual([segment, 400, "invalid id"])
    }
  })
})

function numbered(key: string, number: string): string {
  return JSON.stringify({ ...valid, [key]: "#" }).replace('"#"', number)
}

/** A valid record whose payload makes it so many levels deep. */
function nested(depth: number): string {
  const inner = depth - 1
  return JSON.stringify({ ...valid, id: "deep", payload: "#" }).replace(
    '"#"',
    "[".repeat(inner) + "]".repeat(inner)
  )
}

function describeBody(body: unknown): string {
  return (Buffer.isBuffer(body) ? body.toString("hex") : JSON.stringify(body)).slice(0, 80)
}
