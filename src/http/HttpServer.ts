/**
 * The hub's one HTTP server: access first, then the probes, the old ledger's routes, followers, and the protocol of `api.ts`. A path
 * that nobody owns is the bare text `not found`, as old clients expect. Whatever a socket sends, the process goes on.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, Fiber, Runtime, Schema } from "effect"
import type { Denied, Need } from "./Access.js"
import type { BlobRoutes } from "./blobRoutes.js"
import { docsPage, openApiJson } from "./docs.js"
import { Exchanges } from "./Exchanges.js"
import {
  type FollowServices,
  followClaims,
  followJournal,
  followRun,
  isPeerEvents,
  wantsEventStream
} from "./followRoutes.js"
import { listenOnSocket, ownerAccess } from "./listenOnSocket.js"
import type { McpRoute } from "./mcp.js"
import { isProbe, type ProbeServices, probe } from "./probes.js"
import { discardBody, retryHeader, sendFailure, sendJson, sendText } from "./respond.js"
import { routeName } from "./routeName.js"
import type { ApiServer, Target } from "./serve.js"
import { streamPrefix } from "./streamRequest.js"

/** The address cannot be had. */
export class BindFailed extends Schema.TaggedError<BindFailed>()("BindFailed", {
  host: Schema.String,
  port: Schema.Number,
  code: Schema.String
}) {}

export interface HttpServices extends ProbeServices, FollowServices {
  /** What an operator shows, if anybody has to show anything. */
  readonly operatorToken: string | undefined
  readonly api: ApiServer
  readonly ledger: (
    request: IncomingMessage,
    response: ServerResponse,
    path: string
  ) => Effect.Effect<void> | undefined
  /** The old ledger's routes ask for tokens themselves, in their own words. */
  readonly looksAtTokens: boolean
  readonly mcp: McpRoute
  readonly blobs: BlobRoutes
  /** Streams and servers: the work of answering, or undefined when the request is for none of them. */
  readonly streams: (
    request: IncomingMessage,
    response: ServerResponse,
    target: Target
  ) => Effect.Effect<void> | undefined
  readonly metrics: { readonly text: Effect.Effect<string>; readonly contentType: string }
  /** The same work, seen from outside by the name of its route. */
  readonly observe: (
    request: IncomingMessage,
    response: ServerResponse,
    route: string,
    work: Effect.Effect<void>
  ) => Effect.Effect<void>
  /** Records a fault in this program. */
  readonly onDefect: (error: unknown) => void
}

export interface HttpServer {
  /** The port that was bound. */
  readonly listen: (host: string, port: number) => Effect.Effect<number, BindFailed>
  /** Serves the same at a Unix socket, to its owner. Answers with what kept it from that, if anything did. */
  readonly listenAt: (path: string) => Effect.Effect<string | undefined>
  /** Takes no more connections, ends followers, and waits a little for requests under way. */
  readonly close: Effect.Effect<void>
  /** Requests that have no answer yet, followers too. */
  readonly open: () => number
}

/** How long a client may take, and how many there may be. */
export interface HttpLimits {
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly maxConnections: number
}

/** Limits of contracts: hub 5. */
const defaultLimits: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  maxConnections: 1_024
}
const maxHeaderBytes = 16 * 1024
const maxUrlBytes = 8 * 1024
const keepAliveMs = 60_000
/** A token that is taken back ends what goes on with it so much later at most. */
const revokedMs = 1_000
const closeGraceMs = 5_000
const closeStepMs = 20

