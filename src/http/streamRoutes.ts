/**
 * The journal's streams under the Durable Streams protocol, read side (contracts: streams 5.4): everything, or one actor; caught up,
 * waited for, or followed. Nothing is cut that a client takes for the whole, and nothing is repeated across a broken connection.
 */
import { createHash } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Cause, Effect } from "effect"
import type { Offset, RecordedEvent } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { type Followers, maxFollowers } from "./Followers.js"
import { endOf, isFiltered, type JournalReading, readNew, readPage } from "./JournalReading.js"
import { refusal } from "./refusals.js"
import { sendFailure } from "./respond.js"
import { encodeToken } from "./StreamToken.js"
import { type CallFailure, reasonOf, type Target } from "./serve.js"
import { feed, type Standing } from "./streamFeed.js"
import { cursorAfter } from "./streamFrames.js"
import { parseRequest, readingOf, type StreamRequest, streamPrefix } from "./streamRequest.js"
import { writeOut } from "./writeOut.js"

export interface StreamServices {
  readonly journal: Journal["Type"]
  readonly followers: Followers
  /** How often the journal was restored. */
  readonly restores: () => number
  readonly kinds: ReadonlySet<string>
  /** Whether an event is the last one that its stream can ever have. */
  readonly isLast: (event: RecordedEvent) => boolean
  readonly longPollMs: number
  readonly commentMs: number
  readonly onDefect: (error: unknown) => void
}

const allowed = "GET, HEAD, OPTIONS"

type Answering = Effect.Effect<void, CallFailure>

