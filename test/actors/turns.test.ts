import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import type { ActorSystem } from "../../src/actors/ActorSystem.js"
import type { Refused } from "../../src/actors/Refused.js"
import { Journal, JournalUnavailable } from "../../src/events/Journal.js"
import { makeJobKind } from "../support/jobKind.js"
import { boot, memoryJournalFor, turns } from "../support/systems.js"

const kind = makeJobKind()

const start = (system: ActorSystem["Type"], id: string) =>
  system.send(kind, id, { type: "Start", n: 1 }, { by: "test" })

/** Sends a command and lets the sequencer come to it. */
const forkStart = (system: ActorSystem["Type"], id: string) =>
  Effect.zipLeft(Effect.fork(start(system, id)), turns)

/** A journal on whose commits one waits: how many events each carried, and how to let them through. */
const makeSlowJournal = Effect.gen(function* () {
  const journal = yield* Journal
  const permits = yield* Effect.makeSemaphore(1)
  yield* permits.take(1)
  const commits: Array<number> = []
  const state = { canRead: true }
  const unreadable = new JournalUnavailable({ reason: "io", detail: "cannot be read" })
  const slow: Journal["Type"] = {
    ...journal,
    append: (batch) => {
      commits.push(batch.events.length)
      return permits.withPermits(1)(journal.append(batch))
    },
    readStreams: (...range) =>
      Effect.suspend(() => (state.canRead ? journal.readStreams(...range) : unreadable))
  }
  return { slow, commits, state, letThrough: permits.release(1) }
}).pipe(Effect.provide(memoryJournalFor([kind])))

describe("turns", () => {
  it.scoped("take whatever comes during a commit into one next commit", () =>
    Effect.gen(function* () {
      const { slow, commits, letThrough } = yield* makeSlowJournal
      const system = yield* Effect.provideService(boot({ kinds: [kind] }), Journal, slow)
      const sent = yield* Effect.forEach(["a", "b", "c", "d"], (id) => forkStart(system, id))
      expect(commits).toEqual([1])
      yield* letThrough
      yield* Fiber.joinAll(sent)
      expect(commits).toEqual([1, 3])
    })
  )

  it.scoped("give a writer at rest half of what waits, and are decided while it is busy", () =>
    Effect.gen(function* () {
      const { slow, commits, letThrough } = yield* makeSlowJournal
      const system = yield* Effect.provideService(boot({ kinds: [kind] }), Journal, slow)
      const ids = Array.from({ length: 40 }, (_, n) => `j${n}`)
      const sent = yield* Effect.forEach(ids, (id) => Effect.fork(start(system, id)))
      yield* turns
      expect(commits).toEqual([20])
      yield* letThrough
      yield* Fiber.joinAll(sent)
      expect(commits).toEqual([20, 20])
    })
  )

  it.scoped("that cannot be decided to their end leave nothing behind, and tell all who were in them", () =>
    Effect.gen(function* () {
      const { slow, commits, state, letThrough } = yield* makeSlowJournal
      const system = yield* Effect.provideService(boot({ kinds: [kind] }), Journal, slow)
      const committing = yield* forkStart(system, "a")
      const decided = yield* forkStart(system, "b")
      state.canRead = false
      const unloadable = yield* forkStart(system, "c")
      yield* letThrough
      expect((yield* Fiber.join(committing)).state.name).toBe("working")
      expect(reasonOf(yield* Fiber.await(decided))).toBe("ReadOnly")
      expect(reasonOf(yield* Fiber.await(unloadable))).toBe("ReadOnly")
      expect(commits).toEqual([1])
    })
  )
})

const reasonOf = (exit: Exit.Exit<unknown, Refused>) =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error.reason._tag : undefined
