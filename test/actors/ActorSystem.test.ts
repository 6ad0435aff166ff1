import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Ref, TestClock } from "effect"
import type { ActorSystem } from "../../src/actors/ActorSystem.js"
import type { Refused } from "../../src/actors/Refused.js"
import { Journal } from "../../src/events/Journal.js"
import { type JobCommand, jobStream, makeJobKind } from "../support/jobKind.js"
import { offset } from "../support/stores.js"
import { boot, memoryJournalFor, seconds, turns } from "../support/systems.js"

const kind = makeJobKind()
type System = ActorSystem["Type"]

const send = (
  system: System,
  id: string | undefined,
  command: JobCommand,
  more: { commandId?: string; waitMs?: number } = {}
) => system.send(kind, id, command, { by: "test", ...more })

const events = Effect.flatMap(Journal, (journal) => journal.read(offset(0), 1_000))
const types = Effect.map(events, (all) => all.map(({ type }) => type))
const reasonOf = (exit: Exit.Exit<unknown, Refused>) =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error.reason._tag : undefined

/** One system on a journal of its own. */
const withSystem = <E>(name: string, body: (system: System) => Effect.Effect<void, E, Journal>) =>
  it.scoped(name, () =>
    Effect.flatMap(boot({ kinds: [kind] }), body).pipe(Effect.provide(memoryJournalFor([kind])))
  )

