import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Journal } from "../../src/events/Journal.js"
import * as SqliteJournal from "../../src/events/SqliteJournal.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { Writer } from "../../src/events/Writer.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import { happened, offset, temporaryFolder, testEvents } from "../support/stores.js"

/** A journal in a file, and how many batches each of its commits carried. */
const openCounted = Effect.gen(function* () {
  const path = join(yield* temporaryFolder, "mound.db")
  const commits: Array<number> = []
  const counting = Layer.map(SqliteWriter.layer([]), (context) => {
    const writer = Context.get(context, Writer)
    return Context.make(Writer, {
      ...writer,
      commit: (batches) => {
        commits.push(batches.length)
        return writer.commit(batches)
      }
    })
  })
  const built = yield* SqliteJournal.layer.pipe(
    Layer.provide(counting),
    Layer.provide(Layer.merge(SqliteStore.layer(path), testEvents)),
    Layer.build
  )
  return { journal: Context.get(built, Journal), commits }
})

describe("appends", () => {
  it.scopedLive("that are made together share one commit, also when the writer never waits", () =>
    Effect.gen(function* () {
      const { journal, commits } = yield* openCounted
      const streams = Array.from({ length: 64 }, (_, n) => `a/${n}`)
      yield* Effect.forEach(streams, (stream) => journal.append({ events: [happened(stream, 1)] }), {
        concurrency: "unbounded"
      })
      expect(commits).toEqual([64])
      expect(yield* journal.read(offset(0), 100)).toHaveLength(64)
    })
  )
})
