/** Folds a stretch of a journal's streams through today's code, and compares the rows that they lead to with the live ones. */
import { Effect } from "effect"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { ioTurn } from "../events/ioTurn.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { type Difference, LiveRows } from "../projections/LiveRows.js"
import * as Tables from "../projections/Tables.js"
import { type Divergence, type PassOptions, ReplayPass } from "./ReplayPass.js"

/** Some of the streams, by name. */
export interface Stretch {
  /** They come after this one; empty for all from the first. */
  readonly after: string
  /** The last of them; undefined where they go on to the end. */
  readonly last: string | undefined
}

/** Plain values: it can go from one thread to another. */
export interface ReplayedStretch {
  readonly events: number
  readonly streams: number
  readonly actors: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly divergedStreams: number
  readonly divergences: ReadonlyArray<Divergence>
  /** Rows by projection. */
  readonly rows: ReadonlyMap<string, number>
  readonly differingRows: number
  readonly differences: ReadonlyArray<Difference>
}

export interface StretchOptions extends PassOptions {
  /** Where the past to look at ends. */
  readonly upTo: Offset
  /** Compares the replayed rows with the store's tables. */
  readonly compare: boolean
  /** Told after every page how many events were folded by then. */
  readonly onProgress?: (events: number) => void
}

const pageSize = 2_000

export const replayStretch = (
  store: SqliteStore["Type"],
  options: StretchOptions,
  { after, last }: Stretch
): Effect.Effect<ReplayedStretch, JournalUnavailable> =>
  Effect.gen(function* () {
    const pass = new ReplayPass(options)
    const live = new LiveRows(store, yield* comparable(store, options))
    let cursor: EventRows.StreamCursor = { stream: after, version: Number.MAX_SAFE_INTEGER }
    let events = 0
    for (;;) {
      const page = yield* EventRows.readByStream(store, cursor, options.upTo, pageSize, last)
      for (const event of page) pass.take(event)
      events += page.length
      cursor = page.at(-1) ?? cursor
      const isLast = page.length < pageSize
      if (isLast) pass.finishStream()
      yield* live.compare(pass.takeFinished())
      options.onProgress?.(events)
      if (isLast) break
      yield* ioTurn
    }
    const { streams, actors, divergedStreams, divergences, rowCounts: rows } = pass
    const { total: differingRows, differences } = live
    return { events, streams, actors, divergedStreams, divergences, rows, differingRows, differences }
  })

/** The projections whose live rows can be compared: a table that another version made is made anew at the next start. */
export const comparable = (
  store: SqliteStore["Type"],
  { projections, compare }: Pick<StretchOptions, "projections" | "compare">
) =>
  compare
    ? Effect.map(Tables.outdated(store, projections), (stale) =>
        projections.filter((each) => !stale.includes(each))
      )
    : Effect.succeed([])
