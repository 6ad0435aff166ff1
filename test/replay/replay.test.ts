import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ActorHistory } from "../../src/actors/ActorKind.js"
import type { NewEvent, StreamId } from "../../src/events/Event.js"
import { encodeEvent } from "../../src/events/Event.js"
import * as EventRows from "../../src/events/EventRows.js"
import { emptyHead, seal } from "../../src/events/HashChain.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { asOfRows } from "../../src/replay/asOfRows.js"
import { makeFoldAside } from "../../src/replay/foldAside.js"
import { histories, knownEvents, projections } from "../../src/replay/installed.js"
import { type Aside, type Replayed, type ReplayOptions, replay } from "../../src/replay/replay.js"
import { replayStretch, type Stretch } from "../../src/replay/replayStretch.js"
import { steps } from "../../src/replay/steps.js"
import { golden, project, type Store, storeOf } from "../support/exports.js"
import { happened, offset, stream, temporaryFolder } from "../support/stores.js"

const claimHistory = histories.get("claim") as ActorHistory
const record = { id: "a", stanceTarget: "s", baseIntensity: 1, decayRate: 0 }

/** A deposit and what follows it on `claim/a`, each with the state that is recorded for it. */
const history = (...after: ReadonlyArray<Partial<NewEvent>>): ReadonlyArray<NewEvent> =>
  [{ type: "PheromoneDeposited", state: "open", data: { record } }, ...after].map((event, index) =>
    happened("claim/a", index + 1, event)
  )

const granted = {
  type: "ClaimGranted",
  state: "held.active",
  data: { peer: "ann", ttlMs: 60_000, graceMs: 1_000, attempt: 1 }
}

const storeWith = (events: ReadonlyArray<NewEvent>) =>
  Effect.gen(function* () {
    const store = yield* SqliteStore.makeInMemory
    yield* EventRows.copyInto(store, seal(emptyHead, events.map(encodeEvent)))
    return store
  })

const replayAll = (store: Store, options: Partial<ReplayOptions> = {}) =>
  replay(store, { histories, known: knownEvents, projections, compare: false, ...options })

