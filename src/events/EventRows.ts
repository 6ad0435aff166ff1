/**
 * The journal's tables as SQL: one statement per table and batch, whatever its size, since each statement
 * through the SQL layer costs more than a row.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { isArchived, readArchived } from "./ArchivedEvents.js"
import { type Offset, RecordedEvent, type StreamId, type Version } from "./Event.js"
import { emptyHead, type Head } from "./HashChain.js"
import { type Insertion, insertRows, type Value } from "./insertRows.js"
import type { Agenda, Deadline, JournalUnavailable } from "./Journal.js"
import { randomHex } from "./randomHex.js"
import type { Row, SqliteStore } from "./SqliteStore.js"
import type { Block } from "./segmentFormat.js"

type Store = SqliteStore["Type"]

const columns = [
  `"offset"`,
  "stream",
  "version",
  "type",
  "schema",
  "at",
  "state",
  `"by"`,
  "command_id",
  "causation",
  "correlation",
  "data",
  "hash"
]

const eventInsertion: Insertion = { table: "events", columns }

const select = `SELECT ${columns.map((column) => `events.${column}`).join(", ")}`

export const insert = (
  connection: Connection,
  events: ReadonlyArray<RecordedEvent>
): Effect.Effect<void, SqlError> => insertRows(connection, eventInsertion, events.map(eventValues))

const eventValues = (event: RecordedEvent) => [
  event.offset,
  event.stream,
  event.version,
  event.type,
  event.schema,
  event.at,
  event.state,
  event.by,
  event.commandId,
  event.causation,
  event.correlation,
  event.dataJson,
  event.hash
]

/** Puts recorded events into a new store as they are, offsets and hashes included. */
export const copyInto = (
  store: Store,
  events: ReadonlyArray<RecordedEvent>
): Effect.Effect<void, JournalUnavailable> => store.transaction((connection) => insert(connection, events))

/** A row that this program wrote and the hash chain covers: it is not decoded again, only shaped. In the order of `columns`. */
const toEvent = (values: ReadonlyArray<unknown>): RecordedEvent =>
  new RecordedEvent({
    offset: values[0] as Offset,
    stream: values[1] as StreamId,
    version: values[2] as Version,
    type: values[3] as string,
    schema: values[4] as number,
    at: values[5] as number,
    state: values[6] as string,
    by: values[7] as string,
    commandId: values[8] as string,
    causation: values[9] as Offset | null,
    correlation: values[10] as string | null,
    dataJson: values[11] as string,
    hash: values[12] as string
  })

/** The events that a query is about, which goes on from `FROM`; those that are archived come from their segments. */
const readEvents = (
  store: Store,
  from: string,
  parameters: ReadonlyArray<unknown>
): Effect.Effect<ReadonlyArray<RecordedEvent>, JournalUnavailable> =>
  Effect.flatMap(store.readValues(`${select} ${from}`, parameters), (rows) => {
    const events = rows.map(toEvent)
    return events.some(isArchived)
      ? Effect.forEach(events, (event) =>
          isArchived(event) ? readArchived(store, event) : Effect.succeed(event)
        )
      : Effect.succeed(events)
  })

export const readAfter = (store: Store, after: Offset, limit: number) =>
  readEvents(store, `FROM events WHERE "offset" > ? ORDER BY "offset" LIMIT ?`, [after, limit])

/** Versions rise with offsets, so the stream's own index gives the order. */
export const readStreamAfter = (store: Store, stream: StreamId, after: Offset, limit: number) =>
  readEvents(store, `FROM events WHERE stream = ? AND "offset" > ? ORDER BY version LIMIT ?`, [
    stream,
    after,
    limit
  ])

/** Where a stream ends; 0 when it has no events. */
export const tailOf = (store: Store, stream: StreamId): Effect.Effect<Offset, JournalUnavailable> =>
  Effect.map(
    store.read(`SELECT "offset" FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1`, [stream]),
    ([row]) => (row?.offset ?? 0) as Offset
  )

