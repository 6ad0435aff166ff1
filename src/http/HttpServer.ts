/**
 * The hub's one HTTP server: access first, then the probes, the old ledger's routes, followers, and the protocol of `api.ts`. A path
 * that nobody owns is the bare text `not found`, as old clients expect. Whatever a socket sends, the process goes on.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { Effect, FiberId, Runtime, Schema } from "effect"
import type { HubState } from "../actors/hub/hubKind.js"
import { makeStreamId, type Offset, type RecordedEvent, type Version } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import type { Access, Denied } from "./Access.js"
import type { BlobRoutes } from "./blobRoutes.js"
import { claimFrame, toFrame } from "./claimFrames.js"
import { docsPage, openApiJson } from "./docs.js"
import { type FollowOptions, follow } from "./follow.js"
import { discardBody, sendFailure, sendJson, sendText } from "./respond.js"
import type { ApiServer, Target } from "./serve.js"

/** The address cannot be had. */
export class BindFailed extends Schema.TaggedError<BindFailed>()("BindFailed", {
  host: Schema.String,
  port: Schema.Number,
  code: Schema.String
}) {}

export interface HttpServices {
  readonly access: Access
  readonly api: ApiServer
  readonly ledger: (
    request: IncomingMessage,
    response: ServerResponse,
    path: string
  ) => Effect.Effect<void> | undefined
  readonly blobs: BlobRoutes
  readonly journal: Journal["Type"]
  readonly hub: () => HubState
  /** Whether the journal takes writes. */
  readonly isWritable: () => boolean
  readonly marks: () => { readonly listed: number; readonly claimed: number }
}

export interface HttpServer {
  /** The port that was bound. */
  readonly listen: (host: string, port: number) => Effect.Effect<number, BindFailed>
  /** Takes no more connections, ends followers, and waits a little for requests under way. */
  readonly close: Effect.Effect<void>
  readonly followers: () => number
}

/** Limits of contracts: hub 5. */
const maxHeaderBytes = 16 * 1024
const maxUrlBytes = 8 * 1024
const headersTimeoutMs = 10_000
const requestTimeoutMs = 60_000
const keepAliveMs = 60_000
const maxConnections = 1_024
const maxFollowers = 512
const closeGraceMs = 5_000
const closeStepMs = 20

/** Routes that a supervisor polls: they work before the hub is ready, and say little to a stranger. */
const probes: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz"])

export const makeHttpServer = (services: HttpServices): Effect.Effect<HttpServer> =>
  Effect.gen(function* () {
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    const followers = new Set<ServerResponse>()
    let open = 0

    const server = createServer(
      {
        maxHeaderSize: maxHeaderBytes,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: keepAliveMs
      },
      (request, response) => {
        open += 1
        const work = answer(services, followers, request, response)
        const fiber = work && fork(work)
        response.once("close", () => {
          open -= 1
          // A client that goes away before its answer takes the work with it.
          if (fiber && !response.writableFinished) fiber.unsafeInterruptAsFork(FiberId.none)
        })
      }
    )
    server.maxConnections = maxConnections
    server.on("clientError", refuseMalformed)

    return {
      followers: () => followers.size,
      listen: (host, port) => listen(server, host, port),
      close: Effect.gen(function* () {
        server.close()
        for (const response of followers) response.end(() => response.destroy())
        for (let waited = 0; open > 0 && waited < closeGraceMs; waited += closeStepMs) {
          server.closeIdleConnections()
          yield* Effect.sleep(closeStepMs)
        }
        server.closeAllConnections()
      })
    }
  })