export const makeHttpServer = (
  services: HttpServices,
  limits: HttpLimits = defaultLimits
): Effect.Effect<HttpServer> =>
  Effect.gen(function* () {
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    const exchanges = new Exchanges(fork)
    const serve = (served: HttpServices): Server => {
      const server = createServer(
        {
          maxHeaderSize: maxHeaderBytes,
          headersTimeout: limits.headersTimeoutMs,
          requestTimeout: limits.requestTimeoutMs,
          keepAliveTimeout: keepAliveMs,
          // How often Node looks for clients that have run out of their time; its own 30 s would be thrice the time.
          connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / 10)
        },
        (request, response) => {
          const route = routeName(targetOf(request.url ?? "")?.path ?? "", served.api.pathOf)
          const work = served.observe(request, response, route, answerAlways(served, request, response))
          exchanges.begin(request, response, work, served.access.isKnown(request))
        }
      )
      server.maxConnections = limits.maxConnections
      server.on("clientError", (error, socket) => exchanges.refuse(error, socket))
      return server
    }
    const server = serve(services)
    const owners = serve({ ...services, access: ownerAccess(services.access, services.operatorToken) })
    const servers = [server, owners]
    const endRevoked = Effect.sync(() => exchanges.endRevoked(services.access.isKnown))
    const watching = fork(Effect.forever(Effect.delay(endRevoked, revokedMs)))

    return {
      open: () => exchanges.count,
      listen: (host, port) => listen(server, host, port),
      listenAt: (path) => listenOnSocket(owners, path),
      close: Effect.gen(function* () {
        yield* Fiber.interrupt(watching)
        for (const each of servers) each.close()
        services.followers.closeAll()
        for (let waited = 0; exchanges.count > 0 && waited < closeGraceMs; waited += closeStepMs) {
          for (const each of servers) each.closeIdleConnections()
          yield* Effect.sleep(closeStepMs)
        }
        for (const each of servers) each.closeAllConnections()
      })
    }
  })

