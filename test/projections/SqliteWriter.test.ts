import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { makeStreamId, type RecordedEvent } from "../../src/events/Event.js"
import { Journal } from "../../src/events/Journal.js"
import * as SqliteJournal from "../../src/events/SqliteJournal.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { type EventTypes, KnownEvents } from "../../src/events/Upcasters.js"
import { Writer } from "../../src/events/Writer.js"
import type { Projection } from "../../src/projections/Projection.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import { faultyStore, type StoreFate } from "../support/faultyStore.js"
import { happened, offset, temporaryFolder, testEventTypes } from "../support/stores.js"

/** Of each stream how many events it has and the fields of the newest; a `gone` event removes the row. */
const tally = (version: number, factor = 1): Projection => ({
  name: "tally",
  version,
  columns: { stream: "TEXT", events: "INTEGER", fields: "TEXT" },
  indexes: ["(events)"],
  keys: ({ stream }) => [stream],
  streamOf: (key) => makeStreamId(key, ""),
  reduce: (row, { data }: RecordedEvent, key) =>
    data.gone
      ? undefined
      : { stream: key, events: Number(row?.events ?? 0) + factor, fields: Object.keys(data).join() }
})

interface Opening {
  readonly projections?: ReadonlyArray<Projection>
  readonly known?: EventTypes
  readonly fates?: Array<StoreFate>
}

const opened = (
  path: string,
  { projections = [tally(1)], known = testEventTypes, fates = [] }: Opening = {}
) =>
  SqliteJournal.layer.pipe(
    Layer.provideMerge(SqliteWriter.layer(projections)),
    Layer.provide(faultyStore(() => fates.shift() ?? "works")),
    Layer.provide(Layer.succeed(KnownEvents, known)),
    Layer.provideMerge(SqliteStore.layer(path))
  )

const inFile = <E>(name: string, body: (path: string) => Effect.Effect<void, E>) =>
  it.live(name, () =>
    Effect.scoped(Effect.flatMap(temporaryFolder, (folder) => body(join(folder, "mound.db"))))
  )

const rows = (table = "tally") =>
  Effect.flatMap(SqliteStore.SqliteStore, (store) => store.read(`SELECT * FROM "${table}" ORDER BY stream`))

/** Ten streams of three events each, and one that is gone. */
const history = Effect.gen(function* () {
  const journal = yield* Journal
  for (let stream = 0; stream < 10; stream++) {
    yield* journal.append({ events: [1, 2, 3].map((at) => happened(`s/${stream}`, at)) })
  }
  yield* journal.append({ events: [happened("s/x", 1), happened("s/x", 2, { data: { gone: true } })] })
})