/** Answers what needs no waiting at once; the rest comes back as work to run. */
const answer = (
  services: HttpServices,
  followers: Set<ServerResponse>,
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<void> | undefined => {
  const target = targetOf(request.url ?? "")
  if (!target) return notFound(request, response)
  const { path } = target
  const isOld = isOldPath(path)
  if (Buffer.byteLength(request.url ?? "") > maxUrlBytes) return void sendText(response, 414, "url too long")
  const denied = services.access.check(request, probes.has(path))
  if (denied) return deny(request, response, denied, isOld)
  if (request.method === "GET" && probes.has(path)) return probe(services, request, response, path)
  const { name } = services.hub()
  if (name !== "ready" && !name.startsWith("draining.")) {
    discardBody(request, response)
    if (isOld) return void sendText(response, 503, "recovering", { "Retry-After": 1 })
    return void sendFailure(response, { _tag: "Recovering" })
  }
  if (request.method === "GET") {
    if (path === "/docs")
      return void sendText(response, 200, docsPage(), { "Content-Type": "text/html; charset=utf-8" })
    if (path === "/openapi.json") return void sendJson(response, 200, openApiJson())
    if (path === "/stream") return followClaims(services, followers, request, response)
    const runId = runEvents.exec(path)?.[1]
    if (runId !== undefined && wantsEventStream(request, target)) {
      return followRun(services, followers, request, response, runId)
    }
  }
  if (path === "/journal") {
    const refused = checkJournalId(services.journal.journalId, request, response)
    if (refused) return undefined
    if (request.method === "GET" && wantsEventStream(request, target)) {
      return followJournal(services, followers, request, response, target)
    }
  }
  return (
    services.ledger(request, response, path) ??
    services.blobs(request, response, path) ??
    services.api.handle(request, response, target) ??
    notFound(request, response)
  )
}

const notFound = (request: IncomingMessage, response: ServerResponse): undefined => {
  discardBody(request, response)
  sendText(response, 404, "not found")
}

/** Path and query of a request's target: of the usual form, or of the absolute one. Undefined for anything else. */
const targetOf = (url: string): Target | undefined => {
  const origin = /^http:\/\/[^/?#]*/i.exec(url)?.[0] ?? ""
  const rest = url.slice(origin.length) || "/"
  if (!rest.startsWith("/")) return undefined
  const question = rest.indexOf("?")
  return question < 0
    ? { path: rest, query: "" }
    : { path: rest.slice(0, question), query: rest.slice(question + 1) }
}

const isOldPath = (path: string): boolean =>
  path === "/healthz" || path === "/stream" || path === "/pheromones" || path.startsWith("/pheromones/")

const deny = (
  request: IncomingMessage,
  response: ServerResponse,
  need: Denied,
  isOld: boolean
): undefined => {
  discardBody(request, response)
  if (need === "token") response.setHeader("WWW-Authenticate", "Bearer")
  const status = need === "token" ? 401 : 403
  if (isOld) sendText(response, status, "forbidden")
  else sendFailure(response, { _tag: "NotAllowed", need }, status)
}

const probe = (
  { access, hub, isWritable, marks, journal }: HttpServices,
  request: IncomingMessage,
  response: ServerResponse,
  path: string
): Effect.Effect<void> | undefined => {
  const { name, context } = hub()
  const isReady = name === "ready" && isWritable()
  const status = path === "/livez" || isReady ? 200 : 503
  if (!access.isTrusted(request)) return void sendJson(response, status, { ok: status === 200 })
  if (path === "/livez") return void sendJson(response, 200, { ok: true, bootId: context.bootId })
  if (path === "/healthz") {
    const { listed, claimed } = marks()
    const { readyAt } = context
    const body = { ok: isReady, store: "sqlite", replayedAt: readyAt, pheromones: listed, claims: claimed }
    return void sendJson(response, status, body)
  }
  const { bootId, pid } = context
  return journal.head.pipe(
    Effect.map(({ offset }) => offset),
    Effect.catchAll(() => Effect.succeed(null)),
    Effect.map((offset) => sendJson(response, status, { ready: isReady, state: name, bootId, pid, offset }))
  )
}

/** The old ledger's stream: claims under their old names, from now on or after `Last-Event-ID`. */
const followClaims = (
  services: HttpServices,
  followers: Set<ServerResponse>,
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { offset: head } = yield* services.journal.head
    const after = lastEventId(request) ?? head
    if (!isOffset(after, head)) return sendText(response, 400, "bad offset")
    const greeting = toFrame(after, "hello", {})
    yield* followAs(services, followers, response, { after, greeting, frame: claimFrame })
  }).pipe(Effect.catchAll(() => Effect.sync(() => sendText(response, 503, "read-only"))))

/** A run's events from its first one on, and then live. */
const followRun = (
  services: HttpServices,
  followers: Set<ServerResponse>,
  request: IncomingMessage,
  response: ServerResponse,
  runId: string
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const stream = makeStreamId("run", runId)
    const [first] = yield* services.journal.readStreams([{ stream, after: 0 as Version }], 1)
    if (!first) return sendFailure(response, { _tag: "UnknownRun", runId })
    const { offset: head } = yield* services.journal.head
    const after = lastEventId(request) ?? first.offset - 1
    if (!isOffset(after, head)) return sendFailure(response, { _tag: "OffsetAhead", head })
    const frame = (event: RecordedEvent) => (event.stream === stream ? toJsonFrame(event) : undefined)
    yield* followAs(services, followers, response, { after, greeting: `: from ${after}\n\n`, frame })
  }).pipe(
    Effect.catchAll(({ reason, detail }) =>
      Effect.sync(() => sendFailure(response, { _tag: "ReadOnly", reason, detail }))
    )
  )

