/** What every journal must do, whatever it is stored in (docs/journal.md). */
import { expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, type Layer, Stream } from "effect"
import { type NewEvent, RecordedEvent } from "../../src/events/Event.js"
import { ChainVerifier, genesis } from "../../src/events/HashChain.js"
import { follow, Journal, VersionConflict } from "../../src/events/Journal.js"
import { happened, offset, stream, version } from "./stores.js"

const append = (...events: ReadonlyArray<NewEvent>) =>
  Effect.flatMap(Journal, (journal) => journal.append({ events }))

export const journalContract = (layer: Layer.Layer<Journal>): void => {
  const live = <E>(name: string, body: () => Effect.Effect<void, E, Journal>) =>
    it.live(name, () => Effect.provide(body(), layer))

  live("begins empty, with an identity of its own", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      expect(yield* journal.head).toEqual({ offset: 0, hash: genesis, at: 0 })
      expect(journal.journalId).toMatch(/^[0-9a-f]{32}$/)
      expect(yield* journal.read(offset(0), 10)).toEqual([])
    })
  )

  live("gives offsets without gaps and a hash that continues the chain", () =>
    Effect.gen(function* () {
      yield* append(happened("a/1", 1), happened("a/2", 1))
      yield* append(happened("a/1", 2))
      const journal = yield* Journal
      const events = yield* journal.read(offset(0), 10)
      expect(events.map((event) => [event.offset, event.stream, event.version])).toEqual([
        [1, "a/1", 1],
        [2, "a/2", 1],
        [3, "a/1", 2]
      ])
      expect(new ChainVerifier().check(events)).toBeUndefined()
      expect((yield* journal.head).hash).toBe(events[2]?.hash)
    })
  )

  live("knows where a stream ends", () =>
    Effect.gen(function* () {
      yield* append(happened("a/1", 1), happened("a/11", 1), happened("a/1", 2), happened("a/2", 1))
      const journal = yield* Journal
      expect(yield* journal.tailOf(stream("a/1"))).toBe(3)
      expect(yield* journal.tailOf(stream("a/11"))).toBe(2)
      expect(yield* journal.tailOf(stream("a"))).toBe(0)
    })
  )

  live("keeps every field as it was given", () =>
    Effect.gen(function* () {
      const data = { text: 'é"\\\u0000\ud800', "7": [1.5, null, { __proto__: 1 }], big: 1e21 }
      const given = happened("a/ü b/c", 1, {
        data,
        by: "peer",
        causation: offset(3),
        correlation: "c-1",
        state: "held.active",
        at: 1_795_184_985_331
      })
      const [recorded] = yield* append(given)
      const journal = yield* Journal
      const [read] = yield* journal.readStreams([{ stream: given.stream, after: version(0) }])
      expect(read?.json).toBe(recorded?.json)
      expect(JSON.parse(read?.json ?? "")).toEqual({
        ...given,
        data: JSON.parse(JSON.stringify(data)),
        offset: 1,
        hash: read?.hash
      })
    })
  )

  live("appends a batch over several streams whole, or not at all", () =>
    Effect.gen(function* () {
      yield* append(happened("a/1", 1))
      const exit = yield* Effect.exit(append(happened("a/2", 1), happened("a/1", 1)))
      expect(exit).toEqual(
        Exit.fail(new VersionConflict({ stream: stream("a/1"), expected: version(0), actual: version(1) }))
      )
      const journal = yield* Journal
      expect((yield* journal.head).offset).toBe(1)
      expect(yield* journal.readStreams([{ stream: stream("a/2"), after: version(0) }])).toEqual([])
    })
  )

  live("refuses a version that leaves a gap", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(append(happened("a/1", 2)))
      expect(exit).toEqual(
        Exit.fail(new VersionConflict({ stream: stream("a/1"), expected: version(1), actual: version(0) }))
      )
    })
  )

  live("lets one of many racing appends of a version win, and tells the others", () =>
    Effect.gen(function* () {
      const exits = yield* Effect.forEach(
        Array.from({ length: 32 }, (_, n) => n),
        (n) => Effect.exit(append(happened("a/race", 1, { commandId: `c${n}` }), happened(`b/${n}`, 1))),
        { concurrency: "unbounded" }
      )
      expect(exits.filter(Exit.isSuccess)).toHaveLength(1)
      const journal = yield* Journal
      expect((yield* journal.head).offset).toBe(2)
    })
  )

  live("keeps concurrent appends of many callers in one order, each once", () =>
    Effect.gen(function* () {
      const callers = Array.from({ length: 64 }, (_, n) => n)
      yield* Effect.forEach(
        callers,
        (n) => Effect.forEach([1, 2, 3], (v) => append(happened(`s/${n}`, v)), { discard: true }),
        { concurrency: "unbounded", discard: true }
      )
      const journal = yield* Journal
      const events = yield* journal.read(offset(0), 1_000)
      expect(events).toHaveLength(192)
      expect(new ChainVerifier().check(events)).toBeUndefined()
    })
  )

  live("dies rather than write an event type, or a shape of one, that is unknown", () =>
    Effect.gen(function* () {
      const unknownType = yield* Effect.exit(append(happened("a/1", 1, { type: "Invented" })))
      const oldShape = yield* Effect.exit(append(happened("a/1", 1, { type: "Changed", schema: 1 })))
      expect(String(unknownType)).toContain("UnknownEvent")
      expect(String(oldShape)).toContain("UnknownEvent")
      const journal = yield* Journal
      expect((yield* journal.head).offset).toBe(0)
    })
  )

  live("finds what commands led to, by their ids", () =>
    Effect.gen(function* () {
      yield* append(happened("a/1", 1, { commandId: "c1" }), happened("a/2", 1, { commandId: "c1" }))
      yield* append(happened("a/3", 1, { commandId: "c2" }))
      const journal = yield* Journal
      const found = yield* journal.byCommands(["c1", "nobody's"])
      expect(found.map((event) => event.stream)).toEqual(["a/1", "a/2"])
    })
  )

  live("reads the tails of several streams at once, and one stream after an offset", () =>
    Effect.gen(function* () {
      yield* append(happened("a/1", 1), happened("a/2", 1), happened("a/1", 2), happened("a/2", 2))
      const journal = yield* Journal
      const tails = yield* journal.readStreams([
        { stream: stream("a/2"), after: version(0) },
        { stream: stream("a/1"), after: version(1) },
        { stream: stream("a/none"), after: version(0) }
      ])
      expect(tails.map((event) => [event.stream, event.version])).toEqual([
        ["a/1", 2],
        ["a/2", 1],
        ["a/2", 2]
      ])
      expect((yield* journal.read(offset(2), 10, stream("a/2"))).map(({ offset }) => offset)).toEqual([4])
    })
  )

  live("replaces a stream's agenda with the batch that changes it", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const deadline = {
        id: "lease",
        dueAt: 99,
        event: { type: "Due", n: 1 },
        armedBy: offset(1),
        correlation: "c"
      }
      const both = { stream: stream("a/1"), deadlines: [deadline], invocations: ["probe"] }
      yield* journal.append({ events: [happened("a/1", 1)], agendas: [both] })
      expect(yield* journal.agendas).toEqual([both])
      const none = { stream: stream("a/1"), deadlines: [], invocations: [] }
      yield* journal.append({ events: [happened("a/1", 2)], agendas: [none] })
      expect(yield* journal.agendas).toEqual([])
    })
  )

  live("appends no agenda of a batch that is refused", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const agenda = { stream: stream("a/1"), deadlines: [], invocations: ["probe"] }
      yield* Effect.exit(journal.append({ events: [happened("a/1", 5)], agendas: [agenda] }))
      expect(yield* journal.agendas).toEqual([])
    })
  )

  live("shows a follower every event once and in order, from its cursor and then live", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      yield* append(happened("a/1", 1), happened("a/1", 2))
      const following = yield* Effect.fork(Stream.runCollect(Stream.take(follow(journal, offset(1)), 2_000)))
      for (let from = 3; from <= 2_001; from += 10) {
        yield* append(...Array.from({ length: 10 }, (_, n) => happened("a/1", from + n)))
      }
      const seen = Chunk.toReadonlyArray(yield* Fiber.join(following))
      expect(seen.map(({ offset }) => offset)).toEqual(Array.from({ length: 2_000 }, (_, n) => n + 2))
      expect(seen[0]).toBeInstanceOf(RecordedEvent)
    })
  )

  live("wakes a follower only after the event can be read", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const woken = yield* Effect.fork(
        Effect.zipRight(journal.awaitBeyond(offset(0)), journal.read(offset(0), 10))
      )
      yield* Effect.yieldNow()
      yield* append(happened("a/1", 1))
      expect(yield* Fiber.join(woken)).toHaveLength(1)
    })
  )
}