describe("replay", () => {
  it.scopedLive("counts actors by kind and state, and the rows of each projection", () =>
    Effect.gen(function* () {
      const replayed = yield* replayAll(yield* storeOf(golden))
      expect(replayed).toMatchObject({ events: 74, upTo: 74, streams: 14, divergedStreams: 0 })
      expect(Object.fromEntries(replayed.actors.get("claim") ?? [])).toEqual({
        done: 2,
        evaporated: 2,
        "held.active": 4,
        open: 5
      })
      expect(replayed.rows).toContainEqual({ projection: "claims", rows: 13 })
    })
  )

  it.scopedLive("stops where it is told: the past as it was then", () =>
    Effect.gen(function* () {
      const replayed = yield* replayAll(yield* storeOf(golden), { upTo: offset(5) })
      expect(replayed).toMatchObject({ events: 5, upTo: 5, streams: 2 })
      expect([...replayed.actors].map(([kind, states]) => [kind, ...states])).toEqual([
        ["claim", ["held.active", 1]],
        ["hub", ["ready", 1]]
      ])
    })
  )

  it.scopedLive("names an event that leads to another state than was recorded", () =>
    Effect.gen(function* () {
      const released = { type: "ClaimReleased", state: "done", data: { token: 2, reason: null } }
      const replayed = yield* replayAll(yield* storeWith(history(granted, released)))
      expect(replayed.divergences).toEqual([
        {
          offset: 3,
          stream: "claim/a",
          version: 3,
          type: "ClaimReleased",
          before: "held.active",
          expected: "done",
          actual: "open",
          problem: "it led to done when it was recorded"
        }
      ])
    })
  )

  it.scopedLive("names an event that today's machine refuses", () =>
    Effect.gen(function* () {
      const completed = { type: "ClaimCompleted", state: "done", data: { token: 2 } }
      const replayed = yield* replayAll(yield* storeWith(history(completed)))
      expect(replayed.divergences).toMatchObject([
        { offset: 2, before: "open", expected: "done", actual: null, problem: "today's machine refuses it" }
      ])
    })
  )

  it.scopedLive("names an event of a type or a shape that this version does not know", () =>
    Effect.gen(function* () {
      const store = yield* storeWith(history({ type: "Invented" }, { schema: 7, ...granted }))
      expect((yield* replayAll(store)).divergences).toMatchObject([
        { offset: 2, type: "Invented", actual: null, problem: expect.stringContaining("no such type") }
      ])
    })
  )

  it.scopedLive("names a stream that no kind of this version owns, once", () =>
    Effect.gen(function* () {
      const store = yield* storeWith([happened("ghost/1", 1), happened("ghost/1", 2), happened("ghost/2", 1)])
      const replayed = yield* replayAll(store)
      expect(replayed).toMatchObject({ streams: 2, divergedStreams: 2 })
      expect(replayed.divergences.map(({ offset, stream }) => [offset, stream])).toEqual([
        [1, "ghost/1"],
        [3, "ghost/2"]
      ])
    })
  )

  it.scopedLive("names an event that a reducer of today fails on, and goes on with the others", () =>
    Effect.gen(function* () {
      const [claims] = projections
      if (!claims) throw new Error("there is no projection")
      const failing = {
        ...claims,
        reduce: () => {
          throw new Error("no such column")
        }
      }
      const replayed = yield* replayAll(yield* storeWith(history(granted)), { projections: [failing] })
      expect(replayed.divergences).toMatchObject([
        { offset: 1, problem: "today's reducer of claims fails on it: Error: no such column" }
      ])
    })
  )

  it.scopedLive("reports the first divergence of each stream, in the order of the journal", () =>
    Effect.gen(function* () {
      const store = yield* storeWith([
        happened("claim/b", 1, { type: "PheromoneDeposited", state: "open", data: { record } }),
        happened("claim/a", 1, { type: "ClaimReopened", state: "open", data: { reason: "r" } }),
        happened("claim/b", 2, { type: "ClaimReopened", state: "open", data: { reason: "r" } }),
        happened("claim/a", 2, { type: "ClaimReopened", state: "open", data: { reason: "r" } })
      ])
      const { divergences } = yield* replayAll(store)
      expect(divergences.map(({ offset }) => offset)).toEqual([2, 3])
    })
  )

  it.scopedLive("counts all the streams that diverge, however many it names", () =>
    Effect.gen(function* () {
      const events = Array.from({ length: 2_500 }, (_, n) =>
        happened(`claim/${n}`, 1, { type: "ClaimReopened", state: "open", data: { reason: "r" } })
      )
      const replayed = yield* replayAll(yield* storeWith(events))
      expect(replayed.divergedStreams).toBe(2_500)
      expect(replayed.divergences.map(({ offset }) => offset)).toEqual(
        Array.from({ length: 1_000 }, (_, n) => n + 1)
      )
    })
  )

  it.scopedLive("says nothing of divergences before the offset that it is to begin at", () =>
    Effect.gen(function* () {
      const store = yield* storeWith(history({ type: "ClaimReopened", data: { reason: "r" } }))
      expect(yield* replayAll(store, { from: offset(3) })).toMatchObject({
        divergedStreams: 0,
        divergences: []
      })
      expect((yield* replayAll(store, { from: offset(2) })).divergedStreams).toBe(1)
    })
  )

  it.scopedLive(
    "finds a live row that the journal does not make, one that is changed, and one that is gone",
    () =>
      Effect.gen(function* () {
        const store = yield* storeOf(golden)
        yield* project(store)
        const change = (sql: string) => store.transaction((connection) => connection.executeRaw(sql, []))
        yield* change(`UPDATE claims SET peer = 'mallory' WHERE id = 'strongest'`)
        const changed = yield* replayAll(store, { compare: true })
        expect(changed.differingRows).toBe(1)
        expect(changed.differences).toMatchObject([
          { projection: "claims", key: "strongest", live: { peer: "mallory" }, replayed: { peer: "cyd" } }
        ])
        yield* change(`DELETE FROM claims WHERE id = 'strongest'`)
        expect((yield* replayAll(store, { compare: true })).differences).toMatchObject([
          { key: "strongest", live: null },
          { key: "(12 live rows, 13 replayed)" }
        ])
      })
  )

  it.scopedLive("does not compare tables that another version made", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(golden)
      expect((yield* replayAll(store, { compare: true })).compared).toEqual([])
      yield* project(store)
      const newer = projections.map((each) => ({ ...each, version: each.version + 1 }))
      const replayed = yield* replayAll(store, { compare: true, projections: newer })
      expect(replayed).toMatchObject({ compared: [], differingRows: 0 })
    })
  )
})

