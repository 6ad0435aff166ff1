import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { attributesOf, startCollector } from "../support/Collector.js"
import { startedHub, type TestHub } from "../support/hub.js"

const hubFor = (url: string, environment: { readonly [name: string]: string } = {}) =>
  startedHub({
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: url, ...environment },
    settings: { "telemetry.interval": "100ms" }
  })

const lost = async (hub: TestHub): Promise<number> =>
  Number(/^mound_telemetry_lost_total (\d+)$/m.exec((await hub.ask("/metrics")).text)?.[1])

/** Asks again until it is so; the test's own limit ends what never is. */
const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe("a hub with a collector of telemetry", () => {
  it.scopedLive("sends a span of each request, of the command in it, and of what the hub does itself", () =>
    Effect.gen(function* () {
      const collector = yield* startCollector()
      const hub = yield* hubFor(collector.url)
      const caller = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }
      yield* Effect.promise(async () => {
        await hub.ask("/claims", {
          body: { record: { id: "w1", stanceTarget: "any", baseIntensity: 1, decayRate: 0 } },
          headers: { traceparent: `00-${caller.traceId}-${caller.spanId}-01` }
        })
        await hub.ask("/claims/w1/claim", { body: { peer: "ada", ttlMs: 60_000 } })
        await hub.ask("/claims/w1/claim", { body: { peer: "bob", ttlMs: 60_000 } })
        await hub.ask("/nowhere/at/all")
        await hub.end()
      })
      const { spans } = collector
      const named = (name: string) => spans.filter((span) => span.name === name)
      const [deposit] = named("POST /claims")
      expect(deposit).toMatchObject({ traceId: caller.traceId, parentSpanId: caller.spanId, kind: 2 })
      expect(named("claim.DepositPheromone")).toMatchObject([
        { traceId: caller.traceId, parentSpanId: deposit?.spanId }
      ])
      expect(named("POST /claims/:id/claim").map(attributesOf)).toMatchObject([
        { "http.request.method": "POST", "http.response.status_code": 200 },
        { "http.route": "/claims/:id/claim", "http.response.status_code": 409 }
      ])
      expect(named("claim.ClaimWork").map((span) => attributesOf(span)["error.type"])).toEqual([
        undefined,
        "AlreadyClaimed"
      ])
      expect(attributesOf(named("GET other")[0] as never)).toMatchObject({ "http.response.status_code": 404 })
      for (const name of ["hub.recover", "hub.drain", "hub.close", "journal.append"])
        expect(named(name).length, name).toBeGreaterThan(0)
    })
  )

  it.scopedLive("sends the numbers of /metrics, again and again, and once more when it ends", () =>
    Effect.gen(function* () {
      const collector = yield* startCollector()
      const hub = yield* hubFor(collector.url)
      yield* Effect.promise(async () => {
        for (const id of ["a", "b", "c"]) await hub.publish(id)
        await until(() => collector.metrics.length > 1)
        await hub.end()
      })
      const last = collector.metrics.at(-1) ?? []
      const points = (name: string) => {
        const metric = last.find((each) => each.name === name)
        return (metric?.sum ?? metric?.gauge ?? metric?.histogram)?.dataPoints ?? []
      }
      const deposits = points("mound_commands_total").find(
        (each) => attributesOf(each).command === "DepositPheromone"
      )
      expect(deposits && { ...attributesOf(deposits), value: deposits.asDouble }).toEqual({
        kind: "claim",
        command: "DepositPheromone",
        outcome: "appended",
        value: 3
      })
      expect(points("mound_state").map((each) => [attributesOf(each).state, each.asDouble])).toContainEqual([
        "stopped",
        1
      ])
      const seconds = points("mound_http_seconds").find((each) => attributesOf(each).route === "/pheromones")
      expect(seconds?.count).toBe("3")
      expect(seconds?.bucketCounts?.reduce((sum, count) => sum + Number(count), 0)).toBe(3)
    })
  )

  it.scopedLive("shows it its key and nobody's secrets, ids or payloads", () =>
    Effect.gen(function* () {
      const collector = yield* startCollector()
      const hub = yield* hubFor(collector.url, {
        OTEL_EXPORTER_OTLP_HEADERS: "api-key=key%20of%20hush,tenant=a",
        MOUND_TOKEN: "hush-token-of-the-operator-0000000000",
        OTEL_SERVICE_NAME: "fleet"
      })
      yield* Effect.promise(async () => {
        const headers = { Authorization: "Bearer hush-token-of-the-operator-0000000000" }
        const record = { id: "hush-id", stanceTarget: "any", baseIntensity: 1, decayRate: 0, payload: "hush" }
        await hub.ask("/claims", { body: { record }, headers })
        await hub.ask("/claims/hush-id?hush=1", { headers })
        await hub.ask("/hush-path", { headers: { Authorization: "Bearer hush" } })
        await hub.end()
      })
      expect(collector.spans.length).toBeGreaterThan(0)
      for (const { headers, body } of collector.deliveries) {
        expect(headers).toMatchObject({ "api-key": "key of hush", tenant: "a" })
        expect(body).not.toMatch(/hush|api-key/)
        expect(body).toContain('{"key":"service.name","value":{"stringValue":"fleet"}}')
      }
    })
  )

  it.scopedLive.each([
    ["refuses", 503],
    ["never answers", "silence"]
  ] as const)("works on and stops well when it %s", ([, answer]) =>
    Effect.gen(function* () {
      const collector = yield* startCollector(answer)
      const hub = yield* hubFor(collector.url)
      yield* Effect.promise(async () => {
        await until(async () => (await lost(hub)) > 0)
        expect((await hub.publish("w1")).status).toBe(201)
        expect((await hub.ask("/health")).json.status).toBe("ok")
        await hub.end()
      })
    })
  )

  it.scopedLive("works on and stops well when nobody is there at all", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(Effect.map(startCollector(), ({ url }) => url))
      const hub = yield* hubFor(gone)
      yield* Effect.promise(async () => {
        await until(async () => (await lost(hub)) > 0)
        expect((await hub.publish("w1")).status).toBe(201)
        await hub.end()
      })
    })
  )
})
