/** An OpenTelemetry collector, as far as a hub sees one: an HTTP server that keeps what it is sent. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly doubleValue?: number }
}

export interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly attributes: ReadonlyArray<Attribute>
}

export interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asDouble?: number
  readonly count?: string
  readonly bucketCounts?: ReadonlyArray<string>
}

export interface Metric {
  readonly name: string
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly sum?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<Point> }
}

interface Delivery {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export class Collector {
  readonly deliveries: Array<Delivery> = []

  constructor(private readonly server: Server) {}

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  get spans(): ReadonlyArray<Span> {
    return this.#bodiesAt("/v1/traces").flatMap(({ resourceSpans = [] }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    )
  }

  /** Each delivery's metrics, the newest last. */
  get metrics(): ReadonlyArray<ReadonlyArray<Metric>> {
    return this.#bodiesAt("/v1/metrics").map(({ resourceMetrics = [] }) =>
      resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    )
  }

  #bodiesAt(path: string): ReadonlyArray<Body> {
    return this.deliveries.filter((each) => each.path === path).map(({ body }) => JSON.parse(body))
  }
}

interface Body {
  readonly resourceSpans?: ReadonlyArray<{
    readonly scopeSpans: ReadonlyArray<{ readonly spans: Array<Span> }>
  }>
  readonly resourceMetrics?: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{ readonly metrics: Array<Metric> }>
  }>
}

/** `answer` is the status of its answers; a silent one takes everything and never answers. */
export const startCollector = (
  answer: number | "silence" = 200
): Effect.Effect<Collector, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly server: Server; readonly collector: Collector }>((resume) => {
        const server = createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", () => {
            const body = Buffer.concat(chunks).toString()
            collector.deliveries.push({ path: request.url ?? "", headers: request.headers, body })
            if (answer !== "silence") response.writeHead(answer).end("{}")
          })
        })
        const collector = new Collector(server)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, collector })))
      }),
      ({ server }) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    ({ collector }) => collector
  )

export const attributesOf = ({ attributes }: Span | Point): { readonly [name: string]: unknown } =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue])
  )
