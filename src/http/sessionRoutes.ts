/**
 * `GET /stream/events`: a session's events, of the past and live, as clients of the old server know it (contracts: streams 5.2). A session
 * is a stream by its name; one that nobody has written to is empty, and is waited for.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Cause, Clock, Effect } from "effect"
import type { Offset, RecordedEvent } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { maxFollowers } from "./Followers.js"
import { endOf, type JournalReading, readNew, readPage } from "./JournalReading.js"
import { explain, refusal, type StreamReason, statusOf } from "./refusals.js"
import { sendFailure, sendJson } from "./respond.js"
import { decodeToken, encodeToken, type TokenFault } from "./StreamToken.js"
import { type CallFailure, reasonOf, type Target } from "./serve.js"
import { limitOf, narrowed, readingOf } from "./streamRequest.js"
import type { StreamServices } from "./streamRoutes.js"
import { writeOut } from "./writeOut.js"

export interface SessionServices extends StreamServices {
  readonly heartbeatMs: number
}

const path = "/stream/events"
const maxSessionBytes = 1_024
const maxLimit = 10_000

/** What a request asks; `reading` is undefined for a session that no stream has the name of. */
interface Asked {
  readonly reading: JournalReading | undefined
  readonly after: Offset
  readonly isLive: boolean
  readonly limit: number | undefined
}

type Fault = StreamReason | TokenFault

