import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { killAt, type Place, sampleEvents } from "../support/killing.js"

/** A sample of all places; `npm run kill-everywhere` walks them all. Together they kill a choice, a call, an answer, and the end. */
const places: ReadonlyArray<Place> = [
  { when: "after", event: 2, whom: "hub" },
  { when: "after", event: 7, whom: "both" },
  { when: "after", event: 13, whom: "worker" },
  { when: "after", event: sampleEvents, whom: "hub" }
]

describe("a run that is killed", () => {
  it.scopedLive("is what it should be when nothing dies", () =>
    Effect.gen(function* () {
      const { problems, events, calls } = yield* killAt()
      expect(problems).toEqual([])
      expect([events.length, calls]).toEqual([sampleEvents, 7])
    })
  )

  it.scopedLive("records an answer that its worker had written down, and does not call the role again", () =>
    Effect.gen(function* () {
      // Before the second step is committed: the answer is in the outbox, and nowhere else.
      const { problems, events, calls } = yield* killAt({ when: "before", event: 8, whom: "hub" })
      expect(problems).toEqual([])
      const recovered = events.filter(({ data }) => data.recoveredFrom === "outbox")
      expect(recovered.map(({ data }) => data.round)).toEqual([2])
      expect(calls).toBe(7)
      expect(events.some(({ type }) => type === "RoleAttemptAbandoned")).toBe(false)
    })
  )

  for (const place of places) {
    it.scopedLive(`goes on exactly: ${place.whom} killed ${place.when} event ${place.event}`, () =>
      Effect.map(killAt(place), ({ problems }) => expect(problems).toEqual([]))
    )
  }
})
