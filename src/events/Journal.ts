/**
 * The append-only store that everything else is a view of. Alone responsible for the order of events (offsets
 * without gaps), for appending a batch whole or not at all, and for acknowledging nothing that is not durable.
 */
import { Chunk, Context, Effect, Option, Schema, Stream } from "effect"
import { type NewEvent, type Offset, type RecordedEvent, StreamId, Version } from "./Event.js"
import type { Head } from "./HashChain.js"

/** A durable timer: `event` is due at `dueAt` unless the machine cancels it first. */
export interface Deadline {
  readonly id: string
  readonly dueAt: number
  readonly event: { readonly type: string; readonly [key: string]: unknown }
  /** Offset of the event that armed it: a later arming under the same id is another deadline. */
  readonly armedBy: Offset
  readonly correlation: string | null
}

/** What a restart must take up for a stream: its armed deadlines and the ids of its running invocations. */
export interface Agenda {
  readonly stream: StreamId
  readonly deadlines: ReadonlyArray<Deadline>
  readonly invocations: ReadonlyArray<string>
}

/** Events of one or more streams, each stating the version it is to take, and the agendas they lead to. */
export interface Batch {
  readonly events: ReadonlyArray<NewEvent>
  /** The whole agenda of every stream whose agenda changes. */
  readonly agendas?: ReadonlyArray<Agenda>
}

/** A stream is not where the batch expects it; nothing of the batch was appended. */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  stream: StreamId,
  expected: Version,
  actual: Version
}) {
  override get message() {
    return `${this.stream} is at version ${this.actual}, not ${this.expected}: read it again and decide anew`
  }
}

/**
 * The store could not be read or written. After a failed append the outcome is unknown until `byCommands`
 * has answered from the reopened store.
 */
export class JournalUnavailable extends Schema.TaggedError<JournalUnavailable>()("JournalUnavailable", {
  reason: Schema.Literal("enospc", "io", "corrupt", "readonly", "missing"),
  detail: Schema.String
}) {
  override get message() {
    return `the journal cannot be used (${this.reason}): ${this.detail}`
  }
}

export class Journal extends Context.Tag("mound/Journal")<
  Journal,
  {
    /** Identifies this history: made with the store and renewed by a restore, never by a restart. */
    readonly journalId: string
    /** The newest committed event's place. */
    readonly head: Effect.Effect<Head, JournalUnavailable>
    /** Appends a batch whole, in one fsynced transaction with its agendas and projection rows. */
    readonly append: (
      batch: Batch
    ) => Effect.Effect<ReadonlyArray<RecordedEvent>, VersionConflict | JournalUnavailable>
    /** At most `limit` committed events after an offset, in order: of all streams, or of one. */
    readonly read: (
      after: Offset,
      limit: number,
      stream?: StreamId
    ) => Effect.Effect<ReadonlyArray<RecordedEvent>, JournalUnavailable>
    /** Offset of a stream's newest event; 0 when it has none. */
    readonly tailOf: (stream: StreamId) => Effect.Effect<Offset, JournalUnavailable>
    /** The events of streams after the given versions, by stream and version. */
    readonly readStreams: (
      tails: ReadonlyArray<{ readonly stream: StreamId; readonly after: Version }>,
      limit?: number
    ) => Effect.Effect<ReadonlyArray<RecordedEvent>, JournalUnavailable>
    /** The events that commands of these ids led to, in order. */
    readonly byCommands: (
      commandIds: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<RecordedEvent>, JournalUnavailable>
    /** All agendas, for a restart. */
    readonly agendas: Effect.Effect<ReadonlyArray<Agenda>, JournalUnavailable>
    /** Completes when the head is beyond an offset. Carries no data: the follower reads from its own cursor. */
    readonly awaitBeyond: (after: Offset) => Effect.Effect<void>
  }
>() {}

const pageSize = 256

/** Every event after an offset, then live, each once and in order. A slow consumer only delays itself. */
export const follow = (
  journal: Journal["Type"],
  after: Offset
): Stream.Stream<RecordedEvent, JournalUnavailable> =>
  Stream.unfoldChunkEffect(after, (cursor) =>
    Effect.gen(function* () {
      yield* journal.awaitBeyond(cursor)
      const page = yield* journal.read(cursor, pageSize)
      return Option.some([Chunk.unsafeFromArray(page), page.at(-1)?.offset ?? cursor] as const)
    })
  )

/** As `follow` has it, but a page at a time: for who looks at few of the events, and whom a stream would cost more than its work. */
export const forEachPage = <E, R>(
  journal: Journal["Type"],
  after: Offset,
  work: (page: ReadonlyArray<RecordedEvent>) => Effect.Effect<void, E, R>
): Effect.Effect<never, E | JournalUnavailable, R> =>
  Effect.gen(function* () {
    let cursor = after
    for (;;) {
      yield* journal.awaitBeyond(cursor)
      const page = yield* journal.read(cursor, pageSize)
      yield* work(page)
      cursor = page.at(-1)?.offset ?? cursor
    }
  })

/** Moves the versions past a batch's events, or leaves them as they were and says where the batch does not fit. */
export const advance = (
  versions: Map<StreamId, Version>,
  events: ReadonlyArray<{ readonly stream: StreamId; readonly version: Version }>
): VersionConflict | undefined => {
  const moved = new Map<StreamId, Version>()
  for (const { stream, version } of events) {
    const actual = moved.get(stream) ?? versions.get(stream) ?? (0 as Version)
    if (version !== actual + 1) {
      return new VersionConflict({ stream, expected: (version - 1) as Version, actual })
    }
    moved.set(stream, version)
  }
  for (const [stream, version] of moved) versions.set(stream, version)
  return undefined
}

/** The offset at which a journal stood at an instant: of the newest event that is not younger. */
export const offsetAtTime = (
  journal: Pick<Journal["Type"], "head" | "read">,
  at: number
): Effect.Effect<Offset, JournalUnavailable> =>
  Effect.gen(function* () {
    let known = 0
    let younger = (yield* journal.head).offset + 1
    // Times never fall from one event to the next, so halving finds the place.
    while (known + 1 < younger) {
      const middle = (known + younger) >> 1
      const [event] = yield* journal.read((middle - 1) as Offset, 1)
      if (event && event.at <= at) known = middle
      else younger = middle
    }
    return known as Offset
  })
