import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, Layer, Stream } from "effect"
import fc from "fast-check"
import { ChainVerifier } from "../../src/events/HashChain.js"
import { follow, Journal } from "../../src/events/Journal.js"
import * as SqliteJournal from "../../src/events/SqliteJournal.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import { faultyStore, type StoreFate } from "../support/faultyStore.js"
import { happened, offset, stream, temporaryFolder, testEvents, version } from "../support/stores.js"

const fates: fc.Arbitrary<StoreFate> = fc.constantFrom(
  "works",
  "works",
  "works",
  "rolledBack",
  "unreported",
  "full"
)

/** A journal in a file whose commits go as the fates say, then as they should. */
const journalWith = (path: string, coming: Array<StoreFate>, isArmed: () => boolean) =>
  SqliteJournal.layer.pipe(
    Layer.provide(SqliteWriter.layer([])),
    Layer.provide(faultyStore(() => (isArmed() ? (coming.shift() ?? "works") : "works"))),
    Layer.provide(testEvents),
    Layer.provide(SqliteStore.layer(path)),
    Layer.orDie
  )

describe("Followers of a journal", () => {
  it.live(
    "see each committed event once and in order from their own cursors, and nothing that is not committed",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fates, { minLength: 5, maxLength: 30 }),
            fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }),
            (coming, cursors) => Effect.runPromise(Effect.scoped(live(coming, cursors)))
          ),
          { numRuns: 6 }
        )
      )
  )
})

const callers = 6
const appendsEach = 12

/** Callers append at once, each to a stream of its own, trying again what failed, while followers read along. */
const live = (coming: Array<StoreFate>, cursors: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    let isArmed = false
    const layer = journalWith(join(folder, "mound.db"), coming, () => isArmed)
    yield* Effect.gen(function* () {
      const journal = yield* Journal
      isArmed = true
      const total = callers * appendsEach
      const following = yield* Effect.forEach(cursors, (cursor) =>
        Effect.fork(Stream.runCollect(Stream.take(follow(journal, offset(cursor)), total - cursor)))
      )
      yield* Effect.forEach(
        Array.from({ length: callers }, (_, n) => n),
        (n) => appendAll(journal, `s/${n}`),
        { concurrency: "unbounded", discard: true }
      )
      const all = yield* journal.read(offset(0), 1_000)
      expect(all).toHaveLength(total)
      expect(new ChainVerifier().check(all)).toBeUndefined()
      for (const [index, seen] of (yield* Fiber.joinAll(following)).entries()) {
        const wanted = all.slice(cursors[index]).map(({ json }) => json)
        expect(Chunk.toReadonlyArray(seen).map(({ json }) => json)).toEqual(wanted)
      }
    }).pipe(Effect.provide(layer))
  })

/** Appends a stream's events in order. After a failure the journal itself says whether the event is there. */
const appendAll = (journal: Journal["Type"], name: string) =>
  Effect.gen(function* () {
    for (let at = 1; at <= appendsEach; ) {
      const exit = yield* Effect.exit(journal.append({ events: [happened(name, at)] }))
      if (Exit.isSuccess(exit)) at += 1
      else {
        yield* journal.byCommands([`${name}-${at}`])
        const there = yield* journal.readStreams([{ stream: stream(name), after: version(at - 1) }])
        at += there.length
      }
    }
  })
