/** The old ledger's stream (contracts: ledger 5.3). */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Follower } from "../support/followers.js"
import { startedHub, type TestHub } from "../support/hub.js"
import { onHub } from "../support/onHub.js"
import { temporaryFolder } from "../support/stores.js"

const post = ({ ask }: TestHub, path: string) => ask(path, { method: "POST" })
const framesOf = async (follower: Follower, count: number) =>
  (await follower.take(count)).map(({ event, data }) => [event, JSON.parse(data ?? "")])

describe("GET /stream", () => {
  onHub("greets at once with the offset from which it goes on, and shows no history", async (hub) => {
    await hub.publish("before")
    const head = await hub.head()
    const follower = await Follower.open(hub.port, "/stream")
    const { headers } = follower.response
    expect([headers["content-type"], headers["cache-control"]]).toEqual(["text/event-stream", "no-cache"])
    expect((await follower.next()).text).toBe(`id: ${head}\nevent: hello\ndata: {}`)
    await post(hub, "/pheromones/before/claim")
    expect((await follower.next()).text).toBe(`id: ${head + 1}\nevent: claim\ndata: {"id":"before"}`)
    follower.cut()
  })

  onHub("shows each change of a mark under its name", async (hub) => {
    const follower = await Follower.open(hub.port, "/stream")
    await follower.next()
    await hub.publish("a", { payload: 1, intensity: 9 })
    const [, shown] = (await framesOf(follower, 1))[0] as [string, { readonly publishedAt: number }]
    const listed = (await hub.listed())[0]
    expect(shown).toEqual(listed)
    expect(Object.keys(shown)).toEqual(Object.keys(listed as object))

    await post(hub, "/pheromones/a/inflate")
    const lease = { peer: "p" }
    const take = async () => (await hub.ask("/claims/a/claim", { body: lease })).json.token
    await hub.ask("/claims/a/release", { body: { token: await take() } })
    await hub.ask("/claims/a/complete", { body: { token: await take() } })
    await hub.ask("/claims/a/reopen", { body: { reason: "again" } })
    await hub.ask("/claims/a/fail", { body: { token: await take(), reason: "no", retry: false } })
    await hub.ask("/claims/a/evaporate", { body: {} })
    expect(await framesOf(follower, 9)).toEqual([
      ["inflate", { id: "a", intensity: 2 }],
      ["claim", { id: "a" }],
      ["release", { id: "a" }],
      ["claim", { id: "a" }],
      ["done", { id: "a", outcome: "completed" }],
      ["release", { id: "a" }],
      ["claim", { id: "a" }],
      ["done", { id: "a", outcome: "failed" }],
      ["evaporate", { id: "a" }]
    ])
    follower.cut()
  })

  onHub("tells of a lease that ran out, and gives the work to a waiting ClaimNext", async (hub) => {
    await hub.publish("a")
    const follower = await Follower.open(hub.port, "/stream")
    await follower.next()
    const lease = { peer: "sleeper", ttlMs: 1_000, graceMs: 0 }
    const { token } = (await hub.ask("/claims/a/claim", { body: lease })).json
    const next = await hub.ask("/claims/next", { body: { peer: "waiter", waitMs: 60_000 } })
    expect(next.json).toMatchObject({ id: "a", attempt: 2 })
    expect(next.json.token as number).toBeGreaterThan(token as number)
    expect((await framesOf(follower, 3)).map(([event]) => event)).toEqual(["claim", "release", "claim"])
    follower.cut()
  })

  onHub("refuses an id that is no offset or beyond the end", async ({ ask, head }) => {
    for (const id of ["x", "-1", "1.5", String((await head()) + 1), "99999999999999999999"]) {
      const { status, text } = await ask("/stream", { headers: { "Last-Event-ID": id } })
      expect([id, status, text]).toEqual([id, 400, "bad offset"])
    }
  })

  onHub("resumes after its last id: nothing lost, nothing twice, whenever it is cut off", async (hub) => {
    const total = 120
    const seen: Array<string> = []
    let last = await hub.head()
    const publishing = (async () => {
      for (let index = 0; index < total; index += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, each) => hub.publish(`m${index + each}`)))
      }
    })()
    let cuts = 0
    while (seen.length < total) {
      const follower = await Follower.open(hub.port, "/stream", { "Last-Event-ID": String(last) })
      expect((await follower.next()).id).toBe(String(last))
      // Sometimes it is cut before the first event, sometimes in the middle of a page.
      for (let left = (cuts * 7) % 40; left > 0 && seen.length < total; left--) {
        const { id, event, data } = await follower.next()
        last = Number(id)
        if (event === "pheromone") seen.push(JSON.parse(data ?? "").id)
      }
      follower.cut()
      cuts += 1
    }
    await publishing
    expect(new Set(seen).size).toBe(total)
    expect(seen).toEqual((await hub.listed()).map(({ id }) => id as string))
    expect(cuts).toBeGreaterThan(5)
  })

  it.live("resumes across a restart of the hub", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const first = yield* startedHub({ folder })
        const before = yield* Effect.promise(async () => {
          const follower = await Follower.open(first.port, "/stream")
          const { id } = await follower.next()
          follower.cut()
          for (let index = 0; index < 20; index++) await first.publish(`m${index}`)
          await first.end()
          return id as string
        })
        const second = yield* startedHub({ folder })
        yield* Effect.promise(async () => {
          await second.publish("after")
          const follower = await Follower.open(second.port, "/stream", { "Last-Event-ID": before })
          const frames = await follower.take(22)
          expect(frames.slice(1).map(({ data }) => JSON.parse(data ?? "").id)).toEqual([
            ...Array.from({ length: 20 }, (_, index) => `m${index}`),
            "after"
          ])
          follower.cut()
        })
      })
    )
  )

  onHub("ends for its followers when the hub ends", async (hub) => {
    const follower = await Follower.open(hub.port, "/stream")
    await follower.next()
    await hub.end()
    await follower.ended()
  })
})
