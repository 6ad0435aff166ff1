import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, TestClock } from "effect"
import { refuse } from "../../src/actors/ActorKind.js"
import { Journal } from "../../src/events/Journal.js"
import { type Fate, Faults, faultyJournal } from "../support/faults.js"
import { onFaultyJournal, resumed, tell, types } from "../support/jobBench.js"
import { type JobCommand, makeJobKind } from "../support/jobKind.js"
import { offset } from "../support/stores.js"
import { boot, memoryJournalFor, turns } from "../support/systems.js"

describe("Sequencer", () => {
  onFaultyJournal(
    "puts every state back when a commit fails, and the turn that was decided on top of it too",
    ({ kind, faults, decided, begin, ask }) =>
      Effect.gen(function* () {
        yield* ask("a", { type: "Start", n: 1 })
        yield* ask("a", { type: "Stop" })
        expect([...kind.index.idle]).toEqual(["a"])
        faults.hold()
        faults.fates.push("unwritten")
        const first = yield* begin(undefined, { type: "NextIdle" })
        const second = yield* Effect.fork(ask("a", { type: "Finish" }))
        const third = yield* begin("b", { type: "Start", n: 2 })
        // The others were decided while the first was being committed: the index is where they left it.
        expect(decided()).toBe(5)
        expect([...kind.index.idle]).toEqual([])
        faults.release()
        expect(yield* Fiber.join(first)).toBe("ReadOnly")
        expect(yield* Fiber.joinAll([second, third])).toEqual(["ReadOnly", "ReadOnly"])
        expect([...kind.index.idle]).toEqual(["a"])
        yield* resumed
        expect(yield* ask(undefined, { type: "NextIdle" })).toBe("JobStarted -> working")
        expect(yield* ask("b", { type: "Start", n: 2 })).toBe("JobStarted -> working")
        expect(yield* types).toEqual([
          "job/a JobStarted",
          "job/a JobStopped",
          "job/a JobStarted",
          "job/b JobStarted"
        ])
      })
  )

  onFaultyJournal(
    "tells nobody that it is so already, or that it cannot be, because of what was never written",
    ({ faults, begin, ask }) =>
      Effect.gen(function* () {
        faults.hold()
        faults.fates.push("unwritten")
        const first = yield* begin("other", { type: "Start", n: 1 })
        // These share the next turn, which fails.
        const commands: ReadonlyArray<JobCommand> = [
          { type: "Start", n: 1 },
          { type: "Start", n: 1 },
          { type: "Acknowledge" }
        ]
        const rest = yield* Effect.forEach(commands, (command) => Effect.fork(ask("a", command)))
        yield* turns
        faults.fates.unshift("works")
        faults.release()
        expect(yield* Fiber.join(first)).toBe("JobStarted -> working")
        expect(yield* Fiber.joinAll(rest)).toEqual(["ReadOnly", "ReadOnly", "ReadOnly"])
        expect(yield* types).toEqual(["job/other JobStarted"])
      })
  )

  onFaultyJournal(
    "finds a commit that went through although it was reported as failed, and answers from it",
    ({ system, faults, begin, ask }) =>
      Effect.gen(function* () {
        faults.hold()
        faults.fates.push("written")
        const first = yield* begin("a", { type: "Start", n: 1 }, { commandId: "c1" })
        const repeat = yield* begin("a", { type: "Start", n: 1 }, { commandId: "c1" })
        faults.release()
        expect(yield* Fiber.join(first)).toBe("JobStarted -> working")
        expect(yield* Fiber.join(repeat)).toBe("JobStarted -> working")
        expect(system.outage()?.reason).toBe("io")
        expect(yield* ask("b", { type: "Start", n: 1 })).toBe("ReadOnly")
        yield* resumed
        expect(system.outage()).toBeUndefined()
        expect(yield* ask("a", { type: "Finish" })).toBe("JobFinished -> waiting")
        expect(yield* types).toEqual(["job/a JobStarted", "job/a JobFinished"])
      })
  )

  onFaultyJournal(
    "answers repeats that come while the first is being committed, each once, and appends nothing for them",
    ({ faults, begin }) =>
      Effect.gen(function* () {
        faults.hold()
        const first = yield* begin("a", { type: "Start", n: 1 }, { commandId: "c1" })
        const repeats = yield* Effect.forEach([1, 2, 3], () =>
          begin("a", { type: "Start", n: 1 }, { commandId: "c1" })
        )
        faults.release()
        expect(yield* Fiber.joinAll([first, ...repeats])).toEqual(Array(4).fill("JobStarted -> working"))
        expect(yield* types).toEqual(["job/a JobStarted"])
      })
  )

  const reused = (name: string, id: string, command: JobCommand, by: string) =>
    onFaultyJournal(`refuses a command id of ${name}, in the same turn, on its way and committed`, (bench) =>
      Effect.gen(function* () {
        const { faults, begin, ask } = bench
        faults.hold()
        const before = yield* begin("z", { type: "Start", n: 1 })
        const first = yield* Effect.fork(ask("a", { type: "Start", n: 1 }, { commandId: "c1", by: "ann" }))
        const inTurn = yield* begin(id, command, { commandId: "c1", by })
        faults.release()
        expect(yield* Fiber.join(before)).toBe("JobStarted -> working")
        expect(yield* Fiber.join(first)).toBe("JobStarted -> working")
        expect(yield* Fiber.join(inTurn)).toBe("CommandIdReused")
        expect(yield* ask(id, command, { commandId: "c1", by })).toBe("CommandIdReused")

        faults.hold()
        const next = yield* begin("b", { type: "Start", n: 1 }, { commandId: "c2", by: "ann" })
        const onItsWay = yield* begin(id === "a" ? "b" : id, command, { commandId: "c2", by })
        faults.release()
        expect(yield* Fiber.join(next)).toBe("JobStarted -> working")
        expect(yield* Fiber.join(onItsWay)).toBe("CommandIdReused")
        expect(yield* types).toEqual(["job/z JobStarted", "job/a JobStarted", "job/b JobStarted"])
      })
    )
  reused("another actor's command", "c", { type: "Start", n: 1 }, "ann")
  reused("another command", "a", { type: "Finish" }, "ann")
  reused("another sender's command", "a", { type: "Start", n: 1 }, "bob")

  onFaultyJournal(
    "lets a waiting command try again when what it was waiting behind came to nothing",
    ({ faults, begin, ask, defects }) =>
      Effect.gen(function* () {
        yield* ask("a", { type: "Start", n: 1 })
        yield* ask("a", { type: "Stop" })
        faults.hold()
        faults.fates.push("defect")
        const taker = yield* begin(undefined, { type: "NextIdle" })
        const waiting = yield* begin(undefined, { type: "NextIdle" }, { waitMs: 60_000 })
        faults.release()
        expect(yield* Fiber.join(taker)).toBe("Defect")
        expect(yield* Fiber.join(waiting)).toBe("JobStarted -> working")
        expect(defects).toMatchObject([{ where: "reduce" }])
      })
  )

  it.scoped("gives the chance that a waiting command may not take to the next one in line", () => {
    const any = makeJobKind()
    // Ann waits like everybody, but when there is something she may not have it.
    const choose: typeof any.choose = (command, context) =>
      context.by === "ann" && any.index.idle.size > 0
        ? refuse({ _tag: "NotIdle" })
        : (any.choose?.(command, context) ?? refuse({ _tag: "NoneIdle" }))
    const kind = { ...any, choose }
    return Effect.gen(function* () {
      const system = yield* boot({ kinds: [kind] })
      const ask = (id: string | undefined, command: JobCommand, by: string, waitMs = 0) =>
        Effect.map(Effect.exit(system.send(kind, id, command, { by, waitMs })), tell)
      yield* ask("a", { type: "Start", n: 1 }, "test")
      const [ann, bob, cid] = yield* Effect.forEach(["ann", "bob", "cid"], (by) =>
        Effect.zipLeft(Effect.fork(ask(undefined, { type: "NextIdle" }, by, 60_000)), turns)
      )
      yield* ask("a", { type: "Stop" }, "test")
      expect(yield* Fiber.join(ann as Fiber.Fiber<string>)).toBe("NotIdle")
      expect(yield* Fiber.join(bob as Fiber.Fiber<string>)).toBe("JobStarted -> working")
      expect(Option.isNone(yield* Fiber.poll(cid as Fiber.Fiber<string>))).toBe(true)
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  })

  it.scoped("gives whoever has a deadline a grace when the journal takes writes again", () => {
    const kind = makeJobKind({ graceMs: 2_000 })
    const faults = new Faults()
    const resume = () => ({ kind, id: "journal", command: { type: "Start", n: 0 } })
    return Effect.gen(function* () {
      const system = yield* boot({ kinds: [kind], resume })
      yield* system.send(kind, "a", { type: "Start", n: 1, delayMs: 3_000 }, { by: "test" })
      yield* system.send(kind, "a", { type: "Finish" }, { by: "test" })
      faults.fates.push(...Array<Fate>(11).fill("unwritten"))
      yield* Effect.exit(system.send(kind, "b", { type: "Start", n: 1 }, { by: "test" }))
      while (system.outage()) yield* resumed
      for (let second = 0; second < 4; second++) yield* resumed
      const journal = yield* Journal
      const [, , back, due] = yield* journal.read(offset(0), 10)
      expect(back).toMatchObject({ stream: "job/journal", by: "hub" })
      expect(back?.at).toBeGreaterThan(3_000)
      expect(due).toMatchObject({ type: "JobTimedOut", at: (back?.at ?? 0) + 2_000 })
    }).pipe(Effect.provide(faultyJournal(faults).pipe(Layer.provideMerge(memoryJournalFor([kind])))))
  })

  onFaultyJournal(
    "fails the one command whose commit meets a defect, and carries out the others of its turn",
    ({ faults, begin, ask }) =>
      Effect.gen(function* () {
        faults.hold()
        const before = yield* begin("z", { type: "Start", n: 1 })
        const turn = yield* Effect.forEach(["a", "b", "c"], (id) =>
          Effect.fork(ask(id, { type: "Start", n: 1 }))
        )
        yield* turns
        faults.fates.push("works", "defect", "works", "defect", "works")
        faults.release()
        yield* Fiber.join(before)
        expect(yield* Fiber.joinAll(turn)).toEqual([
          "JobStarted -> working",
          "Defect",
          "JobStarted -> working"
        ])
        expect(yield* types).toEqual(["job/z JobStarted", "job/a JobStarted", "job/c JobStarted"])
      })
  )

  onFaultyJournal(
    "answers nobody while a commit is in doubt, says after ten seconds that it is, and knows later what became of it",
    ({ faults, begin, ask }) =>
      Effect.gen(function* () {
        faults.hold()
        faults.fates.push("written")
        const first = yield* begin("a", { type: "Start", n: 1 }, { commandId: "c1" })
        const same = yield* begin("a", { type: "Start", n: 1 }, { commandId: "c1" })
        faults.isUnreadable = true
        faults.release()
        for (let second = 0; second < 9; second++) yield* resumed
        expect(Option.isNone(yield* Fiber.poll(first))).toBe(true)
        expect(yield* ask("b", { type: "Start", n: 1 })).toBe("ReadOnly")
        for (let second = 0; second < 2; second++) yield* resumed
        expect(yield* Fiber.join(first)).toBe("OutcomeUnknown")
        expect(yield* Fiber.join(same)).toBe("OutcomeUnknown")
        faults.isUnreadable = false
        for (let second = 0; second < 2; second++) yield* resumed
        expect(yield* ask("a", { type: "Start", n: 1 }, { commandId: "c1" })).toBe("JobStarted -> working")
        expect(yield* types).toEqual(["job/a JobStarted"])
      })
  )

  onFaultyJournal(
    "lets a command win that was decided before a deadline came, although it was not committed yet",
    ({ faults, begin, ask }) =>
      Effect.gen(function* () {
        yield* ask("a", { type: "Start", n: 1, delayMs: 3_000 })
        yield* ask("a", { type: "Finish" })
        yield* Effect.repeatN(resumed, 1)
        faults.hold()
        const renewing = yield* begin("a", { type: "Restart" })
        // The wheel knows only of what is committed: it delivers the old deadline.
        yield* resumed
        faults.release()
        expect(yield* Fiber.join(renewing)).toBe("JobRestarted -> waiting")
        yield* turns
        expect((yield* types).at(-1)).toBe("job/a JobRestarted")
        yield* Effect.repeatN(resumed, 1)
        expect((yield* types).at(-1)).toBe("job/a JobTimedOut")
      })
  )

  onFaultyJournal(
    "keeps an actor in memory that a turn has moved and not committed yet, however little room there is",
    ({ faults, begin, ask }) =>
      Effect.gen(function* () {
        faults.hold()
        const first = yield* begin("a", { type: "Start", n: 1 })
        const moves = yield* Effect.forEach([{ type: "Start", n: 1 }, { type: "Stop" }] as const, (command) =>
          Effect.fork(ask("b", command))
        )
        yield* Effect.zipRight(TestClock.adjust(1_000), turns)
        // The first turn is committed, idle actors are let go, and the second turn is on its way.
        faults.release()
        faults.hold()
        expect(yield* Fiber.join(first)).toBe("JobStarted -> working")
        const next = yield* begin("b", { type: "Start", n: 2 })
        faults.release()
        expect(yield* Fiber.joinAll([...moves, next])).toEqual([
          "JobStarted -> working",
          "JobStopped -> idle",
          "JobStarted -> working"
        ])
      }),
    { limits: { maxLive: 1, idleMs: 0 } }
  )

  onFaultyJournal(
    "serves deadlines although callers flood it",
    ({ system, kind, faults, begin, ask, decided }) =>
      Effect.gen(function* () {
        yield* ask("a", { type: "Start", n: 1, delayMs: 1_000 })
        yield* ask("a", { type: "Finish" })
        faults.hold()
        const held = yield* begin("z", { type: "Start", n: 1 })
        const before = decided()
        const flood = yield* Effect.forEach(
          Array.from({ length: 2_000 }, (_, n) => n),
          (n) =>
            Effect.fork(Effect.exit(system.send(kind, `j${n}`, { type: "Start", n: 1 }, { by: "flood" })))
        )
        yield* Effect.zipRight(TestClock.adjust(1_000), turns)
        faults.release()
        yield* Fiber.join(held)
        yield* Fiber.joinAll(flood)
        const journal = yield* Journal
        const events = yield* journal.read(offset(0), 20_000)
        const due = events.findIndex(({ type }) => type === "JobTimedOut")
        expect(due).toBeGreaterThan(0)
        // Of 2,000 that came before it, it waited for two turns at most.
        expect(due).toBeLessThan(3 + 2 * 512 + 1)
        expect(decided() - before).toBeGreaterThan(2_000 - 1)
      })
  )
})
