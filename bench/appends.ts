/** Appends through the journal beside SQLite alone: the same rows in the same table, every transaction synced to disk. */
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import type { NewEvent, Offset, StreamId, Version } from "../src/events/Event.js"
import { Journal } from "../src/events/Journal.js"
import * as SqliteJournal from "../src/events/SqliteJournal.js"
import * as SqliteStore from "../src/events/SqliteStore.js"
import { KnownEvents } from "../src/events/Upcasters.js"
import type { Writer } from "../src/events/Writer.js"
import { layer as inlineWriter } from "../src/hub/inlineWriter.js"
import { layer as threadedWriter } from "../src/hub/ThreadedWriter.js"
import { knownEvents } from "../src/replay/installed.js"
import { type Figure, leastRatio, type Target } from "./Figure.js"
import { openRawEvents } from "./RawEvents.js"
import { alternate, median, rateOf } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { temporaryFolder } from "./temporaryFolder.js"

const targets: ReadonlyMap<number, Target> = new Map([
  [1, leastRatio(0.5)],
  [256, leastRatio(0.25)]
])
/** What group commit is measured against: so many rows a transaction. */
const rawBatch = 100

export const appends: Scenario = {
  name: "appends",
  about: "appends through the journal beside raw better-sqlite3",
  run: ({ sizes: { rounds, roundMs } }) =>
    Effect.gen(function* () {
      const threaded = yield* openAppender(threadedWriter)
      const inline = yield* openAppender(inlineWriter)
      const raw = yield* openRawEvents
      const figures: Array<Figure> = []
      for (const callers of [1, 32, 256]) {
        const rows = callers === 1 ? 1 : rawBatch
        const rates = yield* alternate(rounds, {
          threaded: rateOf(callers, roundMs, threaded),
          inline: rateOf(callers, roundMs, inline),
          raw: Effect.sync(() => raw.rateOf(rows, roundMs))
        })
        const beside = {
          what: rows === 1 ? "raw, one by one" : `raw, batches of ${rows}`,
          value: median(rates.raw)
        }
        const target = targets.get(callers)
        const what = `${callers} ${callers === 1 ? "caller" : "callers"}`
        figures.push(
          { what, value: median(rates.threaded), unit: "events/s", beside, ...(target && { target }) },
          { what: `${what}, writer inline`, value: median(rates.inline), unit: "events/s", beside }
        )
      }
      return figures
    })
}

/** Appends an event to the caller's own stream, through a journal of its own with this writer. */
const openAppender = <E>(
  writer: (path: string) => Layer.Layer<Writer, E>
): Effect.Effect<(caller: number) => Effect.Effect<unknown>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const path = join(yield* temporaryFolder, "mound.db")
    const writing = yield* Layer.build(writer(path))
    const built = yield* SqliteJournal.layer.pipe(
      Layer.provide(Layer.succeedContext(writing)),
      Layer.provide(Layer.merge(SqliteStore.layerReadOnly(path), Layer.succeed(KnownEvents, knownEvents))),
      Layer.build
    )
    const journal = Context.get(built, Journal)
    const versions: Array<number> = []
    return (caller: number) => {
      const version = (versions[caller] ?? 0) + 1
      versions[caller] = version
      return Effect.orDie(journal.append({ events: [renewal(caller, version)] }))
    }
  }).pipe(Effect.orDie)

/** An event as a busy hub has many. Its stream is no claim's, so no projection has a row of it: this is the journal alone. */
const renewal = (caller: number, version: number): NewEvent => ({
  stream: `appended/${caller}` as StreamId,
  version: version as Version,
  type: "ClaimRenewed",
  schema: 1,
  at: 1_750_000_000_000 + version,
  state: "held.active",
  by: "token:1",
  commandId: `${String(version).padStart(12, "0")}-${caller}`,
  causation: null,
  correlation: `${version}`,
  data: { token: 1 as Offset }
})