export const makeStreamRoutes = (services: StreamServices) => {
  const { journal, followers, kinds } = services
  const token = (offset: number) => encodeToken(services.restores(), offset)

  const standingOf = (reading: JournalReading): Effect.Effect<Standing, JournalUnavailable> =>
    Effect.gen(function* () {
      const tail = yield* endOf(journal, reading)
      if (reading.stream === undefined || tail === 0) return { tail, isClosed: false }
      const [last] = yield* journal.read((tail - 1) as Offset, 1)
      return { tail, isClosed: last !== undefined && services.isLast(last) }
    })

  /** Headers that say where the reader stands after this answer. */
  const place = (next: number, { isUpToDate, isClosed }: { isUpToDate: boolean; isClosed: boolean }) => ({
    "Stream-Next-Offset": token(next),
    ...(isUpToDate && { "Stream-Up-To-Date": "true" }),
    ...(isUpToDate && isClosed && { "Stream-Closed": "true" })
  })

  /** All messages after a place up to the tail of this moment, in pages; with `limit` no more than so many. */
  const catchUp = (request: IncomingMessage, response: ServerResponse, asked: StreamRequest): Answering =>
    Effect.gen(function* () {
      const { reading, limit } = asked
      const standing = yield* standingOf(reading)
      const after = (asked.after ?? 0) as Offset
      const limited = limit === undefined ? undefined : yield* take(reading, after, standing.tail, limit)
      const end = limited?.isWhole === false ? limited.cursor : Math.max(after, standing.tail)
      const isUpToDate = limited?.isWhole !== false
      const etag = etagOf(journal.journalId, asked, after, end, standing.isClosed && isUpToDate)
      const headers = {
        ...place(end, { isUpToDate, isClosed: standing.isClosed }),
        ETag: etag,
        "Cache-Control": "private, no-cache"
      }
      if (matchesTag(request, etag)) return void response.writeHead(304, headers).end()
      response.writeHead(200, { "Content-Type": "application/json", ...headers })
      if (limited) return void response.end(`[${limited.events.map(({ json }) => json).join(",")}]`)
      let cursor = after
      let opening = "["
      while (cursor < standing.tail) {
        const page = yield* readPage(journal, reading, cursor, standing.tail)
        cursor = page.cursor
        if (page.events.length === 0) continue
        if (!(yield* writeOut(response, opening + page.events.map(({ json }) => json).join(","))))
          return void response.destroy()
        opening = ","
      }
      response.end(opening === "[" ? "[]" : "]")
    })

  /** At most so many events; whether that was all there is. */
  const take = (reading: JournalReading, after: Offset, tail: Offset, limit: number) =>
    Effect.gen(function* () {
      const events: Array<RecordedEvent> = []
      let cursor = after
      while (cursor < tail && events.length <= limit) {
        const page = yield* readPage(journal, reading, cursor, tail)
        events.push(...page.events)
        cursor = page.cursor
      }
      const taken = events.slice(0, limit)
      const isWhole = taken.length === events.length
      return { events: taken, isWhole, cursor: taken.at(-1)?.offset ?? after }
    })

  /** What is there already at once; else what comes next, or nothing when the time is up. */
  const longPoll = (response: ServerResponse, asked: StreamRequest): Answering =>
    Effect.gen(function* () {
      const { reading } = asked
      const after = asked.after as Offset
      const standing = yield* standingOf(reading)
      const there = after < standing.tail ? yield* firstOf(reading, after, standing.tail) : undefined
      const found =
        there ??
        (standing.isClosed
          ? undefined
          : yield* waitingFor(awaitNew(reading, Math.max(after, standing.tail) as Offset), response))
      const now = yield* standingOf(reading)
      const next = found?.cursor ?? Math.max(after, standing.tail)
      const isUpToDate = next >= now.tail
      const headers = {
        ...place(next, { isUpToDate, isClosed: now.isClosed }),
        "Stream-Cursor": yield* cursorAfter(asked.cursor),
        "Cache-Control": "no-store"
      }
      if (response.headersSent) return
      if (!found) return void response.writeHead(204, headers).end()
      response.writeHead(200, { "Content-Type": "application/json", ...headers })
      response.end(`[${found.events.map(({ json }) => json).join(",")}]`)
    })

  /** The first page with something in it. */
  const firstOf = (reading: JournalReading, after: Offset, tail: Offset) =>
    Effect.gen(function* () {
      let cursor = after
      while (cursor < tail) {
        const page = yield* readPage(journal, reading, cursor, tail)
        if (page.events.length > 0) return page
        cursor = page.cursor
      }
      return undefined
    })

  const awaitNew = (reading: JournalReading, after: Offset) =>
    Effect.gen(function* () {
      let cursor = after
      for (;;) {
        yield* journal.awaitBeyond(cursor)
        const page = yield* readNew(journal, reading, cursor)
        if (page.events.length > 0) return page
        cursor = page.cursor
      }
    })

  /** Waits as a follower: not for ever, and not when the hub ends. */
  const waitingFor = <A, E>(effect: Effect.Effect<A, E>, response: ServerResponse) => {
    if (followers.isFull) return refusal({ _tag: "TooManyFollowers", limit: maxFollowers })
    const hubEnds = Effect.async<undefined>((resume) => {
      const leave = followers.add(() => resume(Effect.succeed(undefined)))
      return Effect.sync(leave)
    })
    const timesUp = Effect.as(Effect.sleep(services.longPollMs), undefined)
    response.socket?.setNoDelay(true)
    return Effect.raceFirst(effect, Effect.raceFirst(hubEnds, timesUp))
  }

  /** Data and control frames by turns, for as long as the client and the stream last. */
  const follow = (response: ServerResponse, asked: StreamRequest): Answering =>
    Effect.gen(function* () {
      if (followers.isFull) return yield* refusal({ _tag: "TooManyFollowers", limit: maxFollowers })
      const leave = followers.add(() => response.end())
      yield* Effect.ensuring(feed(response, asked, { ...services, token, standingOf }), Effect.sync(leave))
    })

  const answer = (
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    query: string
  ): Answering =>
    Effect.gen(function* () {
      const reading = readingOf(name, kinds)
      if (!reading) return yield* refusal({ _tag: "StreamNotFound", name })
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.setHeader("Allow", allowed)
        return yield* refusal({ _tag: "ReadOnlyStream", name })
      }
      const { offset: head } = yield* journal.head
      if (reading.stream !== undefined && (yield* journal.tailOf(reading.stream)) === 0) {
        return yield* refusal({ _tag: "StreamNotFound", name })
      }
      if (request.method === "HEAD") {
        const { tail, isClosed } = yield* standingOf(reading)
        const headers = { "Stream-Next-Offset": token(tail), ...(isClosed && { "Stream-Closed": "true" }) }
        response.writeHead(200, {
          "Content-Type": "application/json",
          "Cache-Control": "no-store",
          ...headers
        })
        return void response.end()
      }
      const parameters = new URLSearchParams(query)
      const lastEventId = request.headers["last-event-id"]
      const resumesAt = typeof lastEventId === "string" ? lastEventId : undefined
      const context = { restores: services.restores(), head }
      const asked = parseRequest(name, reading, parameters, resumesAt, kinds, context)
      if ("_tag" in asked) return yield* refusal(asked)
      if (asked.live === "sse") return yield* follow(response, asked)
      if (asked.live === "long-poll") return yield* longPoll(response, asked)
      if (!asked.isNow) return yield* catchUp(request, response, asked)
      const { tail, isClosed } = yield* standingOf(asked.reading)
      const headers = place(tail, { isUpToDate: true, isClosed })
      response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers })
      response.end("[]")
    })

  /** The work of answering a request for a stream, or undefined when it is for none. */
  return (request: IncomingMessage, response: ServerResponse, { path, query }: Target) => {
    if (!path.startsWith(streamPrefix)) return undefined
    response.setHeader("X-Content-Type-Options", "nosniff")
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin")
    const answering = Effect.suspend(() => {
      if (request.method === "OPTIONS") {
        const headers = {
          Allow: allowed,
          "Access-Control-Allow-Methods": allowed,
          "Access-Control-Allow-Headers": preflight
        }
        return Effect.sync(() => void response.writeHead(204, headers).end())
      }
      const name = decodeName(path.slice(streamPrefix.length))
      return name === undefined
        ? refusal({
            _tag: "BadParameter",
            parameter: "the stream's name",
            problem: "has a broken percent-escape"
          })
        : answer(request, response, name, query)
    })
    return Effect.catchAllCause(answering, (cause) =>
      Effect.sync(() => {
        if (Cause.isInterruptedOnly(cause)) return
        if (response.headersSent) return void response.destroy()
        response.setHeader("Cache-Control", "no-store")
        sendFailure(response, reasonOf(cause, services.onDefect))
      })
    )
  }
}