/** The newest event of a type, if there is one. It looks at events from the end: for types that are rare and looked for rarely. */
export const newestOfType = (
  store: Store,
  type: string
): Effect.Effect<RecordedEvent | undefined, JournalUnavailable> =>
  Effect.map(
    readEvents(store, `FROM events WHERE type = ? ORDER BY "offset" DESC LIMIT 1`, [type]),
    ([event]) => event
  )

/** Every event of a type, in order, under the same condition. */
export const allOfType = (
  store: Store,
  type: string
): Effect.Effect<ReadonlyArray<RecordedEvent>, JournalUnavailable> =>
  readEvents(store, `FROM events WHERE type = ? ORDER BY "offset"`, [type])

// CROSS JOIN makes SQLite look up each wanted stream, not scan the events for them.
const ofStreams = `FROM json_each(?) AS wanted CROSS JOIN events
  ON events.stream = wanted.value ->> 0 AND events.version > wanted.value ->> 1
  ORDER BY events.stream, events.version LIMIT ?`

export const readStreams = (
  store: Store,
  tails: ReadonlyArray<{ readonly stream: StreamId; readonly after: Version }>,
  limit = -1
) => readEvents(store, ofStreams, [JSON.stringify(tails.map(({ stream, after }) => [stream, after])), limit])

/** Where a reading in stream order stands. */
export interface StreamCursor {
  readonly stream: string
  readonly version: number
}

export const streamStart: StreamCursor = { stream: "", version: 0 }

/**
 * The events up to an offset by stream and version, whatever their order in time: a fold needs one stream in memory only. With `last`
 * none of a stream beyond that one.
 */
export const readByStream = (store: Store, after: StreamCursor, upTo: Offset, limit: number, last?: string) =>
  readEvents(
    store,
    `FROM events WHERE (stream, version) > (?, ?) ${last === undefined ? "" : "AND stream <= ?"}
     AND "offset" <= ? ORDER BY stream, version LIMIT ?`,
    [after.stream, after.version, ...(last === undefined ? [] : [last]), upTo, limit]
  )

/** The stream of the event at a place in the order of streams and versions, from 0. */
export const streamAt = (
  store: Store,
  place: number
): Effect.Effect<string | undefined, JournalUnavailable> =>
  Effect.map(
    store.read("SELECT stream FROM events ORDER BY stream, version LIMIT 1 OFFSET ?", [place]),
    ([row]) => row?.stream as string | undefined
  )

export const byCommands = (store: Store, commandIds: ReadonlyArray<string>) =>
  readEvents(store, `FROM events WHERE command_id IN (SELECT value FROM json_each(?)) ORDER BY "offset"`, [
    JSON.stringify(commandIds)
  ])

export const head = (store: Store): Effect.Effect<Head, JournalUnavailable> =>
  Effect.map(store.read(`SELECT "offset", hash, at FROM events ORDER BY "offset" DESC LIMIT 1`), ([row]) =>
    row ? { offset: row.offset as Offset, hash: row.hash as string, at: row.at as number } : emptyHead
  )

/** The current version of each stream, as the transaction sees it; a new stream has none. */
export const versions = (
  connection: Connection,
  streams: ReadonlySet<StreamId>
): Effect.Effect<Map<StreamId, Version>, SqlError> =>
  Effect.map(
    connection.execute(
      `SELECT wanted.value AS stream, (SELECT max(version) FROM events WHERE stream = wanted.value) AS version
       FROM json_each(?) wanted`,
      [JSON.stringify([...streams])],
      undefined
    ),
    (rows) => new Map(rows.map((row) => [row.stream as StreamId, (row.version ?? 0) as Version]))
  )

const blockInsertion: Insertion = {
  table: "archive_blocks",
  columns: ["first_offset", "file", "position", "bytes"],
  suffix: `ON CONFLICT (first_offset) DO UPDATE SET
    file = excluded.file, position = excluded.position, bytes = excluded.bytes`
}

