import { expect, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import type { ActorState } from "../../../src/actors/fold.js"
import { type Reflex, runReflex } from "../../../src/actors/Reflex.js"
import type { RunCommand } from "../../../src/actors/run/RunCommand.js"
import { isOver } from "../../../src/actors/run/runMachine.js"
import { admission, slots } from "../../../src/actors/run/runReflexes.js"
import type { WorkflowState } from "../../../src/actors/workflow/WorkflowIndex.js"
import { idOf, kindOf, makeStreamId, type Offset, type StreamId } from "../../../src/events/Event.js"
import { Journal } from "../../../src/events/Journal.js"
import { makeKinds, settings } from "../../support/runKinds.js"
import { boot, memoryJournalFor, turns } from "../../support/systems.js"

const runsPerSeed = 50
const seeds = 20
const concurrency = 3

/** What happens to a run, at any moment, in any order, at the same time as everything else. */
const deeds = ["kill", "complete", "crash", "resume"] as const

/** Fifty runs of one workflow, each with a handful of deeds that race with one another and with the reflexes. */
const race = (seed: number) =>
  Effect.gen(function* () {
    const { workflowKind, runKind } = makeKinds()
    const kinds = [workflowKind, runKind]
    yield* Effect.gen(function* () {
      const journal = yield* Journal
      const system = yield* boot({ kinds })
      const toWorkflow = (command: Parameters<typeof workflowKind.decide>[1]) =>
        system.send(workflowKind, "tidy", command, { by: "test" })
      yield* toWorkflow({
        type: "RegisterWorkflow",
        settings: { ...settings, concurrency, overflow: "queue", maxQueue: 8 }
      })

      let seen = 0
      /** Counts the events that a reflex has come to. */
      const watched = (reflex: Reflex): Reflex => ({
        ...reflex,
        rule: (event) => {
          seen += 1
          return reflex.on.has(event.type) ? reflex.rule(event) : []
        },
        on: { ...reflex.on, has: () => true } as unknown as Reflex["on"]
      })
      const cursor = { read: () => 0 as Offset, save: () => {} }
      const reflexes = [
        admission({ workflowKind, runKind }),
        slots({ workflowKind, runKind }, () => Effect.succeed("tidy"))
      ]
      for (const reflex of reflexes)
        yield* Effect.forkScoped(runReflex(watched(reflex), { system, journal, cursor }))
      const settled = Effect.gen(function* () {
        for (;;) {
          const { offset } = yield* journal.head
          yield* turns
          if (seen === 2 * offset && (yield* journal.head).offset === offset) return
        }
      })

      const toRun = (id: string, command: RunCommand) =>
        Effect.ignore(system.send(runKind, id, command, { by: "test" }))
      const act = (id: string, deed: (typeof deeds)[number]) =>
        Effect.gen(function* () {
          const events = yield* journal.readStreams([{ stream: makeStreamId("run", id), after: 0 as never }])
          const token = events.findLast(({ type }) => type === "RunStarted")?.offset ?? (0 as Offset)
          if (deed === "kill") yield* toRun(id, { type: "KillRun" })
          if (deed === "crash") yield* toRun(id, { type: "CrashRun", reason: "crash_loop", token })
          if (deed === "resume") yield* toRun(id, { type: "ResumeRun" })
          if (deed === "complete") {
            yield* toRun(id, { type: "SelectRole", token, choice: { end: true }, definitionHash: "h" })
          }
        })
      const live = (id: string) =>
        Effect.gen(function* () {
          const request = { type: "RequestRun", runId: id, prompt: "x", origin: { kind: "cli" } } as const
          yield* toWorkflow(request)
          // Some runs are left alone, so that at the end there are some that work and some that wait.
          const few = yield* Random.nextIntBetween(0, 4)
          for (const deed of [...(yield* Random.shuffle(deeds))].slice(0, few)) {
            const pause = yield* Random.nextIntBetween(0, 4)
            yield* Effect.repeatN(Effect.yieldNow(), pause)
            yield* act(id, deed)
          }
        })
      const ids = Array.from({ length: runsPerSeed }, (_, n) => `r${n}`)
      yield* Effect.forEach(ids, live, { concurrency: "unbounded", discard: true })
      yield* settled

      const states = new Map<StreamId, ActorState>()
      let active = 0
      for (const event of yield* journal.read(0 as Offset, 100_000)) {
        const kind = kindOf(event.stream) === "run" ? runKind : workflowKind
        const before = states.get(event.stream) ?? kind.fold.initial(event.stream)
        states.set(event.stream, kind.fold.apply(before, event) as ActorState)
        active = Math.max(
          active,
          (states.get("workflow/tidy" as StreamId) as WorkflowState).context.active.length
        )
      }
      const workflow = states.get("workflow/tidy" as StreamId) as WorkflowState
      const runs = [...states.values()].filter(({ stream }) => kindOf(stream) === "run")
      const idsWhere = (isSo: (name: string) => boolean) =>
        runs
          .filter(({ name }) => isSo(name))
          .map(({ stream }) => idOf(stream))
          .sort()
      expect([seed, runs.length]).toEqual([seed, runsPerSeed])
      expect(active).toBeLessThanOrEqual(concurrency)
      expect([...workflow.context.queue].sort()).toEqual(idsWhere((name) => name === "queued"))
      expect([...workflow.context.active].sort()).toEqual(
        idsWhere((name) => !isOver(name) && name !== "queued")
      )
      // A slot that is free while somebody waits would be a slot that leaked.
      expect(workflow.context.queue.length === 0 || workflow.context.active.length === concurrency).toBe(true)
    }).pipe(Effect.scoped, Effect.provide(memoryJournalFor(kinds)))
  }).pipe(Effect.withRandom(Random.make(seed)))

it.live("no slot leaks and nobody is forgotten, however kills, ends, crashes and resumptions race", () =>
  Effect.forEach(
    Array.from({ length: seeds }, (_, n) => n + 1),
    race,
    { discard: true }
  )
)
