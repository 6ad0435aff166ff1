import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, TestClock } from "effect"
import type { ActorSystem } from "../../src/actors/ActorSystem.js"
import type { Refused } from "../../src/actors/Refused.js"
import { Journal } from "../../src/events/Journal.js"
import { Faults, faultyJournal } from "../support/faults.js"
import { type JobCommand, type JobKind, makeJobKind } from "../support/jobKind.js"
import { offset } from "../support/stores.js"
import { boot, memoryJournalFor, turns } from "../support/systems.js"

type Options = { readonly by?: string; readonly commandId?: string; readonly waitMs?: number }

interface Bench {
  readonly system: ActorSystem["Type"]
  readonly kind: JobKind & { readonly index: { readonly idle: ReadonlySet<string> } }
  readonly faults: Faults
  /** Commands that were looked at, tentatively or for good. */
  readonly decided: () => number
  readonly defects: ReadonlyArray<unknown>
  /** Sends in the background and lets the command get as far as it can. */
  readonly begin: (
    id: string | undefined,
    command: JobCommand,
    options?: Options
  ) => Effect.Effect<Fiber.Fiber<string>>
  /** What became of a command: the events it led to, or its refusal. */
  readonly ask: (id: string | undefined, command: JobCommand, options?: Options) => Effect.Effect<string>
}

/** The reason of a refusal, or the events of an outcome and the state after them. */
const tell = (
  exit: Exit.Exit<{ events: ReadonlyArray<{ type: string }>; state: { name: string } }, Refused>
) =>
  Exit.isSuccess(exit)
    ? `${exit.value.events.map(({ type }) => type).join("+") || "nothing"} -> ${exit.value.state.name}`
    : exit.cause._tag === "Fail"
      ? exit.cause.error.reason._tag
      : String(exit.cause)

const onFaultyJournal = <E>(name: string, body: (bench: Bench) => Effect.Effect<void, E, Journal>) =>
  it.scoped(name, () => {
    const kind = makeJobKind()
    const faults = new Faults()
    return Effect.gen(function* () {
      let decided = 0
      const defects: Array<unknown> = []
      const gate = () => {
        decided += 1
        return undefined
      }
      const system = yield* boot({ kinds: [kind], gate, onDefect: (defect) => defects.push(defect) })
      const ask: Bench["ask"] = (id, command, { by = "test", ...options } = {}) =>
        Effect.map(Effect.exit(system.send(kind, id, command, { by, ...options })), tell)
      const begin: Bench["begin"] = (id, command, options) =>
        Effect.zipLeft(Effect.fork(ask(id, command, options)), turns)
      yield* body({ system, kind, faults, decided: () => decided, defects, begin, ask })
    }).pipe(Effect.provide(faultyJournal(faults).pipe(Layer.provideMerge(memoryJournalFor([kind])))))
  })

const types = Effect.map(
  Effect.flatMap(Journal, (journal) => journal.read(offset(0), 1_000)),
  (events) => events.map(({ stream, type }) => `${stream} ${type}`)
)

/** Lets the end of an outage come. */
const resumed = Effect.zipRight(TestClock.adjust(1_000), turns)

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
        const second = yield* begin("a", { type: "Finish" })
        const third = yield* begin("b", { type: "Start", n: 2 })
        // The others were decided while the first was being committed: the index is where they left it.
        expect(decided()).toBe(4)
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
})
