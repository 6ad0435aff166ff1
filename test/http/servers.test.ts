import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeWorkspace, runMound } from "../support/runMound.js"

const hub = Effect.gen(function* () {
  const workspace = yield* makeWorkspace("streams:\n  enabled: true\n")
  return (yield* runMound(["start", "--workspace", workspace])).stdout.trim()
})

const request = (url: string, method = "GET", body?: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      method,
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    return { status: response.status, headers: response.headers, body: (await response.json()) as unknown }
  })

const entry = (id: string, more: object = {}) => ({
  id,
  url: "http://127.0.0.1:4000/x",
  port: 4_000,
  pid: 7,
  ...more
})
const idsIn = (body: unknown): ReadonlyArray<string> =>
  (body as ReadonlyArray<{ id: string }>).map(({ id }) => id)

describe("/servers", () => {
  it.live("lists who registered, in that order, the hub first, whatever the registrant's clock says", () =>
    Effect.gen(function* () {
      const url = yield* hub
      const posted = yield* request(
        `${url}/servers`,
        "POST",
        entry("b", { lastHeartbeat: 1, metadata: { a: [1] }, unknown: true })
      )
      expect([posted.status, posted.body]).toEqual([200, true])
      expect(Number(posted.headers.get("mound-token"))).toBeGreaterThan(0)
      yield* request(`${url}/servers`, "POST", entry("a"))
      const { body, headers } = yield* request(`${url}/servers`)
      const [own, first, second] = body as [{ metadata: object }, object, object]
      expect(own.metadata).toMatchObject({ mound: { version: expect.any(String) as string } })
      expect(first).toEqual({
        ...entry("b"),
        metadata: { a: [1] },
        lastHeartbeat: expect.any(Number) as number
      })
      expect(idsIn([second])).toEqual(["a"])
      // The journal goes on from the list without a gap.
      yield* request(`${url}/servers/a`, "DELETE")
      const since = yield* request(
        `${url}/v1/stream/$all?kind=server&offset=${headers.get("stream-next-offset")}`
      )
      expect((since.body as ReadonlyArray<{ type: string }>).map(({ type }) => type)).toEqual([
        "ServerUnregistered"
      ])
      expect(idsIn((yield* request(`${url}/servers?state=all`)).body)).not.toContain("a")
    }).pipe(Effect.scoped)
  )

  it.live("tells all that is wrong with an entry, and nothing breaks on a body that is no JSON", () =>
    Effect.gen(function* () {
      const url = yield* hub
      for (const body of [
        "{",
        "[]",
        "",
        entry("a b"),
        entry("a", { url: "ftp://x" }),
        entry("a", { port: 70_000 }),
        entry("a", { pid: 1.5 })
      ]) {
        const refused = yield* request(`${url}/servers`, "POST", body)
        expect(refused.status).toBe(400)
        const { error, issues } = refused.body as { error: string; issues: ReadonlyArray<unknown> }
        expect([error, issues.length > 0]).toEqual(["Invalid server entry", true])
      }
      const two = yield* request(`${url}/servers`, "POST", { id: "a b", url: "x", port: 1, pid: 1 })
      expect((two.body as { issues: ReadonlyArray<unknown> }).issues).toHaveLength(2)
      expect(idsIn((yield* request(`${url}/servers`)).body)).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.live("takes heartbeats and removals from whoever has the newest token, and does not grow by them", () =>
    Effect.gen(function* () {
      const url = yield* hub
      const first = (yield* request(`${url}/servers`, "POST", entry("a"))).headers.get("mound-token")
      const second = (yield* request(`${url}/servers`, "POST", entry("a", { pid: 8 }))).headers.get(
        "mound-token"
      )
      const head = yield* Effect.map(
        request(`${url}/journal?limit=1`),
        ({ body }) => (body as { head: number }).head
      )
      expect((yield* request(`${url}/servers/a/heartbeat`, "POST", { token: Number(second) })).status).toBe(
        200
      )
      for (let count = 0; count < 50; count++) yield* request(`${url}/servers/a/heartbeat`, "POST")
      for (let count = 0; count < 50; count++)
        yield* request(`${url}/servers`, "POST", entry("a", { pid: 8 }))
      const stale = yield* request(`${url}/servers/a/heartbeat`, "POST", { token: Number(first) })
      expect([stale.status, (stale.body as { _tag: string })._tag]).toEqual([403, "StaleToken"])
      expect((yield* request(`${url}/servers/a?token=${first}`, "DELETE")).status).toBe(403)
      expect((yield* request(`${url}/servers/nobody/heartbeat`, "POST")).status).toBe(404)
      expect(
        yield* Effect.map(request(`${url}/journal?limit=1`), ({ body }) => (body as { head: number }).head)
      ).toBe(head)
      for (const id of ["a", "a", "nobody", "no%20id", "%E0%A4%A"]) {
        expect((yield* request(`${url}/servers/${id}`, "DELETE")).body).toBe(true)
      }
    }).pipe(Effect.scoped)
  )

  it.live("loses none of many that register at once", () =>
    Effect.gen(function* () {
      const url = yield* hub
      const ids = Array.from({ length: 200 }, (_, index) => `s${index}`)
      yield* Effect.forEach(ids, (id) => request(`${url}/servers`, "POST", entry(id)), { concurrency: 50 })
      const listed = new Set(idsIn((yield* request(`${url}/servers`)).body))
      expect(ids.filter((id) => !listed.has(id))).toEqual([])
    }).pipe(Effect.scoped)
  )
})
