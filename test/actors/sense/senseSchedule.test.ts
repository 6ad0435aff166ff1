import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import type { SenseSettings } from "../../../src/actors/sense/SenseEvent.js"
import { Journal } from "../../../src/events/Journal.js"
import type { ComputeReport, ComputeRequest } from "../../../src/runtimes/SenseGroups.js"
import { endless, playGroups, senseKindOn, settings, takes } from "../../support/senses.js"
import { offset } from "../../support/stores.js"
import { boot, memoryJournalFor, turns } from "../../support/systems.js"

type Play = (sense: string, request: ComputeRequest) => Effect.Effect<ComputeReport>

const clock = Effect.map(Effect.clock, (each) => () => each.unsafeCurrentTimeMillis())
const events = Effect.flatMap(Journal, (journal) => journal.read(offset(0), 1_000))
const kind = senseKindOn(playGroups(endless), () => 0)

/** Seconds at which the events of a type happened. */
const secondsOf = (type: string) =>
  Effect.map(events, (all) => all.filter((event) => event.type === type).map(({ at }) => at / 1_000))

/** Registers a sense at second 0, triggers it at these seconds, and lets the time pass until `end`. */
const play = (sense: Partial<SenseSettings>, compute: Play, triggers: ReadonlyArray<number>, end: number) =>
  Effect.gen(function* () {
    const groups = playGroups(compute)
    const own = senseKindOn(groups, yield* clock)
    const system = yield* boot({ kinds: [own] })
    yield* system.send(own, "a", { type: "RegisterSense", ...settings(sense) }, { by: "hub" })
    yield* turns
    for (let second = 0; second <= end; second++) {
      for (const _ of triggers.filter((each) => each === second)) {
        yield* system.send(
          own,
          "a",
          { type: "TriggerSense", cause: { kind: "manual" }, depth: 0 },
          { by: "me" }
        )
      }
      yield* turns
      yield* TestClock.adjust(1_000)
      yield* turns
    }
    return groups
  })

const vector = (
  name: string,
  sense: Partial<SenseSettings>,
  compute: Play,
  triggers: ReadonlyArray<number>,
  starts: ReadonlyArray<number>
) =>
  it.scoped(name, () =>
    Effect.gen(function* () {
      yield* play(sense, compute, triggers, Math.max(...starts, ...triggers) + 15)
      expect(yield* secondsOf("SenseComputeStarted")).toEqual(starts)
      const started = (yield* events).filter(({ type }) => type === "SenseComputeStarted")
      const causes = started.flatMap(({ data }) => data.causes as ReadonlyArray<unknown>)
      expect(causes).toHaveLength(triggers.length)
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

describe("the scheduler (seconds), which keeps every cause on the compute that runs,", () => {
  vector(
    "throttles from start to start",
    { throttleMs: 10_000 },
    takes(2_000),
    [0, 1, 2, 3, 11, 30],
    [0, 10, 20, 30]
  )
  vector("waits for the end of the grace", { graceMs: 5_000 }, takes(1), [0, 1, 2], [5])
  vector("coalesces what comes while it computes", {}, takes(5_000), [0, 1, 2, 3], [0, 5])
  vector(
    "has grace and throttle together",
    { graceMs: 5_000, throttleMs: 10_000 },
    takes(1),
    [0, 6, 20],
    [5, 15, 25]
  )
  vector("has one compute at a time", { throttleMs: 10_000 }, takes(12_000), [0, 1, 5, 12], [0, 12, 24])

  it.scoped("kills a compute that is deaf to its abort, five seconds after its timeout, and goes on", () =>
    Effect.gen(function* () {
      const groups = yield* play({ timeoutMs: 3_000 }, endless, [0, 1], 9)
      const all = (yield* events).map(({ type, at }) => [type, Math.floor(at / 1_000)])
      expect(all.slice(2)).toEqual([
        ["SenseTriggered", 0],
        ["SenseComputeStarted", 0],
        ["SenseTriggered", 1],
        ["SenseComputeTimedOut", 3],
        ["SenseComputeAbandoned", 8],
        ["SenseWorkerLost", 8],
        ["SenseLoaded", 8],
        ["SenseComputeStarted", 8]
      ])
      expect(groups.asked.filter((each) => !each.startsWith("compute"))).toEqual([
        "member a default",
        "abort a 4",
        "condemn a 4"
      ])
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped("does not kill a process whose compute ends when it is told to", () =>
    Effect.gen(function* () {
      const groups = playGroups(endless, { heedsAbort: true })
      const own = senseKindOn(groups, yield* clock)
      const system = yield* boot({ kinds: [own] })
      yield* system.send(
        own,
        "a",
        { type: "RegisterSense", ...settings({ timeoutMs: 1_000 }) },
        { by: "hub" }
      )
      yield* turns
      yield* system.send(
        own,
        "a",
        { type: "TriggerSense", cause: { kind: "manual" }, depth: 0 },
        { by: "me" }
      )
      yield* turns
      for (let n = 0; n < 10; n++) yield* Effect.zipRight(TestClock.adjust(1_000), turns)
      expect((yield* events).map(({ type }) => type).slice(-2)).toEqual([
        "SenseComputeTimedOut",
        "SenseComputeAborted"
      ])
      expect(groups.asked.at(-1)).toMatch(/^abort/)
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )
})

describe("intervals (seconds)", () => {
  it.scoped("tick first when the grace ends, then at a fixed distance", () =>
    Effect.gen(function* () {
      yield* play({ intervalsMs: [30_000], graceMs: 5_000 }, takes(1), [], 100)
      expect(yield* secondsOf("SenseComputeStarted")).toEqual([5, 35, 65, 95])
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped("append nothing for a tick that joins others", () =>
    Effect.gen(function* () {
      yield* play({ intervalsMs: [1_000], throttleMs: 10_000 }, takes(1), [], 20)
      expect(yield* secondsOf("SenseComputeStarted")).toEqual([0, 10, 20])
      expect(yield* secondsOf("SenseTriggered")).toEqual([0, 1, 11, 21])
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )

  it.scoped("go on from the last recorded tick after a restart: late ones once, then as planned", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(70_000)
      const life = (until: number, first: "RegisterSense" | "ArmSense") =>
        Effect.scoped(
          Effect.gen(function* () {
            const now = yield* clock
            const own = senseKindOn(playGroups(takes(1)), now)
            const command =
              first === "ArmSense"
                ? ({ type: first } as const)
                : ({ type: first, ...settings({ intervalsMs: [30_000], graceMs: 5_000 }) } as const)
            yield* boot({
              kinds: [own],
              recovering: (system) =>
                Effect.orDie(Effect.asVoid(system.send(own, "a", command, { by: "hub" })))
            })
            while (now() < until * 1_000) yield* Effect.zipRight(TestClock.adjust(1_000), turns)
          })
        )
      yield* life(110, "RegisterSense")
      expect(yield* secondsOf("SenseComputeStarted")).toEqual([75, 105])
      yield* TestClock.setTime(220_000)
      yield* life(260, "ArmSense")
      const ticks = (yield* events)
        .filter(({ type }) => type === "SenseTriggered")
        .map(({ data }) => (data.cause as { at: number }).at / 1_000)
      expect(ticks).toEqual([75, 105, 225, 255])
      expect(yield* secondsOf("SenseComputeStarted")).toEqual([75, 105, 225, 255])
    }).pipe(Effect.provide(memoryJournalFor([kind])))
  )
})