const runEvents = /^\/workflow_runs\/([^/]+)\/events$/
const toJsonFrame = ({ offset, json }: RecordedEvent): string => `id: ${offset}\ndata: ${json}\n\n`

/** Every event as it is recorded, after an offset and then live. */
const followJournal = (
  services: HttpServices,
  followers: Set<ServerResponse>,
  request: IncomingMessage,
  response: ServerResponse,
  { query }: Target
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { offset: head } = yield* services.journal.head
    const parameters = new URLSearchParams(query)
    const stream = parameters.get("stream")
    const given = parameters.get("after")
    const after =
      lastEventId(request) ?? (given === null ? head : /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN)
    if (Number.isNaN(after) || after < 0) {
      return sendFailure(response, { _tag: "InvalidCommand", path: "after", problem: "must be an offset" })
    }
    if (!isOffset(after, head)) return sendFailure(response, { _tag: "OffsetAhead", head })
    const frame = (event: RecordedEvent) =>
      stream === null || event.stream === stream ? toJsonFrame(event) : undefined
    yield* followAs(services, followers, response, { after, greeting: `: from ${after}\n\n`, frame })
  }).pipe(
    Effect.catchAll(({ reason, detail }) =>
      Effect.sync(() => sendFailure(response, { _tag: "ReadOnly", reason, detail }))
    )
  )

const followAs = (
  { journal }: HttpServices,
  followers: Set<ServerResponse>,
  response: ServerResponse,
  options: { readonly after: Offset; readonly greeting: string; readonly frame: FollowOptions["frame"] }
): Effect.Effect<void, JournalUnavailable> => {
  if (followers.size >= maxFollowers) {
    return Effect.sync(() => sendFailure(response, { _tag: "TooManyFollowers", limit: maxFollowers }))
  }
  followers.add(response)
  return Effect.ensuring(
    follow(response, { journal, ...options }),
    Effect.sync(() => followers.delete(response))
  )
}

/** `NaN` for an id that is no offset. */
const lastEventId = ({ headers }: IncomingMessage): number | undefined => {
  const id = headers["last-event-id"]
  if (id === undefined) return undefined
  return typeof id === "string" && /^\d{1,15}$/.test(id) ? Number(id) : Number.NaN
}

const isOffset = (value: number, head: Offset): value is Offset => value >= 0 && value <= head

const wantsEventStream = ({ headers }: IncomingMessage, { query }: Target): boolean =>
  new URLSearchParams(query).get("live") === "true" ||
  (headers.accept?.includes("text/event-stream") ?? false)

/** Tells a follower of another history so, rather than letting its offsets fool it. True when it was refused. */
const checkJournalId = (
  journalId: string,
  { headers }: IncomingMessage,
  response: ServerResponse
): boolean => {
  response.setHeader("Mound-Journal-Id", journalId)
  const expected = headers["mound-journal-id"]
  if (expected === undefined || expected === journalId) return false
  sendFailure(response, { _tag: "JournalChanged", journalId })
  return true
}

/** What is no HTTP at all gets a status and a closed connection; nothing of it reaches a handler. */
const refuseMalformed = (error: Error & { readonly code?: string }, socket: Duplex): void => {
  const status = malformed[error.code ?? ""] ?? "400 Bad Request"
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  else socket.destroy()
}

const malformed: { readonly [code: string]: string } = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout"
}

const listen = (server: Server, host: string, port: number): Effect.Effect<number, BindFailed> =>
  Effect.async((resume) => {
    const onError = (error: Error & { readonly code?: string }) =>
      resume(new BindFailed({ host, port, code: error.code ?? String(error) }))
    server.once("error", onError)
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", onError)
      resume(Effect.succeed((server.address() as AddressInfo).port))
    })
  })
