/** The real writer, with a hand on it: commits can be held back for a while, or fail as a full disk makes them fail. */
import { Effect, Layer } from "effect"
import { JournalUnavailable } from "../../src/events/Journal.js"
import { Writer } from "../../src/events/Writer.js"
import * as inlineWriter from "../../src/hub/inlineWriter.js"

export const makeHeldWriter = () => {
  const gate = Effect.unsafeMakeLatch(true)
  let isFull = false
  let untilHeld = Number.POSITIVE_INFINITY
  const full = () => new JournalUnavailable({ reason: "enospc", detail: "database or disk is full" })
  const held = (inner: Writer["Type"]): Writer["Type"] => ({
    ...inner,
    commit: (batches) =>
      Effect.gen(function* () {
        if (untilHeld === 0) yield* gate.close
        untilHeld -= 1
        yield* gate.await
        return yield* isFull ? full() : inner.commit(batches)
      })
  })
  return {
    writer: (path: string) =>
      Layer.effect(Writer, Effect.map(Writer, held)).pipe(Layer.provide(inlineWriter.layer(path))),
    hold: () => Effect.runSync(gate.close),
    /** Holds every commit after the next so many. */
    holdAfter: (commits: number) => {
      untilHeld = commits
    },
    release: () => {
      untilHeld = Number.POSITIVE_INFINITY
      Effect.runSync(gate.open)
    },
    fill: () => {
      isFull = true
    },
    empty: () => {
      isFull = false
    }
  }
}
