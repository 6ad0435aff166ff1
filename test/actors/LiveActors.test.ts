import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, TestClock } from "effect"
import fc from "fast-check"
import type { ActorSystem } from "../../src/actors/ActorSystem.js"
import type { ActorState } from "../../src/actors/fold.js"
import { Journal } from "../../src/events/Journal.js"
import { type Snapshot, Snapshots } from "../../src/events/Snapshots.js"
import { SqliteStore } from "../../src/events/SqliteStore.js"
import { type JobCommand, type JobKind, jobStream, makeJobKind } from "../support/jobKind.js"
import { offset, temporaryFolder } from "../support/stores.js"
import { boot, memoryJournalFor, sqliteJournalFor, turns } from "../support/systems.js"

const kind = makeJobKind()
type System = ActorSystem["Type"]

const send = (system: System, id: string, command: JobCommand, as: JobKind = kind) =>
  system.send(as, id, command, { by: "test" })

/** Starts and stops a job so often that its history has a length of `events`. */
const work = (system: System, id: string, events: number) =>
  Effect.forEach(
    Array.from({ length: events }, (_, n) => n),
    (n) => send(system, id, n % 2 === 0 ? { type: "Start", n } : { type: "Stop" }),
    { discard: true }
  )

const inFile = <E>(name: string, body: Effect.Effect<void, E, Journal | Snapshots | SqliteStore>) =>
  it.scopedLive(name, () =>
    Effect.flatMap(temporaryFolder, (folder) =>
      Effect.provide(body, sqliteJournalFor([kind], join(folder, "mound.db")))
    )
  )

/** One life with snapshots: what recovery and one answer of every job cost, and how the job stands. */
const life = (id: string, as: JobKind = kind) =>
  Effect.scoped(
    Effect.gen(function* () {
      const system = yield* boot({ kinds: [as], snapshots: yield* Snapshots })
      const { state } = yield* send(system, id, { type: "Start", n: 1_000 }, as)
      yield* send(system, id, { type: "Stop" }, as)
      return { state, replayed: (yield* system.recover).replayed }
    })
  )

describe("Snapshots", () => {
  inFile(
    "spare folding what they hold, are ignored when another version of the machine made them, and cost time only when they are lost",
    Effect.gen(function* () {
      const snapshots = yield* Snapshots
      yield* Effect.scoped(
        Effect.flatMap(boot({ kinds: [kind], snapshots }), (system) => work(system, "a", 200))
      )
      const [kept] = yield* snapshots.latest([jobStream("a")])
      expect(kept?.version).toBeGreaterThan(100)
      const spared = yield* life("a")
      expect(spared.replayed).toBe(200 - (kept?.version ?? 0))
      expect(spared.state.version).toBe(201)

      const newer = { ...makeJobKind(), version: 2 }
      const ignored = yield* life("a", newer)
      expect(ignored.replayed).toBe(202)
      expect(ignored.state.version).toBe(203)

      const store = yield* SqliteStore
      yield* store.transaction((connection) => connection.executeRaw("DELETE FROM snapshots", []))
      const lost = yield* life("a")
      expect([lost.replayed, lost.state.version]).toEqual([204, 205])
    })
  )

  inFile(
    "are ignored when today's machine cannot read them",
    Effect.gen(function* () {
      const snapshots = yield* Snapshots
      yield* Effect.scoped(
        Effect.flatMap(boot({ kinds: [kind], snapshots }), (system) => work(system, "a", 4))
      )
      for (const state of ["{", JSON.stringify({ version: 4, value: "no such state", context: {} })]) {
        const broken = { stream: jobStream("a"), version: 4, kindVersion: 1, state } as Snapshot
        yield* snapshots.save([broken])
        expect((yield* life("a")).state.name).toBe("working")
      }
    })
  )

  it("with the tail of a stream come to the same state as the whole stream, wherever they were made", () => {
    const { fold } = makeJobKind()
    const types = [
      "JobStarted",
      "JobRestarted",
      "JobFinished",
      "JobLost",
      "JobAcknowledged",
      "JobTimedOut",
      "JobStopped"
    ]
    const walk = fc.array(fc.tuple(fc.constantFrom(...types), fc.nat(5_000)), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(walk, fc.nat(40), (steps, cut) => {
        const apply = (state: ActorState, [type, ms]: readonly [string, number]): ActorState =>
          fold.apply(state, {
            stream: state.stream,
            version: (state.version + 1) as never,
            offset: (state.offset + 3) as never,
            at: state.at + ms,
            type,
            by: "test",
            causation: null,
            correlation: `c${state.version}`,
            data: { n: ms, delayMs: ms, why: "", lateMs: 0 }
          }) ?? state
        const full = steps.reduce(apply, fold.initial(jobStream("a")))
        const half = steps.slice(0, cut).reduce(apply, fold.initial(jobStream("a")))
        const resumed = steps.slice(cut).reduce(apply, fold.restore(jobStream("a"), fold.persist(half)))
        const { snapshot: _, ...rest } = resumed
        expect(rest).toEqual((({ snapshot: _, ...rest }) => rest)(full))
        expect(resumed.snapshot.value).toEqual(full.snapshot.value)
      }),
      { numRuns: 200 }
    )
  })
})