describe("A projection's table", () => {
  inFile("is rebuilt to the same digest while appends go on, and takes them in", (path) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const writer = yield* Writer
      // Several pages, so that appends get their turns between them.
      const long = Array.from({ length: 4_000 }, (_, n) => happened("s/long", n + 1))
      yield* Effect.forEach([0, 1_000, 2_000, 3_000], (from) =>
        journal.append({ events: long.slice(from, from + 1_000) })
      )
      const appending = Effect.forEach(
        Array.from({ length: 200 }, (_, n) => n),
        (n) => journal.append({ events: [happened("s/live", n + 1)] }),
        { discard: true }
      )
      const [rebuilt] = yield* Effect.all([writer.rebuild("tally"), appending], { concurrency: "unbounded" })
      expect(rebuilt.digest).toMatch(/^[0-9a-f]{64}$/)
      expect(rebuilt.liveDigest).toBe(rebuilt.digest)
      expect(rebuilt.offset).toBeGreaterThan(4_000)
      // Appends that came during the rebuild and after it are in the new table.
      expect((yield* rows()).find(({ stream }) => stream === "s/live")).toMatchObject({ events: 200 })
      const again = yield* writer.rebuild("tally")
      expect(again.liveDigest).toBe(again.digest)
    }).pipe(Effect.provide(opened(path)))
  )

  inFile("shows a difference when a live row is not what its events make", (path) =>
    Effect.gen(function* () {
      yield* history
      const store = yield* SqliteStore.SqliteStore
      yield* store.transaction((connection) =>
        connection.executeRaw("UPDATE tally SET events = 99 WHERE stream = 's/3'", [])
      )
      const writer = yield* Writer
      const rebuilt = yield* writer.rebuild("tally")
      expect(rebuilt.liveDigest).not.toBe(rebuilt.digest)
      expect((yield* rows())[3]).toMatchObject({ stream: "s/3", events: 3 })
    }).pipe(Effect.provide(opened(path)))
  )

  inFile("is made anew at the next start when its version is raised, and only then", (path) =>
    Effect.gen(function* () {
      yield* Effect.provide(history, opened(path))
      const tenfold = yield* Effect.provide(rows(), opened(path, { projections: [tally(1, 10)] }))
      expect(tenfold.map(({ events }) => events)).toEqual(Array(10).fill(3))
      const raised = yield* Effect.provide(rows(), opened(path, { projections: [tally(2, 10)] }))
      expect(raised.map(({ events }) => events)).toEqual(Array(10).fill(30))
    })
  )

  inFile(
    "stays as it was when its rebuild breaks off, wherever that is, and is whole after the next start",
    (path) =>
      Effect.gen(function* () {
        yield* Effect.provide(history, opened(path))
        const raised = [tally(2, 10)]
        // The journal's id, the empty table, the rows, the swap: each may be the last thing that a start does.
        for (const done of [1, 2, 3]) {
          const fates: Array<StoreFate> = [...Array<StoreFate>(done).fill("works"), "rolledBack"]
          const broken = yield* Effect.exit(
            Effect.provide(rows(), opened(path, { projections: raised, fates }))
          )
          expect(Exit.isFailure(broken) && String(broken.cause)).toContain("the disk failed")
          const live = yield* Effect.provide(rows(), SqliteStore.layerReadOnly(path))
          expect(live.map(({ events }) => events)).toEqual(Array(10).fill(3))
        }
        const whole = yield* Effect.provide(rows(), opened(path, { projections: raised }))
        expect(whole.map(({ events }) => events)).toEqual(Array(10).fill(30))
      })
  )

  inFile("is not touched by a batch that fails", (path) =>
    Effect.gen(function* () {
      const fates: Array<StoreFate> = []
      yield* Effect.gen(function* () {
        yield* history
        const journal = yield* Journal
        const before = yield* rows()
        fates.push("rolledBack")
        const failed = yield* Effect.exit(
          journal.append({ events: [happened("s/1", 4), happened("s/new", 1)] })
        )
        expect(Exit.isFailure(failed)).toBe(true)
        expect(yield* rows()).toEqual(before)
      }).pipe(Effect.provide(opened(path, { fates })))
    })
  )
})

describe("An event of an older shape", () => {
  /** As an older program knew it: `Changed` had one shape, and there was a type that is gone today. */
  const older: EventTypes = new Map([
    ["Happened", []],
    ["Changed", []],
    ["Forgotten", []]
  ])
  const changed = happened("s/1", 1, { type: "Changed", data: { first: true } })
  const writeOld = (path: string, event: typeof changed) =>
    Effect.flatMap(Journal, (journal) => journal.append({ events: [event] })).pipe(
      Effect.provide(opened(path, { known: older }))
    )

  inFile("reaches reducers in today's shape, and readers as it was stored", (path) =>
    Effect.gen(function* () {
      yield* writeOld(path, changed)
      yield* Effect.gen(function* () {
        expect(yield* rows()).toMatchObject([{ fields: "first,second,third" }])
        const journal = yield* Journal
        const [stored] = yield* journal.read(offset(0), 1)
        expect([stored?.schema, stored?.data]).toEqual([1, { first: true }])
      }).pipe(Effect.provide(opened(path, { projections: [tally(2)] })))
    })
  )

  inFile("is named, type and place, when this program does not know it", (path) =>
    Effect.gen(function* () {
      yield* writeOld(path, { ...changed, type: "Forgotten" })
      const unknown = yield* Effect.flip(Effect.provide(rows(), opened(path, { projections: [tally(2)] })))
      expect(unknown.message).toContain("offset 1 of s/1 is a Forgotten of schema 1")
      // Without a fold the journal is readable all the same.
      const [event] = yield* Effect.flatMap(Journal, (journal) => journal.read(offset(0), 1)).pipe(
        Effect.provide(opened(path))
      )
      expect(event?.type).toBe("Forgotten")
    })
  )
})