describe("ActorSystem", () => {
  withSystem("answers with the committed event and the state after it", (system) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      const outcome = yield* send(system, "a", { type: "Start", n: 7 })
      expect(
        outcome.events.map(({ type, offset, at, by, state }) => ({ type, offset, at, by, state }))
      ).toEqual([{ type: "JobStarted", offset: 1, at: 5_000, by: "test", state: "working" }])
      expect(outcome.state).toMatchObject({
        name: "working",
        version: 1,
        context: { n: 7, startedAt: 5_000 }
      })
    })
  )

  withSystem("appends nothing for a refusal, nor for what is so already", (system) =>
    Effect.gen(function* () {
      yield* send(system, "a", { type: "Start", n: 1 })
      const again = yield* send(system, "a", { type: "Start", n: 1 })
      expect(again.events).toEqual([])
      yield* send(system, "a", { type: "Finish" })
      const refused = yield* Effect.exit(send(system, "a", { type: "Start", n: 2 }))
      expect(reasonOf(refused)).toBe("NotIdle")
      expect(yield* types).toEqual(["JobStarted", "JobFinished"])
    })
  )

  withSystem(
    "carries out many commands that are sent together, and gives repeats their first answers",
    (system) =>
      Effect.gen(function* () {
        const starts = Array.from({ length: 700 }, (_, n) => ({
          id: `job-${n}`,
          command: { type: "Start", n } as JobCommand,
          commandId: `start-${n}`
        }))
        const first = yield* system.sendAll(kind, starts, "test")
        expect(first.map(({ events }) => events[0]?.stream)).toEqual(starts.map(({ id }) => jobStream(id)))
        const head = (yield* events).length
        const again = yield* system.sendAll(kind, starts, "test")
        expect(again.map(({ events }) => events[0]?.offset)).toEqual(
          first.map(({ events }) => events[0]?.offset)
        )
        expect((yield* events).length).toBe(head)
        expect(yield* system.sendAll(kind, [], "test")).toEqual([])
      })
  )

  withSystem("carries out the others when one of many commands is refused, and says which it was", (system) =>
    Effect.gen(function* () {
      yield* send(system, "b", { type: "Start", n: 1 })
      const commands = ["a", "b", "c"].map((id) => ({
        id,
        command: { type: "Start", n: 2 } as JobCommand,
        commandId: `start-${id}`
      }))
      yield* send(system, "b", { type: "Finish" })
      const refused = yield* Effect.exit(system.sendAll(kind, commands, "test"))
      expect(reasonOf(refused)).toBe("NotIdle")
      expect(yield* types).toEqual(["JobStarted", "JobFinished", "JobStarted", "JobStarted"])
    })
  )

  withSystem("refuses a fact that the machine does not accept, naming state and event", (system) =>
    Effect.gen(function* () {
      yield* send(system, "a", { type: "Start", n: 1 })
      const refused = yield* Effect.exit(send(system, "a", { type: "Illegal" }))
      expect(refused).toMatchObject({
        cause: { error: { reason: { _tag: "IllegalInState", state: "working", event: "JobAcknowledged" } } }
      })
      expect(yield* types).toEqual(["JobStarted"])
    })
  )

  withSystem("decides commands in the order in which they came", (system) =>
    Effect.gen(function* () {
      const exits = yield* Effect.forEach(
        ["Start", "Finish", "Acknowledge", "Start", "Stop"] as const,
        (type) => Effect.fork(Effect.exit(send(system, "a", { type, n: 1 } as JobCommand)))
      ).pipe(Effect.flatMap(Fiber.joinAll))
      expect(exits.every(Exit.isSuccess)).toBe(true)
      expect(yield* types).toEqual([
        "JobStarted",
        "JobFinished",
        "JobAcknowledged",
        "JobStarted",
        "JobStopped"
      ])
    })
  )

  withSystem("lets exactly one of 64 racing callers succeed, with one event", (system) =>
    Effect.gen(function* () {
      yield* send(system, "a", { type: "Start", n: 1 })
      const exits = yield* Effect.forEach(
        Array.from({ length: 64 }),
        () => Effect.exit(send(system, "a", { type: "Finish" })),
        { concurrency: "unbounded" }
      )
      expect(exits.filter(Exit.isSuccess)).toHaveLength(1)
      expect(exits.filter((exit) => reasonOf(exit) === "IllegalInState")).toHaveLength(63)
      expect(yield* types).toEqual(["JobStarted", "JobFinished"])
    })
  )

  withSystem("gives a repeated command id the first answer again and appends nothing", (system) =>
    Effect.gen(function* () {
      const first = yield* send(system, "a", { type: "Start", n: 1 }, { commandId: "c1" })
      yield* send(system, "a", { type: "Finish" })
      yield* TestClock.adjust(500)
      const again = yield* send(system, "a", { type: "Start", n: 1 }, { commandId: "c1" })
      expect(again.events.map(({ json }) => json)).toEqual(first.events.map(({ json }) => json))
      expect(again.state.name).toBe("working")
      expect(again.at).toBe(first.at)
      expect(yield* types).toEqual(["JobStarted", "JobFinished"])
    })
  )

  withSystem("answers two copies of one command in the same batch alike", (system) =>
    Effect.gen(function* () {
      const copies = yield* Effect.all(
        [1, 2].map(() => send(system, "a", { type: "Start", n: 1 }, { commandId: "c1" })),
        { concurrency: "unbounded" }
      )
      expect(copies[0]?.events[0]?.offset).toBe(1)
      expect(copies[1]?.events[0]?.offset).toBe(1)
      expect(yield* types).toEqual(["JobStarted"])
    })
  )

  withSystem("says so when a command id is another command's", (system) =>
    Effect.gen(function* () {
      yield* send(system, "a", { type: "Start", n: 1 }, { commandId: "c1" })
      const elsewhere = yield* Effect.exit(send(system, "b", { type: "Start", n: 1 }, { commandId: "c1" }))
      const otherType = yield* Effect.exit(send(system, "a", { type: "Finish" }, { commandId: "c1" }))
      expect([reasonOf(elsewhere), reasonOf(otherType)]).toEqual(["CommandIdReused", "CommandIdReused"])
      expect(yield* types).toEqual(["JobStarted"])
    })
  )

  withSystem("appends the events of two streams in one batch", (system) =>
    Effect.gen(function* () {
      const outcome = yield* send(system, "a", { type: "StartTwo", n: 3, other: "b" })
      expect(outcome.events.map(({ stream, offset }) => [stream, offset])).toEqual([
        ["job/a", 1],
        ["job/b", 2]
      ])
      expect(outcome.stream).toBe("job/a")
      const stopped = yield* send(system, "b", { type: "Stop" })
      expect(stopped.state.version).toBe(2)
    })
  )

  withSystem("refuses both events when the second stream does not accept its own", (system) =>
    Effect.gen(function* () {
      yield* send(system, "b", { type: "Start", n: 1 })
      const exit = yield* Effect.exit(send(system, "a", { type: "StartTwo", n: 3, other: "b" }))
      expect(reasonOf(exit)).toBe("IllegalInState")
      const after = yield* send(system, "a", { type: "Start", n: 1 })
      expect(after.state.version).toBe(1)
    })
  )

  withSystem("keeps an index exact, also within one batch", (system) =>
    Effect.gen(function* () {
      for (const id of ["a", "b"]) {
        yield* send(system, id, { type: "Start", n: 1 })
        yield* send(system, id, { type: "Stop" })
      }
      const taken = yield* Effect.all(
        [1, 2, 3].map(() => Effect.exit(send(system, undefined, { type: "NextIdle" }))),
        { concurrency: "unbounded" }
      )
      expect(taken.map((exit) => (Exit.isSuccess(exit) ? exit.value.stream : reasonOf(exit)))).toEqual([
        "job/a",
        "job/b",
        "NoneIdle"
      ])
    })
  )

  withSystem("lets a command wait until it may succeed, the longest waiting first", (system) =>
    Effect.gen(function* () {
      yield* send(system, "a", { type: "Start", n: 1 })
      const waiting = yield* Effect.forEach([1, 2], () =>
        Effect.zipLeft(Effect.fork(send(system, undefined, { type: "NextIdle" }, { waitMs: 60_000 })), turns)
      )
      yield* send(system, "a", { type: "Stop" })
      const first = yield* Fiber.join(waiting[0] as (typeof waiting)[number])
      expect(first.stream).toBe("job/a")
      expect(Option.isNone(yield* Fiber.poll(waiting[1] as (typeof waiting)[number]))).toBe(true)
      yield* Fiber.interruptAll(waiting)
    })
  )

  withSystem("ends a wait in time with what it was waiting for", (system) =>
    Effect.gen(function* () {
      const waiting = yield* Effect.fork(
        Effect.exit(send(system, undefined, { type: "NextIdle" }, { waitMs: 5_000 }))
      )
      yield* turns
      yield* TestClock.adjust(5_000)
      expect(reasonOf(yield* Fiber.join(waiting))).toBe("NoneIdle")
    })
  )

  withSystem("passes over a waiting caller that has gone away", (system) =>
    Effect.gen(function* () {
      yield* send(system, "a", { type: "Start", n: 1 })
      const gone = yield* Effect.fork(send(system, undefined, { type: "NextIdle" }, { waitMs: 60_000 }))
      yield* turns
      const next = yield* Effect.fork(send(system, undefined, { type: "NextIdle" }, { waitMs: 60_000 }))
      yield* turns
      yield* Fiber.interrupt(gone)
      yield* send(system, "a", { type: "Stop" })
      expect((yield* Fiber.join(next)).stream).toBe("job/a")
      expect(yield* types).toEqual(["JobStarted", "JobStopped", "JobStarted"])
    })
  )

  it.scoped("reports a defect in decide, fails that command alone and goes on", () =>
    Effect.gen(function* () {
      const defects: Array<unknown> = []
      const system = yield* boot({ kinds: [kind], onDefect: (defect) => defects.push(defect) })
      const exits = yield* Effect.all(
        [{ type: "Start", n: 1 }, { type: "Throw" }, { type: "Finish" }].map((command) =>
          Effect.exit(send(system, "a", command as JobCommand))
        ),
        { concurrency: "unbounded" }
      )
      expect(exits.map((exit) => Exit.isSuccess(exit))).toEqual([true, false, true])
      expect(reasonOf(exits[1] as Exit.Exit<unknown, Refused>)).toBe("Defect")
      expect(defects).toMatchObject([{ stream: "job/a", offset: 1, where: "decide" }])
      expect(yield* types).toEqual(["JobStarted", "JobFinished"])
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped("quarantines a stream whose history does not fold, and serves the others", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const fact = {
        stream: jobStream("bad"),
        schema: 1,
        at: 1,
        state: "?",
        by: "t",
        causation: null,
        correlation: null
      }
      yield* journal.append({
        events: [{ ...fact, version: 1 as never, type: "JobFinished", commandId: "x", data: {} }]
      })
      const system = yield* boot({ kinds: [kind] })
      const refused = yield* Effect.exit(send(system, "bad", { type: "Start", n: 1 }))
      expect(refused).toMatchObject({
        cause: { error: { reason: { _tag: "StreamQuarantined", offset: 1 } } }
      })
      expect((yield* send(system, "good", { type: "Start", n: 1 })).state.name).toBe("working")
      expect(system.quarantined()).toMatchObject([{ stream: "job/bad", offset: 1 }])
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped("folds an actor from its stream again after it was let go", () =>
    Effect.gen(function* () {
      const system = yield* boot({ kinds: [kind], limits: { maxLive: 2, idleMs: 1_000 } })
      for (const id of ["a", "b", "c", "d"]) {
        yield* send(system, id, { type: "Start", n: 1 })
        yield* send(system, id, { type: "Stop" })
      }
      yield* TestClock.adjust(3_000)
      yield* send(system, "d", { type: "Start", n: 2 })
      yield* turns
      expect(system.live()).toBeLessThanOrEqual(2)
      const again = yield* send(system, "a", { type: "Start", n: 5 })
      expect(again.state).toMatchObject({ version: 3, context: { n: 5 } })
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped("pushes back when its queue is full, and still takes what comes from inside", () =>
    Effect.gen(function* () {
      const system = yield* boot({ kinds: [kind] })
      const flood = yield* Effect.forEach(
        Array.from({ length: 10_050 }, (_, n) => n),
        (n) => Effect.fork(Effect.exit(send(system, `j${n}`, { type: "Finish" })))
      )
      const exits = yield* Fiber.joinAll(flood)
      const reasons = exits.map(reasonOf)
      expect(reasons.filter((reason) => reason === "SlowDown").length).toBe(50)
      expect(reasons.filter((reason) => reason === "IllegalInState").length).toBe(10_000)
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )
})

describe("Driver", () => {
  /** A job whose work says when it runs, ends and is interrupted. */
  const observed = Effect.gen(function* () {
    const log = yield* Ref.make<ReadonlyArray<string>>([])
    const note = (text: string) => Ref.update(log, (lines) => [...lines, text])
    const die = yield* Deferred.make<void>()
    const kind = makeJobKind({
      work: ({ idempotencyKey, invocation }) =>
        Effect.gen(function* () {
          yield* Effect.acquireRelease(
            note(`start ${idempotencyKey} ${JSON.stringify(invocation.input)}`),
            () => note(`release ${idempotencyKey}`)
          )
          yield* Deferred.await(die)
          return yield* Effect.dieMessage("the work broke")
        })
    })
    return { kind, log, die }
  })

  it.scoped(
    "runs an invocation while its state lasts and interrupts it, finalizers included, when it is left",
    () =>
      Effect.gen(function* () {
        const { kind, log } = yield* observed
        yield* Effect.gen(function* () {
          const system = yield* boot({ kinds: [kind] })
          const send = (command: JobCommand) => system.send(kind, "a", command, { by: "test" })
          yield* send({ type: "Start", n: 7 })
          yield* turns
          expect(yield* Ref.get(log)).toEqual(['start job/a@1 {"n":7}'])
          yield* send({ type: "Finish" })
          yield* turns
          expect(yield* Ref.get(log)).toEqual(['start job/a@1 {"n":7}', "release job/a@1"])
        }).pipe(Effect.provide(memoryJournalFor([kind])))
      })
  )

  it.scoped("starts an invocation anew when its state is entered anew, after the old one has let go", () =>
    Effect.gen(function* () {
      const { kind, log } = yield* observed
      yield* Effect.gen(function* () {
        const system = yield* boot({ kinds: [kind] })
        yield* system.send(kind, "a", { type: "Start", n: 1 }, { by: "test" })
        yield* turns
        yield* system.send(kind, "a", { type: "Restart" }, { by: "test" })
        yield* turns
        expect(yield* Ref.get(log)).toEqual([
          'start job/a@1 {"n":1}',
          "release job/a@1",
          'start job/a@2 {"n":1}'
        ])
      }).pipe(Effect.provide(memoryJournalFor([kind])))
    })
  )

  it.scoped("makes an event of an invocation that dies, with its cause", () =>
    Effect.gen(function* () {
      const { kind, die } = yield* observed
      yield* Effect.gen(function* () {
        const defects: Array<unknown> = []
        const system = yield* boot({ kinds: [kind], onDefect: (defect) => defects.push(defect) })
        yield* system.send(kind, "a", { type: "Start", n: 1 }, { by: "test" })
        yield* turns
        yield* Deferred.succeed(die, undefined)
        yield* turns
        const [, lost] = yield* events
        expect(lost).toMatchObject({
          type: "JobLost",
          by: "invocation:work",
          causation: 1,
          correlation: (yield* events)[0]?.commandId,
          data: { why: "RuntimeException: the work broke" }
        })
        expect(defects).toMatchObject([{ stream: "job/a", where: "invocation" }])
      }).pipe(Effect.provide(memoryJournalFor([kind])))
    })
  )

  it.scoped("runs the invocations of every active state again after a restart, under the same key", () =>
    Effect.gen(function* () {
      const { kind, log } = yield* observed
      yield* Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const system = yield* boot({ kinds: [kind] })
            yield* system.send(kind, "a", { type: "Start", n: 7 }, { by: "test" })
            yield* turns
          })
        )
        yield* boot({ kinds: [kind] })
        yield* turns
        expect(yield* Ref.get(log)).toEqual([
          'start job/a@1 {"n":7}',
          "release job/a@1",
          'start job/a@1 {"n":7}'
        ])
      }).pipe(Effect.provide(memoryJournalFor([kind])))
    })
  )

  it.scoped("starts nothing of a state that was never committed", () =>
    Effect.gen(function* () {
      const { kind, log } = yield* observed
      yield* Effect.gen(function* () {
        const system = yield* boot({ kinds: [kind] })
        yield* Effect.exit(system.send(kind, "a", { type: "Finish" }, { by: "test" }))
        yield* turns
        expect(yield* Ref.get(log)).toEqual([])
      }).pipe(Effect.provide(memoryJournalFor([kind])))
    })
  )
})

describe("Deadlines", () => {
  const start = (system: System, id: string, delayMs: number) =>
    Effect.zipRight(send(system, id, { type: "Start", n: 3, delayMs }), send(system, id, { type: "Finish" }))

  withSystem("delivers a delayed raise as an event, completed with what is known only then", (system) =>
    Effect.gen(function* () {
      yield* start(system, "a", 3_000)
      yield* seconds(2, TestClock.adjust)
      expect(yield* types).toEqual(["JobStarted", "JobFinished"])
      yield* seconds(1, TestClock.adjust)
      const last = (yield* events).at(-1)
      expect(last).toMatchObject({
        type: "JobTimedOut",
        by: "deadline",
        causation: 2,
        at: 3_000,
        state: "overdue",
        data: { n: 3, lateMs: 0 }
      })
    })
  )

  withSystem("cancels a deadline when the state is left", (system) =>
    Effect.gen(function* () {
      yield* start(system, "a", 3_000)
      yield* send(system, "a", { type: "Acknowledge" })
      yield* seconds(5, TestClock.adjust)
      expect(yield* types).toEqual(["JobStarted", "JobFinished", "JobAcknowledged"])
      expect(yield* Effect.flatMap(Journal, (journal) => journal.agendas)).toEqual([])
    })
  )

  withSystem("begins anew when the state is entered anew", (system) =>
    Effect.gen(function* () {
      yield* start(system, "a", 3_000)
      yield* seconds(2, TestClock.adjust)
      yield* send(system, "a", { type: "Restart" })
      yield* seconds(2, TestClock.adjust)
      expect((yield* types).at(-1)).toBe("JobRestarted")
      yield* seconds(1, TestClock.adjust)
      expect((yield* events).at(-1)).toMatchObject({ type: "JobTimedOut", at: 5_000, causation: 3 })
    })
  )

  withSystem("lets a command that was committed first win over a deadline that is queued already", (system) =>
    Effect.gen(function* () {
      yield* start(system, "a", 3_000)
      yield* TestClock.adjust(2_999)
      const renewing = yield* Effect.fork(send(system, "a", { type: "Restart" }))
      // Both are waiting for the same turn: the renewal came first.
      yield* TestClock.adjust(1)
      yield* turns
      yield* Fiber.join(renewing)
      expect(yield* types).toEqual(["JobStarted", "JobFinished", "JobRestarted"])
      yield* seconds(3, TestClock.adjust)
      expect((yield* types).at(-1)).toBe("JobTimedOut")
    })
  )

  it.scoped("is armed again after a restart, and fires then", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const system = yield* boot({ kinds: [kind] })
          yield* start(system, "a", 3_000)
        })
      )
      yield* TestClock.adjust(10_000)
      expect(yield* types).toEqual(["JobStarted", "JobFinished"])
      yield* boot({ kinds: [kind] })
      yield* seconds(1, TestClock.adjust)
      expect((yield* events).at(-1)).toMatchObject({ type: "JobTimedOut", data: { lateMs: 7_000 } })
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped(
    "gives a kind with a grace at least that much after a restart: downtime is nobody's fault",
    () => {
      const graceful = makeJobKind({ graceMs: 2_000 })
      return Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const system = yield* boot({ kinds: [graceful] })
            yield* system.send(graceful, "a", { type: "Start", n: 1, delayMs: 3_000 }, { by: "t" })
            yield* system.send(graceful, "a", { type: "Finish" }, { by: "t" })
          })
        )
        yield* TestClock.adjust(10_000)
        yield* boot({ kinds: [graceful] })
        yield* seconds(1, TestClock.adjust)
        expect((yield* types).at(-1)).toBe("JobFinished")
        yield* seconds(1, TestClock.adjust)
        expect((yield* events).at(-1)).toMatchObject({ type: "JobTimedOut", at: 12_000 })
      }).pipe(Effect.provide(memoryJournalFor([graceful])))
    }
  )

  it.scoped("gives no grace to what is armed after the restart", () => {
    const graceful = makeJobKind({ graceMs: 60_000 })
    return Effect.gen(function* () {
      const system = yield* boot({ kinds: [graceful] })
      yield* system.send(graceful, "a", { type: "Start", n: 1, delayMs: 3_000 }, { by: "t" })
      yield* system.send(graceful, "a", { type: "Finish" }, { by: "t" })
      yield* seconds(3, TestClock.adjust)
      expect((yield* events).at(-1)).toMatchObject({ type: "JobTimedOut", data: { lateMs: 0 } })
    }).pipe(Effect.provide(memoryJournalFor([graceful])))
  })

  withSystem(
    "serves callers between thousands of deadlines that are due at once, and fires none twice",
    (system) =>
      Effect.gen(function* () {
        yield* Effect.forEach(
          Array.from({ length: 3_000 }, (_, n) => n),
          (n) => start(system, `j${n}`, 5_000),
          { concurrency: "unbounded", discard: true }
        )
        yield* TestClock.adjust(5_000)
        const served = yield* send(system, "caller", { type: "Start", n: 1 })
        const before = (yield* Effect.flatMap(Journal, (journal) =>
          journal.read(offset(6_000), 10_000)
        )).filter(({ offset }) => offset < (served.events[0]?.offset ?? 0))
        expect(before.length).toBeLessThan(3_000)
        yield* seconds(10, TestClock.adjust)
        const fired = (yield* Effect.flatMap(Journal, (journal) =>
          journal.read(offset(6_000), 10_000)
        )).filter(({ type }) => type === "JobTimedOut")
        expect(new Set(fired.map(({ stream }) => stream)).size).toBe(3_000)
        expect(fired).toHaveLength(3_000)
      })
  )
})

describe("A fault of the sequencer itself", () => {
  it.scoped("is told, since without it nothing can be decided any more", () =>
    Effect.gen(function* () {
      const told = yield* Deferred.make<string>()
      const system = yield* boot({
        kinds: [kind],
        onCommitted: () => {
          throw new Error("a fault in this program")
        },
        onFatal: (cause) => Deferred.unsafeDone(told, Exit.succeed(String(Cause.squash(cause))))
      })
      yield* send(system, "a", { type: "Start", n: 1 })
      expect(yield* Deferred.await(told)).toContain("a fault in this program")
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )
})