/** A defect in an answer costs that answer, never the process. */
const answerAlways = (
  services: HttpServices,
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<void> =>
  Effect.catchAllDefect(
    Effect.suspend(() => answer(services, request, response) ?? Effect.void),
    (error) =>
      Effect.sync(() => {
        services.onDefect(error)
        if (response.headersSent) return void response.destroy()
        discardBody(request, response)
        sendFailure(response, { _tag: "Defect", problem: String(error) })
      })
  )

/** Answers what needs no waiting at once; the rest comes back as work to run. */
const answer = (
  services: HttpServices,
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<void> | undefined => {
  const { access } = services
  const target = targetOf(request.url ?? "")
  if (!target) return notFound(services, request, response)
  const { path } = target
  const isOld = isOldPath(path)
  if (Buffer.byteLength(request.url ?? "") > maxUrlBytes) {
    discardBody(request, response)
    return void sendText(response, 414, "url too long")
  }
  // What may be asked of a stream is no secret, and a browser asks it without a token (contracts: streams 5.4).
  const isStreamOptions = request.method === "OPTIONS" && path.startsWith(streamPrefix)
  const denied = isStreamOptions
    ? access.checkHost(request)
    : access.check(request, () => needOf(services, request, path))
  const shared = denied?.isShared === false ? undefined : access.sharing(request)
  for (const [name, value] of Object.entries(shared ?? {})) response.setHeader(name, value)
  if (shared && isPreflight(request)) return void response.writeHead(204).end()
  if (denied) {
    const { auth: reason } = denied
    if (reason !== undefined) services.audit("auth_error", { route: `${request.method} ${path}`, reason })
    return deny(request, response, denied, isOld)
  }
  if (request.method === "GET" && isProbe(path)) return probe(services, request, response, path)
  if (request.method === "GET" && path === "/metrics") return sendMetrics(services, response)
  const away = awayFor(services, path)
  if (away) {
    discardBody(request, response)
    if (isOld) return void sendText(response, 503, away.toLowerCase(), { "Retry-After": 1 })
    return void sendFailure(response, { _tag: away })
  }
  return (
    page(services, request, response, target) ??
    services.ledger(request, response, path) ??
    services.mcp(request, response, path) ??
    services.blobs(request, response, path) ??
    services.streams(request, response, target) ??
    services.api.handle(request, response, target) ??
    notFound(services, request, response)
  )
}

/** Routes that are neither the old protocol's nor commands or queries. Undefined when it is none, or answered. */
const page = (
  services: HttpServices,
  request: IncomingMessage,
  response: ServerResponse,
  target: Target
): Effect.Effect<void> | undefined => {
  const { path } = target
  if (request.method !== "GET") return undefined
  if (path === "/docs") return Effect.sync(() => sendText(response, 200, docsPage(), html))
  if (path === "/openapi.json") return Effect.sync(() => sendJson(response, 200, openApiJson()))
  if (path === "/stream") {
    services.audit("sse_open", { path })
    return followClaims(services, request, response)
  }
  const runId = runEvents.exec(path)?.[1]
  if (runId !== undefined && wantsEventStream(request, target)) {
    return followRun(services, request, response, runId)
  }
  if (path !== "/journal" && !isPeerEvents(path)) return undefined
  const { journalId } = services.journal
  response.setHeader("Mound-Journal-Id", journalId)
  // A follower of another history is told so, rather than fooled by its offsets.
  const expected = request.headers["mound-journal-id"]
  if (expected !== undefined && expected !== journalId) {
    return Effect.sync(() => sendFailure(response, { _tag: "JournalChanged", journalId }))
  }
  const isFollower = isPeerEvents(path) || wantsEventStream(request, target)
  return isFollower ? followJournal(services, request, response, target) : undefined
}

/** Scraped also while the hub starts. */
const sendMetrics = ({ metrics }: HttpServices, response: ServerResponse): Effect.Effect<void> =>
  Effect.map(metrics.text, (text) => sendText(response, 200, text, { "Content-Type": metrics.contentType }))

const runEvents = /^\/workflow_runs\/([^/]+)\/events$/

const html = { "Content-Type": "text/html; charset=utf-8" }

/** What a request needs of its caller where tokens are asked for. */
const needOf = (
  { api, looksAtTokens }: HttpServices,
  { method = "" }: IncomingMessage,
  path: string
): Need => {
  if (isProbe(path)) return "probe"
  if (looksAtTokens && method === "POST" && path.startsWith("/pheromones")) return "open"
  return api.needOf(method, path) ?? (method === "GET" || method === "HEAD" ? "read" : "agent")
}

/** Until it is ready a hub shows nobody half a state; it can be told to stop all the same. */
const awayFor = ({ hub }: HttpServices, path: string): "Recovering" | "Draining" | undefined => {
  const { name } = hub()
  if (name === "stopped") return "Draining"
  return (name === "starting" || name === "recovering") && path !== "/hub/stop" ? "Recovering" : undefined
}

const notFound = ({ audit }: HttpServices, request: IncomingMessage, response: ServerResponse): undefined => {
  audit("not_found", { path: request.url?.split("?")[0] })
  discardBody(request, response)
  sendText(response, 404, "not found")
}

/** Path and query of a request's target; undefined for one that is no path, such as a whole url (contracts: ledger 3.4 no. 1). */
const targetOf = (url: string): Target | undefined => {
  if (!url.startsWith("/")) return undefined
  const question = url.indexOf("?")
  return question < 0
    ? { path: url, query: "" }
    : { path: url.slice(0, question), query: url.slice(question + 1) }
}

const isOldPath = (path: string): boolean =>
  path === "/healthz" || path === "/stream" || path === "/pheromones" || path.startsWith("/pheromones/")

const isPreflight = ({ method, headers }: IncomingMessage): boolean =>
  method === "OPTIONS" && headers["access-control-request-method"] !== undefined

const deny = (
  request: IncomingMessage,
  response: ServerResponse,
  { reason, status }: Denied,
  isOld: boolean
): undefined => {
  discardBody(request, response)
  if (status === 401) response.setHeader("WWW-Authenticate", "Bearer")
  if (!isOld) return sendFailure(response, reason, status) as undefined
  const isLimit = reason._tag === "TooManyRequests"
  sendText(response, status, isLimit ? "slow down" : "forbidden", retryHeader(reason))
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
