/**
 * Moves the old days of a journal into segments: only what nobody is in the middle of, and never past the newest event. The journal is
 * the same afterwards to everybody who reads it (contracts: hub 3.8).
 */
import { Effect } from "effect"
import type { Offset } from "../events/Event.js"
import { type Journal, type JournalUnavailable, offsetAtTime } from "../events/Journal.js"
import type { Segment } from "../events/Segment.js"
import type { Writer } from "../events/Writer.js"
import { refusal } from "../http/refusals.js"
import type { CallFailure } from "../http/serve.js"
import type { ReadRows } from "../projections/Projector.js"

export interface ArchiveRequest {
  /** Whole days before this instant, ms. */
  readonly before: number
  /** Whether the database's file gives back what it no longer needs. */
  readonly vacuum: boolean
}

export interface Archived {
  readonly segments: ReadonlyArray<Segment>
  readonly freedBytes: number
}

export interface ArchiveServices {
  readonly journal: Pick<Journal["Type"], "head" | "read">
  readonly rows: ReadRows
  readonly writer: Pick<Writer["Type"], "archive" | "vacuum">
  /** The last offset that an event says is archived. */
  readonly archivedTo: () => number
  readonly record: (segment: Segment) => Effect.Effect<unknown, CallFailure>
}

const dayMs = 86_400_000
/** How old a day must be for whoever does not say. */
export const archiveAfterMs = 30 * dayMs
const startOfDay = (at: number): number => Math.floor(at / dayMs) * dayMs

export const archiveJournal = (
  services: ArchiveServices,
  { before, vacuum }: ArchiveRequest
): Effect.Effect<Archived, CallFailure> =>
  Effect.gen(function* () {
    const { journal, writer, archivedTo, record } = services
    const { cut, heldBy } = yield* cutBefore(services, startOfDay(before))
    const segments: Array<Segment> = []
    for (let from = (archivedTo() + 1) as Offset; from <= cut; ) {
      const segment = yield* writer.archive(from, yield* endOfDay(journal, from, cut))
      yield* record(segment)
      segments.push(segment)
      from = (segment.toOffset + 1) as Offset
    }
    if (segments.length === 0 && !vacuum) {
      return yield* refusal({ _tag: "NothingToArchive", lowWater: archivedTo(), heldBy })
    }
    return { segments, freedBytes: vacuum ? yield* writer.vacuum : 0 }
  })

/** The last offset that may go, and the stream that keeps what comes after it, if it is one. */
const cutBefore = ({ journal, rows }: ArchiveServices, boundary: number) =>
  Effect.gen(function* () {
    const head = yield* journal.head
    const end = Math.min(yield* offsetAtTime(journal, boundary - 1), head.offset - 1)
    const open = yield* firstOpen(rows)
    return open && open.offset <= end
      ? { cut: open.offset - 1, heldBy: open.stream }
      : { cut: end, heldBy: null }
  })

/** Where the oldest thing begins that is still going on: a claim that is held, or a run that has not ended. */
const firstOpen = (rows: ReadRows): Effect.Effect<Open | undefined, JournalUnavailable> =>
  Effect.map(
    rows(
      `SELECT * FROM (
         SELECT 'claim/' || id AS stream, first_offset AS "offset" FROM claims
           WHERE peer IS NOT NULL AND state LIKE 'held.%' AND first_offset IS NOT NULL
         UNION ALL
         SELECT 'run/' || run_id, first_offset FROM workflow_runs WHERE ended_at IS NULL
       ) ORDER BY "offset" LIMIT 1`,
      []
    ),
    ([row]) => row as Open | undefined
  )

interface Open {
  readonly stream: string
  readonly offset: number
}

/** The last offset of the UTC day of an event, but not beyond the cut. */
const endOfDay = (journal: ArchiveServices["journal"], from: Offset, cut: number) =>
  Effect.gen(function* () {
    const [first] = yield* journal.read((from - 1) as Offset, 1)
    const end = yield* offsetAtTime(journal, startOfDay(first?.at ?? 0) + dayMs - 1)
    return Math.min(end, cut) as Offset
  })