export const makeSessionRoutes = (services: SessionServices) => {
  const { journal, followers, kinds } = services
  const token = (offset: number) => encodeToken(services.restores(), offset)
  const message = (event: RecordedEvent) => `{"offset":"${token(event.offset)}","event":${event.json}}`
  /** `-1` for a session without events. */
  const endToken = (offset: number) => (offset === 0 ? "-1" : token(offset))

  const history = (
    response: ServerResponse,
    { reading, after, limit }: Asked
  ): Effect.Effect<void, JournalUnavailable> =>
    Effect.gen(function* () {
      const tail = reading ? yield* endOf(journal, reading) : (0 as Offset)
      const begin = (next: string, isUpToDate: boolean) =>
        response.writeHead(200, {
          "Content-Type": "application/json",
          "Cache-Control": "no-store",
          "Stream-Next-Offset": next,
          "Stream-Up-To-Date": String(isUpToDate)
        })
      if (limit === undefined || !reading) begin(endToken(tail), true)
      let cursor = after
      let opening = "["
      const taken: Array<RecordedEvent> = []
      while (reading && cursor < tail && taken.length <= (limit ?? 0)) {
        const page = yield* readPage(journal, reading, cursor, tail)
        cursor = page.cursor
        if (limit !== undefined) taken.push(...page.events)
        else if (page.events.length > 0) {
          if (!(yield* writeOut(response, opening + page.events.map(message).join(","))))
            return void response.destroy()
          opening = ","
        }
      }
      if (limit === undefined || !reading) return void response.end(opening === "[" ? "[]" : "]")
      const shown = taken.slice(0, limit)
      const isWhole = shown.length === taken.length
      begin(isWhole ? endToken(tail) : token(shown.at(-1)?.offset ?? after), isWhole)
      response.end(`[${shown.map(message).join(",")}]`)
    })

  const live = (response: ServerResponse, asked: Asked): Effect.Effect<void, CallFailure> =>
    Effect.gen(function* () {
      if (followers.isFull) return yield* refusal({ _tag: "TooManyFollowers", limit: maxFollowers })
      const leave = followers.add(() => response.end())
      yield* Effect.ensuring(feed(response, asked), Effect.sync(leave))
    })

  const feed = (
    response: ServerResponse,
    { reading, after }: Asked
  ): Effect.Effect<void, JournalUnavailable> =>
    Effect.gen(function* () {
      response.writeHead(200, {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no"
      })
      response.socket?.setNoDelay(true)
      const heartbeat = Effect.flatMap(Clock.currentTimeMillis, (timestamp) =>
        writeOut(response, `event: heartbeat\ndata: ${JSON.stringify({ timestamp })}\n\n`)
      )
      yield* Effect.fork(Effect.forever(Effect.delay(heartbeat, services.heartbeatMs)))
      const frames = (events: ReadonlyArray<RecordedEvent>) =>
        events.map((event) => `data: ${message(event)}\nid:${token(event.offset)}\n\n`).join("")
      const { offset: head } = yield* journal.head
      const tail = reading ? yield* endOf(journal, reading) : (0 as Offset)
      let cursor = after
      while (reading && cursor < tail) {
        const page = yield* readPage(journal, reading, cursor, tail)
        cursor = page.cursor
        if (!(yield* writeOut(response, frames(page.events)))) return void response.destroy()
      }
      const caughtUp = JSON.stringify({ offset: endToken(tail), upToDate: true })
      if (!(yield* writeOut(response, `event: catch-up-complete\ndata: ${caughtUp}\n\n`)))
        return void response.destroy()
      if (!reading) return yield* Effect.never
      cursor = Math.max(head, tail, after) as Offset
      for (;;) {
        yield* journal.awaitBeyond(cursor)
        const page = yield* readNew(journal, reading, cursor)
        cursor = page.cursor
        if (!(yield* writeOut(response, frames(page.events)))) return void response.destroy()
      }
    })

  const parse = (
    request: IncomingMessage,
    query: URLSearchParams,
    head: Offset
  ): Asked | (Fault & { path: string }) => {
    const at = (parameter: string, fault: Fault) => ({ ...fault, path: parameter })
    const bad = (parameter: string, problem: string) =>
      at(parameter, { _tag: "BadParameter", parameter, problem })
    const twice = [...query.keys()].find((name) => query.getAll(name).length > 1)
    if (twice !== undefined) return bad(twice, "is given twice")
    const session = query.get("sessionId") ?? ""
    const bytes = Buffer.byteLength(session)
    if (bytes < 1 || bytes > maxSessionBytes) return bad("sessionId", `must be 1 to ${maxSessionBytes} bytes`)
    const liveText = query.get("live") ?? "false"
    if (liveText !== "true" && liveText !== "false") return bad("live", "must be true or false")
    const isLive = liveText === "true"
    const limit = limitOf(query.get("limit"), maxLimit)
    if (typeof limit === "object") return at("limit", limit)
    if (limit !== undefined && isLive) return bad("limit", "is not for live=true")
    if (query.has("offset") && query.has("after")) return bad("after", "and offset exclude each other")
    const after = placeOf(request, query, isLive, { restores: services.restores(), head })
    if (typeof after === "object") return at(query.has("after") ? "after" : "offset", after)
    const reading = readingOf(session, kinds)
    const narrow = reading && narrowed(reading, query, kinds)
    if (narrow && "_tag" in narrow) return at("kind", narrow)
    return { reading: narrow, after, isLive, limit }
  }

  return (request: IncomingMessage, response: ServerResponse, { path: asked, query }: Target) => {
    if (asked !== path || request.method !== "GET") return undefined
    return Effect.gen(function* () {
      const { offset: head } = yield* journal.head
      const parameters = new URLSearchParams(query)
      const parsed = parse(request, parameters, head)
      if ("_tag" in parsed) return sendBadQuery(response, parameters, parsed)
      return yield* parsed.isLive ? live(response, parsed) : history(response, parsed)
    }).pipe(
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          if (Cause.isInterruptedOnly(cause)) return
          if (response.headersSent) return void response.destroy()
          sendFailure(response, reasonOf(cause, services.onDefect))
        })
      )
    )
  }
}

/** `offset` is inclusive, as it was: the event AT it comes again. `after` and the header of a stream that comes back are exclusive. */
const placeOf = (
  { headers }: IncomingMessage,
  query: URLSearchParams,
  isLive: boolean,
  context: { readonly restores: number; readonly head: Offset }
): Offset | TokenFault => {
  const resumed = isLive ? headers["last-event-id"] : undefined
  if (typeof resumed === "string") return decodeToken(resumed, context)
  const after = query.get("after")
  if (after !== null) return decodeToken(after, context)
  const offset = query.get("offset") ?? "-1"
  const place = decodeToken(offset, context)
  if (typeof place === "object" || offset === "now") return place
  return Math.max(0, place - 1) as Offset
}

/** The old server's body for a bad query, and the reason beside it. */
const sendBadQuery = (
  response: ServerResponse,
  query: URLSearchParams,
  fault: Fault & { readonly path: string }
): void => {
  const { path: parameter, ...reason } = fault
  const { message, fix } = explain(reason)
  sendJson(response, statusOf(reason), {
    success: false,
    data: Object.fromEntries(query),
    errors: [{ path: [parameter], message }],
    _tag: reason._tag,
    message,
    ...(fix !== undefined && { fix })
  })
}
