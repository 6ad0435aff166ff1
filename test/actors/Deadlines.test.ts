import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { Deadlines } from "../../src/actors/Deadlines.js"
import type { ActorState } from "../../src/actors/fold.js"
import type { Deadline } from "../../src/events/Journal.js"
import { offset, stream } from "../support/stores.js"

const dayMs = 86_400_000

/** An actor's state with one deadline, armed by the event at this offset. */
const armedBy = (id: string, at: number, dueAt: number) => {
  const deadline = { id: "expiry", dueAt, event: { type: "Expired" }, armedBy: offset(at), correlation: null }
  return { stream: stream(`claim/${id}`), at: 0, deadlines: [deadline] } as unknown as ActorState
}

describe("Deadlines", () => {
  it.effect("keep no more of those that were cancelled than of those that are armed", () =>
    Effect.gen(function* () {
      const delivered: Array<Deadline> = []
      let now = 0
      const deadlines = new Deadlines({
        now: () => now,
        deliver: (_stream, deadline) =>
          Effect.sync(() => {
            delivered.push(deadline)
            return "settled" as const
          })
      })
      const renewals = 50_000
      for (let n = 1; n <= renewals; n++) deadlines.update(armedBy(`c${n % 10}`, n, dayMs + n), undefined)
      expect(deadlines.size).toBe(10)
      expect(deadlines.held).toBeLessThan(2_100)

      yield* Effect.fork(deadlines.run(Effect.void))
      now = 2 * dayMs
      yield* TestClock.adjust(2_000)
      expect(delivered.map(({ armedBy }) => armedBy)).toEqual(
        Array.from({ length: 10 }, (_, index) => renewals - 9 + index)
      )
    })
  )
})