/** Tells where events that are in a segment are to be found from now on. */
export const insertBlocks = (connection: Connection, file: string, blocks: ReadonlyArray<Block>) =>
  insertRows(
    connection,
    blockInsertion,
    blocks.map(({ firstOffset, position, bytes }) => [firstOffset, file, position, bytes])
  )

/** Takes out of the rows of a stretch what stands in its segment: they keep their places and what they are found by. */
export const emptyRows = (connection: Connection, from: Offset, to: Offset): Effect.Effect<void, SqlError> =>
  connection
    .executeRaw(
      `UPDATE events SET state = '', "by" = '', causation = NULL, correlation = NULL, data = '', hash = ''
       WHERE "offset" BETWEEN ? AND ? AND data <> ''`,
      [from, to]
    )
    .pipe(Effect.asVoid)

const agendaInsertion: Insertion = {
  table: "agendas",
  columns: ["stream", "what", "id", "due_at", "event", "armed_by", "correlation"]
}

/** Puts the agendas of these streams in place of what they were; an empty one leaves no row. */
export const replaceAgendas = (
  connection: Connection,
  agendas: ReadonlyArray<Agenda>
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    if (agendas.length === 0) return
    const streams = JSON.stringify(agendas.map(({ stream }) => stream))
    yield* connection.executeRaw("DELETE FROM agendas WHERE stream IN (SELECT value FROM json_each(?))", [
      streams
    ])
    // A stream may be in the batch twice; what counts is how the batch leaves it.
    const last = new Map(agendas.map((agenda) => [agenda.stream, agenda]))
    const rows = [...last.values()].flatMap(agendaValues)
    yield* insertRows(connection, agendaInsertion, rows)
  })

const agendaValues = ({ stream, deadlines, invocations }: Agenda): ReadonlyArray<ReadonlyArray<Value>> => [
  ...deadlines.map(({ id, dueAt, event, armedBy, correlation }) => [
    stream,
    "deadline",
    id,
    dueAt,
    JSON.stringify(event),
    armedBy,
    correlation
  ]),
  ...invocations.map((id) => [stream, "invocation", id, null, null, null, null])
]

export const agendas = (store: Store): Effect.Effect<ReadonlyArray<Agenda>, JournalUnavailable> =>
  Effect.map(store.read(`SELECT * FROM agendas ORDER BY stream, what, id`), (rows) => {
    const found = new Map<StreamId, { deadlines: Array<Deadline>; invocations: Array<string> }>()
    for (const row of rows) {
      const stream = row.stream as StreamId
      const agenda = found.get(stream) ?? { deadlines: [], invocations: [] }
      found.set(stream, agenda)
      if (row.what === "deadline") agenda.deadlines.push(toDeadline(row))
      else agenda.invocations.push(row.id as string)
    }
    return [...found].map(([stream, agenda]) => ({ stream, ...agenda }))
  })

const toDeadline = (row: Row): Deadline => ({
  id: row.id as string,
  dueAt: row.due_at as number,
  event: JSON.parse(row.event as string) as Deadline["event"],
  armedBy: row.armed_by as Offset,
  correlation: row.correlation as string | null
})

/** Gives a restored journal an identity of its own: followers of the other history are told, never fooled. */
export const renewJournalId = (store: Store, journalId: string): Effect.Effect<void, JournalUnavailable> =>
  store
    .transaction((connection) =>
      connection.executeRaw(`INSERT OR REPLACE INTO meta (key, value) VALUES ('journal_id', ?)`, [journalId])
    )
    .pipe(Effect.asVoid)

/** The journal's identity, made when its store is first opened for writing. */
export const makeJournalId = (store: Store): Effect.Effect<void, JournalUnavailable> =>
  Effect.gen(function* () {
    const fresh = yield* randomHex(32)
    yield* store.transaction((connection) =>
      connection.executeRaw(`INSERT OR IGNORE INTO meta (key, value) VALUES ('journal_id', ?)`, [fresh])
    )
  })

export const journalId = (store: Store): Effect.Effect<string, JournalUnavailable> =>
  Effect.map(store.read(`SELECT value FROM meta WHERE key = 'journal_id'`), ([row]) => String(row?.value))