describe("replay in stretches", () => {
  /** As another thread would fold it: with the same code, on the same store. */
  const aside =
    (asked: Array<Stretch>): Aside =>
    (store, { onProgress: _, ...options }, stretch) => {
      asked.push(stretch)
      return Effect.orDie(
        replayStretch(store, { histories, known: knownEvents, projections, ...options }, stretch)
      )
    }

  it.scopedLive("comes to the same as in one, every event once, whatever differs", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(golden)
      yield* project(store)
      yield* store.transaction((connection) =>
        connection.executeRaw("UPDATE claims SET peer = 'mallory' WHERE id IN ('strongest', 'expired')", [])
      )
      const whole = yield* replayAll(store, { compare: true })
      expect(whole.differingRows).toBe(2)
      for (const stretches of [2, 3, 8, 64]) {
        const asked: Array<Stretch> = []
        const replayed = yield* replayAll(store, { compare: true, stretches, aside: aside(asked) })
        expect(sorted(replayed)).toEqual(sorted(whole))
        expect(asked.length).toBeGreaterThan(0)
        expect(asked.length).toBeLessThan(stretches)
      }
    })
  )

  it.scopedLive("names divergences of all of them in the order of the journal", () =>
    Effect.gen(function* () {
      const wrong = { type: "ClaimReopened", state: "open", data: { reason: "r" } }
      const events = ["d", "a", "c", "b"].map((id) => happened(`claim/${id}`, 1, wrong))
      const replayed = yield* replayAll(yield* storeWith(events), { stretches: 4, aside: aside([]) })
      expect(replayed.divergences.map(({ offset }) => offset)).toEqual([1, 2, 3, 4])
    })
  )

  it.scopedLive("folds a stretch on a thread, and none of a journal that has moved on", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryFolder}/mound.db`
      const store = yield* storeOf(golden, path)
      yield* project(store)
      const onThread = makeFoldAside(new URL("../../dist/src/replay/foldingThread.js", import.meta.url))
      const all: Stretch = { after: "", last: undefined }
      const asked = { upTo: offset(74), from: undefined, compare: true, head: offset(74) }
      const here = yield* replayStretch(store, { histories, known: knownEvents, projections, ...asked }, all)
      expect(yield* onThread(store, asked, all)).toEqual(here)
      expect(yield* onThread(store, { ...asked, upTo: offset(70), head: offset(70) }, all)).toBeUndefined()
    })
  )

  it.scopedLive("folds here what could not be folded elsewhere, and tells how far it all is", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(golden)
      const told: Array<number> = []
      const replayed = yield* replayAll(store, {
        stretches: 3,
        aside: () => Effect.succeed(undefined),
        onProgress: (events, total) => told.push(events, total)
      })
      expect(replayed).toEqual(yield* replayAll(store))
      expect(told.slice(-2)).toEqual([74, 74])
    })
  )
})

/** Of several stretches the order of rows that differ, and of kinds, says nothing. */
const sorted = ({ actors, differences, ...replayed }: Replayed) => ({
  ...replayed,
  actors: [...actors].map(([kind, states]) => [kind, [...states].sort()]).sort(),
  differences: differences.toSorted((a, b) => (a.key < b.key ? -1 : 1))
})

describe("steps", () => {
  const tell = (store: Store, name: StreamId, upTo = offset(1_000)) =>
    steps(store, claimHistory, knownEvents, name, upTo)

  it.scopedLive("tell who did what, how long after, and what it changed", () =>
    Effect.gen(function* () {
      const store = yield* storeWith(history({ ...granted, by: "ann", at: 5_000 }))
      const [deposit, grant] = yield* tell(store, stream("claim/a"))
      expect(deposit).toMatchObject({ before: "unmarked", after: "open", sinceMs: null, problem: null })
      expect(grant).toMatchObject({
        event: { by: "ann" },
        before: "open",
        after: "held.active",
        sinceMs: 3_999
      })
      expect(grant?.changes).toContainEqual({ field: "token", before: null, after: 2 })
      expect(grant?.changes.map(({ field }) => field)).not.toContain("publishedAt")
    })
  )

  it.scopedLive("end with the event that does not fold, and go on past one that leads elsewhere", () =>
    Effect.gen(function* () {
      const refused = { type: "ClaimReopened", state: "open", data: { reason: "r" } }
      const store = yield* storeWith(history({ ...granted, state: "held.grace" }, refused, refused))
      const told = yield* tell(store, stream("claim/a"))
      expect(told.map(({ after, problem }) => [after, problem])).toEqual([
        ["open", null],
        ["held.active", "it led to held.grace when it was recorded"],
        [null, "today's machine refuses it"]
      ])
    })
  )

  it.scopedLive("stop at an offset", () =>
    Effect.gen(function* () {
      const store = yield* storeWith(history(granted))
      expect(yield* tell(store, stream("claim/a"), offset(1))).toHaveLength(1)
    })
  )
})

describe("rows as of an offset", () => {
  it.scopedLive("are those that the journal made then, in key order", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(golden)
      const then = yield* asOfRows(store, "claims", offset(7))
      expect(then?.map(({ id, state }) => [id, state])).toEqual([
        ["expired", "held.active"],
        ["lapsed", "held.active"]
      ])
      expect(yield* asOfRows(store, "nothing", offset(7))).toBeUndefined()
    })
  )
})
