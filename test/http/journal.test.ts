/** The journal over HTTP: pages, and a stream that resumes (docs/protocol.md, The journal). */
import { describe, expect } from "@effect/vitest"
import { Follower } from "../support/followers.js"
import type { TestHub } from "../support/hub.js"
import { onHub } from "../support/onHub.js"

type Page = {
  readonly head: number
  readonly next: number
  readonly events: ReadonlyArray<{ readonly offset: number; readonly stream: string; readonly type: string }>
}
const page = async ({ ask }: TestHub, query: string): Promise<Page> =>
  (await ask(`/journal?${query}`)).json as unknown as Page

const publishMany = async (hub: TestHub, count: number) => {
  for (let index = 0; index < count; index += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, each) => hub.publish(`m${(index + each) % 3}`)))
  }
}

describe("GET /journal", () => {
  onHub("pages through everything without a gap, at most 100 events at a time unless asked", async (hub) => {
    await publishMany(hub, 130)
    const { events: whole, head } = await page(hub, "limit=1000")
    expect(whole.map(({ offset }) => offset)).toEqual(Array.from({ length: head }, (_, index) => index + 1))
    expect((await page(hub, "")).events).toHaveLength(100)
    const seen: Array<unknown> = []
    for (let after = 0; ; ) {
      const { events, next } = await page(hub, `after=${after}&limit=17`)
      if (events.length === 0) break
      seen.push(...events)
      after = next
    }
    expect(seen).toEqual(whole)
  })

  onHub("shows one stream when asked, with every field as it is stored", async (hub) => {
    await hub.publish("a b/ü", { payload: { x: [1] } })
    await hub.publish("other")
    const { events, next } = await page(hub, "stream=claim/a%20b%2F%C3%BC")
    const [event] = events
    expect(events).toHaveLength(1)
    expect(next).toBe(events[0]?.offset)
    expect(Object.keys(event ?? {})).toEqual([
      ...["offset", "stream", "version", "type", "schema", "at", "state", "by"],
      ...["commandId", "causation", "correlation", "data", "hash"]
    ])
    expect(event).toMatchObject({
      stream: "claim/a b/ü",
      version: 1,
      type: "PheromoneDeposited",
      state: "open",
      by: "anonymous",
      data: { record: { id: "a b/ü", payload: { x: [1] } } }
    })
    expect((await page(hub, "stream=claim/nobody&after=1")).next).toBe(1)
  })

  onHub("refuses a query that it cannot take, and says which part", async (hub) => {
    const head = await hub.head()
    for (const [query, path] of [
      ["after=-1", "after"],
      ["after=x", "after"],
      ["after=1.5", "after"],
      ["limit=0", "limit"],
      ["limit=1001", "limit"],
      ["stream=", "stream"],
      ["live=maybe", "live"],
      ["from=1", "from"],
      ["after=1&after=2", "after"]
    ]) {
      const { status, json } = await hub.ask(`/journal?${query}`)
      expect([query, status, json._tag, json.path]).toEqual([query, 400, "InvalidCommand", path])
    }
    const beyond = await hub.ask(`/journal?after=${head + 1}`)
    expect([beyond.status, beyond.json]).toMatchObject([400, { _tag: "OffsetAhead", head }])
  })

  onHub("names its history, and tells the follower of another one instead of fooling it", async (hub) => {
    const { journalId } = hub.parts.journal
    const own = await hub.ask("/journal", { headers: { "Mound-Journal-Id": journalId } })
    expect([own.status, own.headers["mound-journal-id"]]).toEqual([200, journalId])
    const stale = { "Mound-Journal-Id": "0".repeat(32), "Last-Event-ID": "1" }
    for (const path of ["/journal", "/journal?live=true"]) {
      const { status, headers, json } = await hub.ask(path, { headers: stale })
      expect([status, headers["mound-journal-id"]]).toEqual([409, journalId])
      expect(json).toMatchObject({ _tag: "JournalChanged", journalId })
    }
  })
})

describe("GET /journal as server-sent events", () => {
  onHub("shows what is recorded from now on, each event as on its page", async (hub) => {
    await hub.publish("before")
    const head = await hub.head()
    for (const open of [
      () => Follower.open(hub.port, "/journal?live=true"),
      () => Follower.open(hub.port, "/journal", { Accept: "text/event-stream" })
    ]) {
      const follower = await open()
      expect(follower.response.headers["mound-journal-id"]).toBe(hub.parts.journal.journalId)
      const after = await hub.head()
      expect((await follower.next()).text).toBe(`: from ${after}\nid: ${after}`)
      await hub.publish("after")
      const { id, event, data } = await follower.next()
      expect([id, event]).toEqual([String(after + 1), undefined])
      expect(JSON.parse(data ?? "")).toEqual((await page(hub, `after=${after}`)).events[0])
      follower.cut()
    }
    expect(await hub.head()).toBe(head + 2)
  })

  onHub("begins after an offset, and shows one stream when asked", async (hub) => {
    await publishMany(hub, 30)
    const follower = await Follower.open(hub.port, "/journal?live=true&after=0&stream=claim/m1")
    await follower.next()
    const seen = (await follower.take(10)).map(({ id }) => Number(id))
    expect(seen).toEqual((await page(hub, "stream=claim/m1")).events.map(({ offset }) => offset))
    follower.cut()
  })

  onHub("resumes after Last-Event-ID through dropped connections: no loss, no repeat", async (hub) => {
    const total = 150
    const publishing = publishMany(hub, total)
    const seen: Array<number> = []
    let last = "0"
    for (let cuts = 0; seen.length < total; cuts++) {
      const follower = await Follower.open(hub.port, "/journal?live=true", { "Last-Event-ID": last })
      await follower.next()
      for (let left = (cuts * 13) % 30; left > 0 && seen.length < total; left--) {
        const { id, data } = await follower.next()
        expect(JSON.parse(data ?? "").offset).toBe(Number(id))
        seen.push(Number(id))
        last = id as string
      }
      follower.cut()
    }
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1))
    await publishing
  })

  onHub("loses nothing between a greeting and the first event", async (hub) => {
    const first = await Follower.open(hub.port, "/journal?live=true")
    const { id } = await first.next()
    first.cut()
    await hub.publish("in between")
    const second = await Follower.open(hub.port, "/journal?live=true", { "Last-Event-ID": id as string })
    const [, event] = await second.take(2)
    expect(JSON.parse(event?.data ?? "").stream).toBe("claim/in between")
    second.cut()
  })

  onHub("refuses a place that is none instead of waiting for ever", async (hub) => {
    const head = await hub.head()
    const live = { Accept: "text/event-stream" }
    const asked = [
      ["/journal?after=x", {}, "InvalidCommand", "after"],
      ["/journal", { "Last-Event-ID": "x" }, "InvalidCommand", "Last-Event-ID"],
      ["/journal", { "Last-Event-ID": "-1" }, "InvalidCommand", "Last-Event-ID"],
      [`/journal?after=${head + 1}`, {}, "OffsetAhead", undefined],
      ["/journal", { "Last-Event-ID": String(head + 1) }, "OffsetAhead", undefined]
    ] as const
    for (const [path, headers, tag, where] of asked) {
      const { status, json } = await hub.ask(path, { headers: { ...live, ...headers } })
      expect([path, status, json._tag, json.path]).toEqual([path, 400, tag, where])
    }
  })
})
