/**
 * Folds a whole journal through the machines and reducers that are installed now, and says where today's code and the recorded past
 * disagree. It goes stream by stream, so that one actor is in memory at a time, however many there are; and since no stream knows of
 * another, stretches of them can be folded side by side.
 */
import { Array as Arr, Effect } from "effect"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { type Difference, LiveRows } from "../projections/LiveRows.js"
import { type Divergence, earliest, type PassOptions } from "./ReplayPass.js"
import {
  comparable,
  type ReplayedStretch,
  replayStretch,
  type Stretch,
  type StretchOptions
} from "./replayStretch.js"

export interface Replayed {
  readonly upTo: Offset
  readonly events: number
  readonly streams: number
  /** Actors by kind and state at the end. */
  readonly actors: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** How many streams diverge. */
  readonly divergedStreams: number
  /** The first of each stream, by offset; of many streams the earliest. */
  readonly divergences: ReadonlyArray<Divergence>
  readonly rows: ReadonlyArray<{ readonly projection: string; readonly rows: number }>
  /** Projections whose live rows were compared: a table that another version made is made anew at the next start. */
  readonly compared: ReadonlyArray<string>
  readonly differingRows: number
  /** Rows that the live table has and today's reducer makes otherwise, or the reverse; of many the first. */
  readonly differences: ReadonlyArray<Difference>
}

export interface ReplayOptions extends PassOptions {
  /** Where the past to look at ends; by default at the head. */
  readonly upTo?: Offset | undefined
  /** Compares the replayed rows with the store's tables; only possible up to the head. */
  readonly compare: boolean
  readonly onProgress?: (events: number, total: number) => void
  /** Into how many stretches the streams are cut, all but one of them for `aside`; by default it is all one. */
  readonly stretches?: number
  readonly aside?: Aside
}

/** Folds a stretch elsewhere. Undefined when it could not: it is then folded here. */
export type Aside = (
  store: SqliteStore["Type"],
  options: Omit<StretchOptions, keyof PassOptions> & Pick<PassOptions, "from"> & { readonly head: Offset },
  stretch: Stretch
) => Effect.Effect<ReplayedStretch | undefined>

export const replay = (
  store: SqliteStore["Type"],
  { aside, onProgress, stretches: wanted = 1, ...options }: ReplayOptions
): Effect.Effect<Replayed, JournalUnavailable> =>
  Effect.gen(function* () {
    const { offset: head } = yield* EventRows.head(store)
    const upTo = Math.min(options.upTo ?? head, head) as Offset
    const [own, ...others] = yield* cut(store, upTo, aside ? wanted : 1)
    const folded = [own, ...others].map(() => 0)
    const optionsOf = (index: number): StretchOptions => ({
      ...options,
      upTo,
      onProgress: (events) => {
        folded[index] = events
        onProgress?.(
          folded.reduce((sum, each) => sum + each, 0),
          upTo
        )
      }
    })
    const foldHere = (stretch: Stretch, index: number) => replayStretch(store, optionsOf(index), stretch)
    const foldAside = (stretch: Stretch, index: number) => {
      const { upTo, compare, from, onProgress } = optionsOf(index)
      const told = { upTo, compare, head, ...(from && { from }), ...(onProgress && { onProgress }) }
      return aside ? aside(store, told, stretch) : Effect.succeed(undefined)
    }
    const [here, elsewhere] = yield* Effect.all(
      [
        foldHere(own, 0),
        Effect.forEach(others, (each, index) => foldAside(each, index + 1), { concurrency: "unbounded" })
      ],
      { concurrency: "unbounded" }
    )
    const rest = yield* Effect.forEach(elsewhere, (part, index) =>
      part ? Effect.succeed(part) : foldHere(others[index] as Stretch, index + 1)
    )
    const parts = [here, ...rest]
    const rows = sumOf(parts.map((part) => part.rows))
    const live = new LiveRows(store, yield* comparable(store, options))
    yield* live.compareCounts(rows)
    return {
      upTo,
      events: sum(parts, ({ events }) => events),
      streams: sum(parts, ({ streams }) => streams),
      actors: actorsOf(parts),
      divergedStreams: sum(parts, ({ divergedStreams }) => divergedStreams),
      divergences: earliest(parts.flatMap(({ divergences }) => divergences)),
      rows: options.projections.map(({ name }) => ({ projection: name, rows: rows.get(name) ?? 0 })),
      compared: live.projections.map(({ name }) => name),
      differingRows: live.total + sum(parts, ({ differingRows }) => differingRows),
      differences: [...parts.flatMap(({ differences }) => differences), ...live.differences]
    }
  })

/** Stretches of about as many events each; fewer where there are fewer streams. */
const cut = (
  store: SqliteStore["Type"],
  upTo: Offset,
  wanted: number
): Effect.Effect<Arr.NonEmptyReadonlyArray<Stretch>, JournalUnavailable> =>
  Effect.gen(function* () {
    const places = Arr.makeBy(wanted - 1, (index) => Math.floor((upTo * (index + 1)) / wanted))
    const found = wanted < 2 ? [] : yield* Effect.forEach(places, (at) => EventRows.streamAt(store, at))
    const cuts = Arr.dedupe(found.filter((stream) => stream !== undefined))
    const stretches = cuts.map((last, index): Stretch => ({ after: cuts[index - 1] ?? "", last }))
    return Arr.append(stretches, { after: cuts.at(-1) ?? "", last: undefined })
  })

const sum = (parts: ReadonlyArray<ReplayedStretch>, count: (part: ReplayedStretch) => number): number =>
  parts.reduce((total, part) => total + count(part), 0)

type Counts = ReadonlyMap<string, number>

const sumOf = (all: ReadonlyArray<Counts>): Counts => {
  const total = new Map<string, number>()
  for (const counts of all) for (const [key, count] of counts) total.set(key, (total.get(key) ?? 0) + count)
  return total
}

const actorsOf = (parts: ReadonlyArray<ReplayedStretch>): ReadonlyMap<string, Counts> => {
  const kinds = new Set(parts.flatMap(({ actors }) => [...actors.keys()]))
  return new Map(
    [...kinds].map((kind) => [kind, sumOf(parts.map(({ actors }) => actors.get(kind) ?? new Map()))])
  )
}
