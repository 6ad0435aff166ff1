import { createHash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { claimUpcasters } from "../../src/actors/claim/ClaimEvent.js"
import type { ActorState } from "../../src/actors/fold.js"
import { kindOf, type Offset, type StreamId } from "../../src/events/Event.js"
import * as EventRows from "../../src/events/EventRows.js"
import { histories, knownEvents, projections } from "../../src/replay/installed.js"
import { replay } from "../../src/replay/replay.js"
import { digestsOf, golden, project, type Store, storeOf } from "../support/exports.js"

/** What a restart takes up of an actor: where it is, what is due, what runs. */
const taken = ({ stream, version, name, deadlines, invocations }: ActorState) =>
  JSON.stringify([stream, version, name, deadlines, invocations.map(({ id, since }) => [id, since])])

/** The digest of what every event left its actor with. */
const actorsAfterEachEvent = (store: Store) =>
  Effect.map(EventRows.readAfter(store, 0 as Offset, 1_000), (events) => {
    const states = new Map<StreamId, ActorState>()
    const hash = createHash("sha256")
    for (const event of events) {
      const fold = histories.get(kindOf(event.stream))?.fold
      const state = fold?.apply(states.get(event.stream) ?? fold.initial(event.stream), event)
      if (!state) throw new Error(`offset ${event.offset} does not fold`)
      states.set(event.stream, state)
      hash.update(`${taken(state)}\n`)
    }
    return hash.digest("hex")
  })

// Written down when the journal was recorded (scripts/goldenJournal.ts). One that changes means that the past reads differently now:
// the code is wrong, never the digest.
const digests = {
  claims: "997e4532641768b11e8d7cb5cef669837a9ab09eb1890ecad58a61f0730a3880",
  health: "4b3559292b8e175da790a300a85617404f84833d07f451d6efb8a4c8f4c1daeb",
  actors: "6652cdb574635985c55a41d4af8787923d41cbec12afd64f5944a209fa637d17"
}

describe("the golden journal", () => {
  it.scopedLive("folds to the same rows and the same actors for ever", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(golden)
      yield* project(store)
      const actors = yield* actorsAfterEachEvent(store)
      expect({ ...(yield* digestsOf(store)), actors }).toMatchObject(digests)
    })
  )

  it.scopedLive("diverges nowhere, and its tables hold what replay makes of it", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(golden)
      yield* project(store)
      const replayed = yield* replay(store, { histories, known: knownEvents, projections, compare: true })
      expect(replayed).toMatchObject({ divergedStreams: 0, differingRows: 0 })
      expect(replayed.compared).toEqual(projections.map(({ name }) => name))
    })
  )

  it.scopedLive("has seen everything that can happen to a claim", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(golden)
      const rows = yield* store.read("SELECT DISTINCT type FROM events")
      const seen = new Set(rows.map(({ type }) => type))
      expect(Object.keys(claimUpcasters).filter((type) => !seen.has(type))).toEqual([])
    })
  )
})
