/**
 * A journal as a file: a header, one line an event exactly as recorded, and a trailer without which it is known to be cut short.
 * Reading verifies the chain as it goes (contracts: hub 3.8).
 */
import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { Effect, Schema, Stream } from "effect"
import { type EventData, Offset, RecordedEvent, type StreamId, type Version } from "./Event.js"
import * as EventRows from "./EventRows.js"
import { ChainVerifier, genesis } from "./HashChain.js"
import type { JournalUnavailable } from "./Journal.js"
import type { SqliteStore } from "./SqliteStore.js"

const Header = Schema.Struct({
  format: Schema.Literal(1),
  journalId: Schema.String,
  from: Offset,
  to: Offset,
  prevHash: Schema.String,
  /** Set when the file holds one stream only: then its chain cannot be verified. */
  stream: Schema.optional(Schema.String)
})
type Header = typeof Header.Type

const Trailer = Schema.Struct({ rows: Schema.Int, lastHash: Schema.String })

const Line = Schema.Struct({
  offset: Offset,
  stream: Schema.NonEmptyString,
  version: Schema.Int,
  type: Schema.String,
  schema: Schema.Int,
  at: Schema.Number,
  state: Schema.String,
  by: Schema.String,
  commandId: Schema.String,
  causation: Schema.NullOr(Offset),
  correlation: Schema.NullOr(Schema.String),
  data: Schema.Unknown,
  hash: Schema.String
})

/** The file is not a whole, unaltered export. */
export class ExportInvalid extends Schema.TaggedError<ExportInvalid>()("ExportInvalid", {
  path: Schema.String,
  line: Schema.Int,
  problem: Schema.String
}) {
  override get message() {
    return `${this.path}, line ${this.line}: ${this.problem}`
  }
  get fix() {
    return "use a file that journal export wrote: export again, or take an older one"
  }
}

export interface ExportRange {
  readonly from?: Offset | undefined
  readonly to?: Offset | undefined
  readonly stream?: StreamId | undefined
}

const pageSize = 1_000

/** Hands the lines of an export to `write`, a page at a time. */
export const writeExport = <E>(
  store: SqliteStore["Type"],
  { from = 1 as Offset, to, stream }: ExportRange,
  write: (text: string) => Effect.Effect<void, E>
): Effect.Effect<number, JournalUnavailable | E> =>
  Effect.gen(function* () {
    const head = yield* EventRows.head(store)
    const end = Math.min(to ?? head.offset, head.offset) as Offset
    const [before] = from > 1 ? yield* EventRows.readAfter(store, (from - 2) as Offset, 1) : []
    const header: Header = {
      format: 1,
      journalId: yield* EventRows.journalId(store),
      from,
      to: end,
      prevHash: before?.hash ?? genesis,
      ...(stream !== undefined && { stream })
    }
    yield* write(`${JSON.stringify(header)}\n`)
    let rows = 0
    let lastHash = header.prevHash
    let after = (from - 1) as Offset
    while (after < end) {
      const page = yield* stream === undefined
        ? EventRows.readAfter(store, after, Math.min(pageSize, end - after))
        : EventRows.readStreamAfter(store, stream, after, pageSize)
      const wanted = page.filter(({ offset }) => offset <= end)
      yield* write(wanted.map(({ json }) => `${json}\n`).join(""))
      rows += wanted.length
      lastHash = wanted.at(-1)?.hash ?? lastHash
      after = page.length < pageSize && stream !== undefined ? end : (page.at(-1)?.offset ?? end)
    }
    yield* write(`${JSON.stringify({ rows, lastHash })}\n`)
    return rows
  })

/** Reads a whole export, verifying it, and hands its events on a page at a time. Answers with its header. */
export const readExport = <E>(
  path: string,
  take: (events: ReadonlyArray<RecordedEvent>) => Effect.Effect<void, E>
): Effect.Effect<Header, ExportInvalid | E> =>
  Effect.gen(function* () {
    const lines = Stream.fromAsyncIterable(createInterface({ input: createReadStream(path) }), (error) =>
      invalid(path, 0, `cannot be read: ${error}`)
    )
    let number = 0
    let header: Header | undefined
    let trailer: typeof Trailer.Type | undefined
    const verifier = new ChainVerifier()
    let rows = 0
    yield* Stream.runForEachChunk(Stream.rechunk(lines, pageSize), (chunk) =>
      Effect.gen(function* () {
        const events: Array<RecordedEvent> = []
        for (const text of chunk) {
          number += 1
          if (trailer) return yield* invalid(path, number, "stands after the trailer")
          const json = yield* parse(path, number, text)
          if (!header) {
            header = yield* Effect.mapError(decode(Header, path, number, json), () =>
              invalid(path, number, "is not the header of an exported journal")
            )
            if (header.stream !== undefined || header.from !== 1) {
              return yield* invalid(
                path,
                number,
                "is a partial export; a whole one, from offset 1, is needed"
              )
            }
          } else if (isTrailer(json)) trailer = yield* decode(Trailer, path, number, json)
          else {
            const event = yield* toEvent(path, number, json)
            const fault = verifier.check([event])
            if (fault) return yield* invalid(path, number, `offset ${fault.offset}: ${fault.detail}`)
            events.push(event)
          }
        }
        rows += events.length
        yield* take(events)
      })
    )
    if (!header) return yield* invalid(path, 1, "is empty")
    if (!trailer) return yield* invalid(path, number, "is cut short: the trailer is missing")
    if (trailer.rows !== rows || trailer.lastHash !== verifier.head.hash) {
      return yield* invalid(path, number, `the trailer speaks of ${trailer.rows} events, ${rows} were found`)
    }
    if (header.to !== rows) {
      return yield* invalid(path, 1, `the header speaks of ${header.to} events, ${rows} were found`)
    }
    return header
  })

const invalid = (path: string, line: number, problem: string) => new ExportInvalid({ path, line, problem })

const parse = (path: string, line: number, text: string): Effect.Effect<unknown, ExportInvalid> =>
  Effect.try({ try: () => JSON.parse(text), catch: () => invalid(path, line, "is no JSON") })

const decode = <A, I>(schema: Schema.Schema<A, I>, path: string, line: number, json: unknown) =>
  Effect.mapError(Schema.decodeUnknown(schema)(json), (error) => invalid(path, line, error.message))

const isTrailer = (json: unknown): boolean => typeof json === "object" && json !== null && "lastHash" in json

const toEvent = (path: string, line: number, json: unknown): Effect.Effect<RecordedEvent, ExportInvalid> =>
  Effect.map(decode(Line, path, line, json), (row) => {
    const { data, stream, version, ...rest } = row
    const place = { stream: stream as StreamId, version: version as Version }
    return new RecordedEvent({ ...rest, ...place, dataJson: JSON.stringify(data) }, data as EventData)
  })