describe("Actors that are let go", () => {
  it.scoped("are folded anew when they are needed, under load, and nothing of them is lost", () =>
    Effect.gen(function* () {
      const system = yield* boot({ kinds: [kind], limits: { maxLive: 5, idleMs: 0 } })
      const jobs = Array.from({ length: 40 }, (_, n) => `j${n}`)
      for (let round = 0; round < 6; round++) {
        yield* Effect.forEach(
          jobs,
          (id) =>
            Effect.gen(function* () {
              yield* send(system, id, { type: "Start", n: round })
              const { state } = yield* send(system, id, { type: "Stop" })
              expect(state).toMatchObject({ version: 2 * round + 2, context: { n: round } })
            }),
          { concurrency: "unbounded", discard: true }
        )
        yield* TestClock.adjust(1_000)
      }
      yield* send(system, "j0", { type: "Start", n: 9 })
      yield* turns
      expect(system.live()).toBeLessThan(jobs.length)
      const journal = yield* Journal
      expect((yield* journal.head).offset).toBe(40 * 12 + 1)
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )
})

describe("A stream whose history does not fold", () => {
  const fact = { schema: 1, at: 1, state: "?", by: "t", causation: null, correlation: null, data: {} }

  it.scoped("is quarantined at recovery, named with its offset, and the others are taken up", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const event = (id: string, type: string, data = {}) => ({
        ...fact,
        stream: jobStream(id),
        version: 1 as never,
        type,
        commandId: id,
        data
      })
      const agenda = (id: string) => ({ stream: jobStream(id), deadlines: [], invocations: ["work"] })
      yield* journal.append({ events: [event("bad", "JobFinished")], agendas: [agenda("bad")] })
      yield* journal.append({
        events: [event("good", "JobStarted", { n: 1, delayMs: 1 })],
        agendas: [agenda("good")]
      })
      const system = yield* boot({ kinds: [kind] })
      expect(system.quarantined()).toMatchObject([
        { stream: "job/bad", offset: 1, problem: "no JobFinished in state idle" }
      ])
      const refused = yield* Effect.exit(send(system, "bad", { type: "Stop" }))
      expect(refused).toMatchObject({
        cause: { error: { reason: { _tag: "StreamQuarantined", offset: 1 } } }
      })
      expect(Exit.isSuccess(yield* Effect.exit(send(system, "good", { type: "Finish" })))).toBe(true)
      expect((yield* journal.read(offset(0), 10)).map(({ type }) => type)).toEqual([
        "JobFinished",
        "JobStarted",
        "JobFinished"
      ])
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )
})
