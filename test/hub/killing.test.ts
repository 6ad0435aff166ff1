import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { killAt, type Place, sampleEvents } from "../support/killing.js"

/** A sample of all places; `npm run kill-everywhere` walks them all. Together they kill a choice, a call, an answer, and the end. */
const places: ReadonlyArray<Place> = [
  { when: "after", event: 2, whom: "hub" },
  { when: "after", event: 7, whom: "both" },
  { when: "before", event: 8, whom: "hub" },
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

  for (const place of places) {
    it.scopedLive(`goes on exactly: ${place.whom} killed ${place.when} event ${place.event}`, () =>
      Effect.map(killAt(place), ({ problems }) => expect(problems).toEqual([]))
    )
  }
})
