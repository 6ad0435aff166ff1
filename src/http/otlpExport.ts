/**
 * Sends spans and metrics to an OpenTelemetry collector (OTLP over HTTP, as JSON). Loaded only by a hub that has one. A collector that
 * is slow or away costs a bounded list of requests and nothing else: what does not fit is given up, and counted.
 */
import * as OtlpResource from "@effect/opentelemetry/OtlpResource"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Cause, Clock, Effect, Exit, Fiber, Option, Queue, type Scope, Tracer } from "effect"
import { type Collected, otlpMetrics } from "./otlpMetrics.js"
import type { SpanOptions, Tracing } from "./Tracing.js"

export interface ExportOptions {
  /** Of the collector; `/v1/traces` and `/v1/metrics` come behind it. */
  readonly endpoint: string
  readonly headers: { readonly [name: string]: string }
  readonly serviceName: string
  readonly version: string
  readonly bootId: string
  readonly everyMs: number
  readonly collect: Effect.Effect<Collected>
  /** A request that no collector has taken. */
  readonly onLost: () => void
}

/** Spans go out this long after they have ended, or when there are so many. */
const spansEveryMs = 5_000
const maxSpans = 1_000
/** Requests that wait for a collector: at most, and for how long each may take. */
const maxWaiting = 16
const timeoutMs = 10_000
/** What is left when the hub ends has so long altogether. */
const lastMs = 1_000

/** Exports for as long as the scope lasts, and what is left when it closes. */
export const startExport = (options: ExportOptions): Effect.Effect<Tracing, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { endpoint, headers, serviceName, version, bootId, everyMs, collect } = options
    const outbox = yield* makeOutbox(options.onLost)
    const url = (path: string) => `${endpoint.replace(/\/$/, "")}${path}`
    const identity = {
      serviceName,
      serviceVersion: version,
      attributes: { "service.instance.id": bootId }
    }
    const since = String(yield* Clock.currentTimeNanos)
    const resource = yield* OtlpResource.fromConfig(identity)
    const sendMetrics = Effect.gen(function* () {
      const until = String(yield* Clock.currentTimeNanos)
      const metrics = otlpMetrics(yield* collect, { since, until })
      const body = {
        resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: serviceName }, metrics }] }]
      }
      const request = HttpClientRequest.post(url("/v1/metrics"), { headers })
      yield* outbox.execute(HttpClientRequest.bodyUnsafeJson(request, body))
    }).pipe(Effect.ignore)
    yield* Effect.addFinalizer(() => sendMetrics)
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(everyMs), sendMetrics)))
    const tracer = yield* OtlpTracer.make({
      url: url("/v1/traces"),
      resource: identity,
      headers,
      exportInterval: spansEveryMs,
      maxBatchSize: maxSpans
    }).pipe(Effect.provide(OtlpSerialization.layerJson), Effect.provideService(HttpClient.HttpClient, outbox))
    return tracingBy(tracer)
  })

/** A client that takes what it can hold and sends it one after the other. It answers at once, and never with a failure. */
const makeOutbox = (onLost: () => void): Effect.Effect<HttpClient.HttpClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const client = HttpClient.filterStatusOk(
      yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
    )
    const waiting = yield* Queue.unbounded<HttpClientRequest.HttpClientRequest | "end">()
    const lost = Effect.sync(onLost)
    const send = (request: HttpClientRequest.HttpClientRequest) =>
      client.execute(request).pipe(
        Effect.flatMap(({ text }) => text),
        Effect.timeout(timeoutMs),
        Effect.withTracerEnabled(false),
        Effect.catchAllCause(() => lost)
      )
    const sendAll = Effect.gen(function* () {
      for (let next = yield* waiting.take; next !== "end"; next = yield* waiting.take) yield* send(next)
    })
    const sending = yield* Effect.forkDaemon(sendAll)
    yield* Effect.addFinalizer(() =>
      waiting
        .offer("end")
        .pipe(
          Effect.zipRight(Effect.timeoutOption(Effect.interruptible(Fiber.join(sending)), lastMs)),
          Effect.zipRight(Fiber.interruptFork(sending))
        )
    )
    return HttpClient.make((request) =>
      Effect.flatMap(waiting.size, (size) =>
        Effect.as(
          size < maxWaiting ? waiting.offer(request) : lost,
          HttpClientResponse.fromWeb(request, new Response(null, { status: 202 }))
        )
      )
    )
  })

const tracingBy = (tracer: Tracer.Tracer): Tracing => ({
  span: (name, work, { kind, attributes = {}, outcome, parent }: SpanOptions = {}) => {
    const told = Effect.tap(Effect.exit(work), (exit) =>
      Effect.annotateCurrentSpan({
        ...outcome?.(),
        ...(Exit.isFailure(exit) && { "error.type": errorType(exit.cause) })
      })
    )
    // The span itself never fails: a failure's own words may name what somebody sent.
    return told.pipe(
      Effect.withSpan(name, {
        attributes,
        captureStackTrace: false,
        ...(kind && { kind }),
        ...parentOf(parent)
      }),
      Effect.withTracer(tracer),
      Effect.flatten
    )
  }
})

const errorType = (cause: Cause.Cause<unknown>): string => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause)) as
    | { readonly _tag?: string; readonly reason?: { readonly _tag?: string } }
    | undefined
  if (failure) return failure.reason?._tag ?? failure._tag ?? "Failure"
  return Cause.isInterruptedOnly(cause) ? "Interrupted" : "Defect"
}

/** W3C Trace Context: version, trace, span, flags. */
const traceparent = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/

const parentOf = (header: string | undefined) => {
  const [, traceId, spanId] = traceparent.exec(header ?? "") ?? []
  return traceId !== undefined && spanId !== undefined
    ? { parent: Tracer.externalSpan({ traceId, spanId }) }
    : {}
}
