/**
 * The write side of a store: the one place that appends, on this thread or on another. Alone responsible for committing a group of
 * batches with all that belongs to them in one durable transaction.
 */
import { Context, type Effect } from "effect"
import type { EncodedEvent, Offset } from "./Event.js"
import type { Head } from "./HashChain.js"
import type { Agenda, JournalUnavailable, VersionConflict } from "./Journal.js"
import type { Segment } from "./Segment.js"
import type { Snapshot } from "./Snapshots.js"
import type { UnknownEvent } from "./Upcasters.js"

export interface EncodedBatch {
  readonly events: ReadonlyArray<EncodedEvent>
  readonly agendas: ReadonlyArray<Agenda>
}

/** Where a batch's events came to stand: the first one's offset, and the hash of each. */
export interface Committed {
  readonly first: Offset
  readonly hashes: ReadonlyArray<string>
}

/** A projection that was made anew. */
export interface Rebuilt {
  readonly name: string
  readonly version: number
  readonly offset: Offset
  readonly rows: number
  /** Of the new rows and of the live ones that they replaced, at that offset; null where comparing them would take long. */
  readonly digest: string | null
  readonly liveDigest: string | null
}

export class Writer extends Context.Tag("mound/Writer")<
  Writer,
  {
    /** Where the journal ends. After a failure this is asked of the store, opened anew. */
    readonly head: Effect.Effect<Head, JournalUnavailable>
    /** Appends batches in one transaction. Each is taken whole or answered with its conflict; the others go on. */
    readonly commit: (
      batches: ReadonlyArray<EncodedBatch>
    ) => Effect.Effect<ReadonlyArray<Committed | VersionConflict>, JournalUnavailable>
    readonly saveSnapshots: (snapshots: ReadonlyArray<Snapshot>) => Effect.Effect<void, JournalUnavailable>
    /** Makes a projection's table anew while appends go on. */
    readonly rebuild: (projection: string) => Effect.Effect<Rebuilt, JournalUnavailable | UnknownEvent>
    /**
     * Moves a stretch of the journal, or the first part of a large one, into a segment while appends go on. What was interrupted is taken
     * up where it was: a file that is there already is checked and used.
     */
    readonly archive: (from: Offset, upTo: Offset) => Effect.Effect<Segment, JournalUnavailable>
    /** Gives back to the file system what the database no longer needs, while appends go on; how many bytes. */
    readonly vacuum: Effect.Effect<number, JournalUnavailable>
  }
>() {}
