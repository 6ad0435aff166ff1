/** The routes that do not end: the old ledger's stream of claims, the journal as it is recorded, one run of it, and what is about one peer. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Effect } from "effect"
import { makeStreamId, type Offset, type RecordedEvent, type Version } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { claimFrame, toFrame } from "./claimFrames.js"
import { type Followers, maxFollowers } from "./Followers.js"
import { type FollowOptions, follow } from "./follow.js"
import { sendFailure, sendText } from "./respond.js"
import type { Target } from "./serve.js"

export interface FollowServices {
  readonly journal: Journal["Type"]
  readonly followers: Followers
}

/** The old ledger's stream: claims under their old names, from now on or after `Last-Event-ID` (contracts: ledger 5.3). */
export const followClaims = (
  services: FollowServices,
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { offset: head } = yield* services.journal.head
    const after = lastEventId(request) ?? head
    if (!isOffset(after, head)) return sendText(response, 400, "bad offset")
    const greeting = toFrame(after, "hello", {})
    yield* followAs(services, response, { after, greeting, frame: claimFrame })
  }).pipe(Effect.catchAll(() => broken(response, () => sendText(response, 503, "read-only"))))

/** What happens to one peer and its presences. */
const peerEvents = /^\/peers\/([a-z][a-z0-9-]*)\/events$/
export const isPeerEvents = (path: string): boolean => peerEvents.test(path)

/** Every event as it is recorded, or those of one stream or about one peer: after an offset and then live. */
export const followJournal = (
  services: FollowServices,
  request: IncomingMessage,
  response: ServerResponse,
  { path: route, query }: Target
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { offset: head } = yield* services.journal.head
    const parameters = new URLSearchParams(query)
    const isWanted = wanted(peerEvents.exec(route)?.[1], parameters.get("stream"))
    const last = lastEventId(request)
    const given = parameters.get("after")
    const after = last ?? (given === null ? head : parseOffset(given))
    if (Number.isNaN(after)) {
      const path = last === undefined ? "after" : "Last-Event-ID"
      return sendFailure(response, { _tag: "InvalidCommand", path, problem: "must be an offset" })
    }
    if (!isOffset(after, head)) return sendFailure(response, { _tag: "OffsetAhead", head })
    const frame = (event: RecordedEvent) => (isWanted(event) ? toJsonFrame(event) : undefined)
    yield* followAs(services, response, { after, greeting: greetingAt(after), frame })
  }).pipe(
    Effect.catchAll(({ reason, detail }) =>
      broken(response, () => sendFailure(response, { _tag: "ReadOnly", reason, detail }))
    )
  )

/** Events about one peer, of one stream, or any. */
const wanted = (peer: string | undefined, stream: string | null): ((event: RecordedEvent) => boolean) => {
  if (peer === undefined) return (event) => stream === null || event.stream === stream
  const isPresence = (name: string) =>
    name.startsWith("presence/") && name.slice(name.indexOf("-") + 1) === peer
  return (event) => event.stream === `peer/${peer}` || isPresence(event.stream)
}

/** A run's events from its first one on, or after `Last-Event-ID`, and then live. */
export const followRun = (
  services: FollowServices,
  request: IncomingMessage,
  response: ServerResponse,
  runId: string
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { journal } = services
    const stream = makeStreamId("run", runId)
    const [first] = yield* journal.readStreams([{ stream, after: 0 as Version }], 1)
    if (!first) return sendFailure(response, { _tag: "UnknownRun", runId })
    const { offset: head } = yield* journal.head
    const after = lastEventId(request) ?? first.offset - 1
    if (Number.isNaN(after)) {
      const problem = "must be an offset"
      return sendFailure(response, { _tag: "InvalidCommand", path: "Last-Event-ID", problem })
    }
    if (!isOffset(after, head)) return sendFailure(response, { _tag: "OffsetAhead", head })
    const frame = (event: RecordedEvent) => (event.stream === stream ? toJsonFrame(event) : undefined)
    yield* followAs(services, response, { after, greeting: greetingAt(after), frame })
  }).pipe(
    Effect.catchAll(({ reason, detail }) =>
      broken(response, () => sendFailure(response, { _tag: "ReadOnly", reason, detail }))
    )
  )

const toJsonFrame = ({ offset, json }: RecordedEvent): string => `id: ${offset}\ndata: ${json}\n\n`

/** An id without data is no event to its reader, but what it resumes after when it is cut off before the first one. */
const greetingAt = (after: Offset): string => `: from ${after}\nid: ${after}\n\n`

export const wantsEventStream = ({ headers }: IncomingMessage, { query }: Target): boolean =>
  new URLSearchParams(query).get("live") === "true" ||
  (headers.accept?.includes("text/event-stream") ?? false)

const followAs = (
  { journal, followers }: FollowServices,
  response: ServerResponse,
  options: Pick<FollowOptions, "after" | "greeting" | "frame">
): Effect.Effect<void, JournalUnavailable> => {
  if (followers.isFull) {
    return Effect.sync(() => sendFailure(response, { _tag: "TooManyFollowers", limit: maxFollowers }))
  }
  const leave = followers.add(() => response.end(() => response.destroy()))
  return Effect.ensuring(follow(response, { journal, ...options }), Effect.sync(leave))
}

/** The journal cannot be read: the client is told, or cut off if it follows already, so that it comes again. */
const broken = (response: ServerResponse, tell: () => void): Effect.Effect<void> =>
  Effect.sync(() => (response.headersSent ? void response.destroy() : tell()))

const parseOffset = (text: string): number => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN)

/** `NaN` for an id that is no offset. */
const lastEventId = ({ headers }: IncomingMessage): number | undefined => {
  const id = headers["last-event-id"]
  return id === undefined ? undefined : parseOffset(String(id))
}

const isOffset = (value: number, head: Offset): value is Offset => value >= 0 && value <= head
