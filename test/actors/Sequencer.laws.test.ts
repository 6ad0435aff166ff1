/** The write path's laws, under random commands from many senders and commits that fail in every way they can. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, TestClock, TestContext } from "effect"
import fc from "fast-check"
import type { Outcome } from "../../src/actors/CommandQueue.js"
import type { Refused } from "../../src/actors/Refused.js"
import type { RecordedEvent } from "../../src/events/Event.js"
import { ChainVerifier } from "../../src/events/HashChain.js"
import { Journal } from "../../src/events/Journal.js"
import { type Fate, Faults, faultyJournal } from "../support/faults.js"
import { type JobCommand, jobStream, makeJobKind } from "../support/jobKind.js"
import { offset } from "../support/stores.js"
import { boot, memoryJournalFor, turns } from "../support/systems.js"

const ids = ["a", "b", "c", "d"]

const command: fc.Arbitrary<JobCommand> = fc.oneof(
  fc.constant<JobCommand>({ type: "Start", n: 1 }),
  fc.constantFrom<JobCommand>(
    { type: "Finish" },
    { type: "Acknowledge" },
    { type: "Stop" },
    { type: "Restart" },
    { type: "NextIdle" }
  ),
  fc.constant<JobCommand>({ type: "StartTwo", n: 1, other: "d" })
)

/** A command, to whom, and the id of an earlier one if it repeats it. */
const sending = fc.record({
  id: fc.constantFrom("a", "a", "b", "c"),
  command,
  commandId: fc.option(fc.constantFrom("c1", "c2", "c3"), { nil: undefined }),
  waitMs: fc.constantFrom(0, 0, 3_000)
})
const fate = fc.constantFrom<Fate>("works", "unwritten", "written", "defect")

/** Waves of commands: those of one share a turn, and the next wave is decided while the one before is being committed. */
const story = fc.record({
  waves: fc.array(fc.array(sending, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }),
  fates: fc.array(fate, { minLength: 1, maxLength: 8 })
})

interface Told {
  readonly sent: { readonly id: string; readonly command: JobCommand; readonly commandId: string }
  readonly exit: Exit.Exit<Outcome, Refused>
}

const live = ({ waves, fates }: typeof story extends fc.Arbitrary<infer Story> ? Story : never) => {
  const kind = makeJobKind()
  const faults = new Faults()
  return Effect.gen(function* () {
    const system = yield* boot({ kinds: [kind] })
    faults.fates.push(...fates)
    faults.hold()
    const told: Array<Told> = []
    const fibers: Array<Fiber.Fiber<unknown>> = []
    for (const [wave, sendings] of waves.entries()) {
      for (const [index, { id, command, commandId = `w${wave}-${index}`, waitMs }] of sendings.entries()) {
        const to = command.type === "NextIdle" ? undefined : id
        const send = Effect.exit(system.send(kind, to, command, { by: "test", commandId, waitMs }))
        const sent = { id, command, commandId }
        fibers.push(yield* Effect.fork(Effect.map(send, (exit) => told.push({ sent, exit }))))
      }
      yield* turns
      if (wave === 1) faults.release()
    }
    faults.release()
    faults.fates.length = 0
    // Outages end, and waits too.
    for (let second = 0; second < 5; second++) yield* Effect.zipRight(TestClock.adjust(1_000), turns)
    yield* Fiber.joinAll(fibers)
    const journal = yield* Journal
    const recorded = yield* journal.read(offset(0), 10_000)
    const probe = Effect.forEach(ids, (id) =>
      Effect.exit(system.send(kind, id, { type: "Illegal" }, { by: "probe" }))
    )
    const idle = [...kind.index.idle].sort()
    return { told, recorded, idle, probed: yield* probe }
  }).pipe(
    Effect.scoped,
    Effect.provide(faultyJournal(faults).pipe(Layer.provideMerge(memoryJournalFor([kind])))),
    Effect.provide(TestContext.TestContext)
  )
}

/** The states of the jobs, folded from the journal alone. */
const folded = (recorded: ReadonlyArray<RecordedEvent>) => {
  const kind = makeJobKind()
  const states = new Map(ids.map((id) => [jobStream(id), kind.fold.initial(jobStream(id))]))
  for (const event of recorded) {
    const before = states.get(event.stream) ?? kind.fold.initial(event.stream)
    const after = kind.fold.apply(before, event)
    if (after?.name !== event.state) throw new Error(`${event.stream} does not fold at ${event.offset}`)
    states.set(event.stream, after)
  }
  return states
}

const stateNames = (probes: ReadonlyArray<Exit.Exit<Outcome, Refused>>) =>
  probes.map((exit) =>
    Exit.isFailure(exit) && exit.cause._tag === "Fail"
      ? (exit.cause.error.reason as { readonly state?: string }).state
      : "waiting"
  )

describe("The write path, whatever becomes of its commits", () => {
  it.live(
    "answers nothing but the truth, and its memory is what the journal folds to",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(story, async (given) => {
            const { told, recorded, idle, probed } = await Effect.runPromise(live(given))
            expect(new ChainVerifier().check(recorded)).toBeUndefined()
            const jsonAt = new Map(recorded.map((event) => [event.offset, event.json]))
            const states = folded(recorded)

            // What was acknowledged is there, exactly as it was told.
            for (const { exit } of told) {
              if (!Exit.isSuccess(exit)) continue
              for (const event of exit.value.events) expect(jsonAt.get(event.offset)).toBe(event.json)
              const { stream, state } = exit.value
              const at = recorded.find((each) => each.stream === stream && each.version === state.version)
              expect(at?.state ?? "idle").toBe(state.name)
            }
            // A command id appends once, whoever repeats it and however its commit went.
            const offsetsOf = new Map<string, Array<number>>()
            for (const { commandId, offset } of recorded.filter(({ by }) => by === "test")) {
              offsetsOf.set(commandId, [...(offsetsOf.get(commandId) ?? []), offset])
            }
            for (const [commandId, offsets] of offsetsOf) {
              expect(offsets.length).toBeLessThanOrEqual(2)
              expect((offsets.at(-1) ?? 0) - (offsets[0] ?? 0)).toBe(offsets.length - 1)
              const commands = told.filter(({ sent }) => sent.commandId === commandId)
              expect(commands.some(({ exit }) => Exit.isSuccess(exit))).toBe(true)
            }
            // What was refused, under an id of its own, is not there.
            for (const { sent, exit } of told) {
              if (Exit.isSuccess(exit) || sent.commandId.startsWith("c")) continue
              expect(offsetsOf.has(sent.commandId)).toBe(false)
            }
            // Memory, index and journal agree.
            expect(stateNames(probed)).toEqual(ids.map((id) => states.get(jobStream(id))?.name))
            const idleNow = [...states.values()].filter(({ version, name }) => version > 0 && name === "idle")
            expect(idle).toEqual(idleNow.map(({ stream }) => stream.slice(4)).sort())
          }),
          { numRuns: 40 }
        )
      ),
    120_000
  )
})