/** Every header that the protocol knows, also those of what cannot be done to a stream of the journal: that is said when it is tried. */
const preflight = [
  "Authorization",
  "Content-Type",
  "If-Match",
  "If-None-Match",
  "Last-Event-ID",
  "Stream-Closed",
  "Stream-Expires-At",
  "Stream-Fork-Offset",
  "Stream-Fork-Sub-Offset",
  "Stream-Forked-From",
  "Stream-Seq",
  "Stream-TTL",
  "Producer-Epoch",
  "Producer-Id",
  "Producer-Seq"
].join(", ")

const decodeName = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const etagOf = (
  journalId: string,
  { name, reading }: StreamRequest,
  from: number,
  to: number,
  isClosed: boolean
): string => {
  const { kinds, types } = reading
  const filter = isFiltered(reading) ? JSON.stringify([[...(kinds ?? [])], [...(types ?? [])]]) : ""
  const what = createHash("sha256").update(`${name}\n${filter}`).digest("hex").slice(0, 12)
  return `"${journalId.slice(0, 8)}:${what}:${from}:${to}${isClosed ? ":c" : ""}"`
}

const matchesTag = ({ headers }: IncomingMessage, etag: string): boolean =>
  (headers["if-none-match"] ?? "").split(",").some((each) => each.trim().replace(/^W\//, "") === etag)
