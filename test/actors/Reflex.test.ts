import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { type Reflex, runReflex } from "../../src/actors/Reflex.js"
import { fileCursor } from "../../src/events/Cursor.js"
import { idOf, type RecordedEvent } from "../../src/events/Event.js"
import { Journal } from "../../src/events/Journal.js"
import { makeJobKind } from "../support/jobKind.js"
import { offset, temporaryFolder } from "../support/stores.js"
import { boot, memoryJournalFor, turns } from "../support/systems.js"

const kind = makeJobKind()

/** A job that finished starts the one that is named after it. */
const chain = {
  name: "chain",
  on: new Set(["JobFinished"]),
  rule: ({ stream }: RecordedEvent) => [
    { kind, id: `${idOf(stream)}x`, command: { type: "Start", n: 1 } as never, target: `${idOf(stream)}x` }
  ]
} satisfies Reflex

const summary = Effect.map(
  Effect.flatMap(Journal, (journal) => journal.read(offset(0), 100)),
  (events) =>
    events.map(({ stream, type, by, causation, commandId }) => ({ stream, type, by, causation, commandId }))
)

describe("a reflex", () => {
  it.scoped("follows from the journal to a command, under an id that names what it follows from", () =>
    Effect.gen(function* () {
      const cursor = fileCursor(join(yield* temporaryFolder, "cursors", "chain"))
      const system = yield* boot({ kinds: [kind] })
      const fiber = yield* Effect.fork(runReflex(chain, { system, journal: yield* Journal, cursor }))
      yield* system.send(kind, "a", { type: "Start", n: 1 }, { by: "me" })
      yield* system.send(kind, "a", { type: "Finish" }, { by: "me" })
      yield* turns
      expect((yield* summary).at(-1)).toEqual({
        stream: "job/ax",
        type: "JobStarted",
        by: "reflex:chain",
        causation: 2,
        commandId: "chain:2:ax"
      })
      yield* Fiber.interrupt(fiber)
      expect(cursor.read()).toBe(3)
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped(
    "catches up with what happened while it was away, each event once, also if its cursor is lost",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const journal = yield* Journal
        const system = yield* boot({ kinds: [kind] })
        yield* system.send(kind, "a", { type: "Start", n: 1 }, { by: "me" })
        yield* system.send(kind, "a", { type: "Finish" }, { by: "me" })
        for (const name of ["first", "first", "lost"]) {
          const fiber = yield* Effect.fork(
            runReflex(chain, { system, journal, cursor: fileCursor(join(folder, name)) })
          )
          yield* turns
          yield* fiber.interruptAsFork(fiber.id())
          yield* turns
        }
        expect((yield* summary).map(({ stream, type }) => `${stream} ${type}`)).toEqual([
          "job/a JobStarted",
          "job/a JobFinished",
          "job/ax JobStarted"
        ])
      }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped("tries again what is refused for now, and tells of what is refused for good", () =>
    Effect.gen(function* () {
      let isDraining = true
      const folder = yield* temporaryFolder
      const system = yield* boot({
        kinds: [kind],
        gate: ({ by }) => (isDraining && by.startsWith("reflex:") ? { _tag: "Draining" } : undefined)
      })
      const reasons: Array<string> = []
      const stubborn: Reflex = {
        ...chain,
        rule: (event) =>
          chain.rule(event).map((each) => ({
            ...each,
            command: { type: "Finish" } as never,
            onRefused: (reason: { readonly _tag: string }) => {
              reasons.push(reason._tag)
              return { ...each, target: "instead" }
            }
          }))
      }
      const cursor = fileCursor(join(folder, "c"))
      yield* Effect.fork(runReflex(stubborn, { system, journal: yield* Journal, cursor }))
      yield* system.send(kind, "a", { type: "Start", n: 1 }, { by: "me" })
      yield* system.send(kind, "a", { type: "Finish" }, { by: "me" })
      yield* Effect.repeatN(Effect.zipRight(TestClock.adjust(1_000), turns), 3)
      expect(reasons).toEqual([])
      expect(cursor.read()).toBeLessThan(2)
      isDraining = false
      yield* Effect.repeatN(Effect.zipRight(TestClock.adjust(1_000), turns), 2)
      expect(reasons).toEqual(["IllegalInState"])
      expect((yield* summary).at(-1)).toMatchObject({ commandId: "chain:2:instead" })
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )
})
