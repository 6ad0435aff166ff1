/** Reads what a request for a stream asks: which stream, from where, how live; or says what is wrong with it (contracts: streams 5.4). */
import { kindOf, type Offset, StreamId } from "../events/Event.js"
import { everything, type JournalReading } from "./JournalReading.js"
import type { StreamReason } from "./refusals.js"
import { decodeToken, type TokenContext, type TokenFault } from "./StreamToken.js"

/** What stands before a stream's name in its path. */
export const streamPrefix = "/v1/stream/"

export type Fault = StreamReason | TokenFault

export interface StreamRequest {
  readonly reading: JournalReading
  readonly name: string
  /** The place after which the reader wants to go on; undefined when it gave none. */
  readonly after: Offset | undefined
  readonly isNow: boolean
  readonly live: "long-poll" | "sse" | undefined
  readonly cursor: string | undefined
  readonly limit: number | undefined
}

/** A stream of the journal by its name, or undefined when no kind owns it. */
export const readingOf = (name: string, kinds: ReadonlySet<string>): JournalReading | undefined => {
  if (name === everything) return { stream: undefined, kinds: undefined, types: undefined }
  const isKnown = kinds.has(kindOf(name as StreamId)) && (name === "hub") !== name.includes("/")
  return isKnown ? { stream: StreamId.make(name), kinds: undefined, types: undefined } : undefined
}

/** Comma lists of kinds and types, which narrow the reading of everything down. */
export const narrowed = (
  reading: JournalReading,
  query: URLSearchParams,
  known: ReadonlySet<string>
): JournalReading | Fault => {
  const kinds = listOf(query.get("kind"))
  const types = listOf(query.get("type"))
  if (!kinds && !types) return reading
  if (reading.stream !== undefined) {
    return { _tag: "BadParameter", parameter: kinds ? "kind" : "type", problem: `is for ${everything} only` }
  }
  const unknown = kinds?.find((kind) => !known.has(kind))
  if (unknown !== undefined) {
    return { _tag: "BadParameter", parameter: "kind", problem: `names ${unknown}, which is no kind of actor` }
  }
  return { stream: undefined, kinds: kinds && new Set(kinds), types: types && new Set(types) }
}

const listOf = (text: string | null): ReadonlyArray<string> | undefined =>
  text === null ? undefined : text.split(",").map((item) => item.trim())

/** Everything but the stream's name, from the query and the header of an `EventSource` that comes back. */
export const parseRequest = (
  name: string,
  reading: JournalReading,
  query: URLSearchParams,
  lastEventId: string | undefined,
  kinds: ReadonlySet<string>,
  context: TokenContext
): StreamRequest | Fault => {
  const narrow = narrowed(reading, query, kinds)
  if ("_tag" in narrow) return narrow
  const live = query.get("live") ?? undefined
  if (live !== undefined && live !== "long-poll" && live !== "sse") {
    return { _tag: "BadParameter", parameter: "live", problem: "must be long-poll or sse" }
  }
  const offsets = query.getAll("offset")
  if (offsets.length > 1) return { _tag: "MalformedOffset", given: offsets.join(",") }
  const given = (live === "sse" ? lastEventId : undefined) ?? offsets[0]
  const after = given === undefined ? undefined : decodeToken(given, context)
  if (typeof after === "object") return after
  if (live !== undefined && after === undefined) {
    return { _tag: "BadParameter", parameter: "offset", problem: `is needed with live=${live}` }
  }
  const limit = limitOf(query.get("limit"))
  if (typeof limit === "object") return limit
  return {
    reading: narrow,
    name,
    after,
    isNow: given === "now",
    live,
    cursor: query.get("cursor") ?? undefined,
    limit
  }
}

const maxLimit = 10_000_000

export const limitOf = (text: string | null, most = maxLimit): number | undefined | Fault => {
  if (text === null) return undefined
  const limit = /^\d{1,8}$/.test(text) ? Number(text) : 0
  return limit >= 1 && limit <= most
    ? limit
    : { _tag: "BadParameter", parameter: "limit", problem: `must be an integer from 1 to ${most}` }
}
