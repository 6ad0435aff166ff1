/** What a reader of the journal's streams wants to see: everything, some kinds and types of it, or one actor (contracts: streams 5). */
import { Effect } from "effect"
import { kindOf, type Offset, type RecordedEvent, type StreamId } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"

export interface JournalReading {
  /** Undefined for the whole journal. */
  readonly stream: StreamId | undefined
  readonly kinds: ReadonlySet<string> | undefined
  readonly types: ReadonlySet<string> | undefined
}

/** The name under which all of the journal is read. */
export const everything = "$all"

export const isFiltered = ({ kinds, types }: JournalReading): boolean =>
  kinds !== undefined || types !== undefined

export const accepts = ({ stream, kinds, types }: JournalReading, event: RecordedEvent): boolean =>
  (stream === undefined || event.stream === stream) &&
  (kinds === undefined || kinds.has(kindOf(event.stream))) &&
  (types === undefined || types.has(event.type))

/** Where a reading ends at this moment: 0 for a stream without events. With a filter it is the journal's end. */
export const endOf = (
  journal: Journal["Type"],
  { stream }: JournalReading
): Effect.Effect<Offset, JournalUnavailable> =>
  stream === undefined ? Effect.map(journal.head, ({ offset }) => offset) : journal.tailOf(stream)

/** Some of the next events of a reading, and how far it has got by them. */
export interface Page {
  readonly events: ReadonlyArray<RecordedEvent>
  readonly cursor: Offset
}

const pageSize = 256

/** The next page after a place, none of it beyond `upTo`. One stream is read by its own index. */
export const readPage = (
  journal: Journal["Type"],
  reading: JournalReading,
  after: Offset,
  upTo: Offset
): Effect.Effect<Page, JournalUnavailable> =>
  Effect.map(journal.read(after, pageSize, reading.stream), (found) => {
    const within = found.filter(({ offset }) => offset <= upTo)
    const isLast = found.length < pageSize || within.length < found.length
    const cursor = isLast ? upTo : (within.at(-1)?.offset ?? upTo)
    return { events: within.filter((event) => accepts(reading, event)), cursor }
  })

/**
 * The next page of what is new, from a place that is near the end: out of the newest events in memory, whatever the stream, so that a
 * hundred followers cost the store nothing.
 */
export const readNew = (
  journal: Journal["Type"],
  reading: JournalReading,
  after: Offset
): Effect.Effect<Page, JournalUnavailable> =>
  Effect.map(journal.read(after, pageSize), (found) => ({
    events: found.filter((event) => accepts(reading, event)),
    cursor: found.at(-1)?.offset ?? after
  }))
