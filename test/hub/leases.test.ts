/** When a lease ends: downtime, a frozen process and a clock that jumps are not the holder's fault (contracts: hub 3.7 and 8). */
import { describe, expect, it } from "@effect/vitest"
import { type Clock, Context, Effect, Layer, type Scope, TestClock } from "effect"
import * as ActorSystem from "../../src/actors/ActorSystem.js"
import { makeClaimKind } from "../../src/actors/claim/claimKind.js"
import * as HubClock from "../../src/actors/HubClock.js"
import { makeHubKind } from "../../src/actors/hub/hubKind.js"
import { Journal } from "../../src/events/Journal.js"
import * as Snapshots from "../../src/events/Snapshots.js"
import { makeClockWatch } from "../../src/hub/clockWatch.js"
import { offset } from "../support/stores.js"
import { knownOf, memoryJournalFor, turns } from "../support/systems.js"

const idle = { run: () => Effect.void, lost: () => ({ type: "StopHub" }) }
const makeKinds = () => ({
  hubKind: makeHubKind({
    drainTimeoutMs: 1_000,
    activeWork: () => ({ claims: [], runs: [] }),
    outstanding: () => [],
    invocations: { recover: idle, serve: idle, drain: idle, close: idle }
  }),
  claimKind: makeClaimKind({
    defaultTtlMs: 60_000,
    defaultGraceMs: 20_000,
    maxHeldPerPeer: undefined,
    stances: undefined,
    isLive: () => false
  })
})

/** How far the machine's wall clock is off what it should show, and how long the process was frozen so far, ms. */
interface Wall {
  offMs: number
  frozenMs: number
}

/** One boot of the hub's stream and the claims, ready at once. It ends with the scope, as by a kill. */
const boot = (wall: Wall) =>
  Effect.gen(function* () {
    const { hubKind, claimKind } = makeKinds()
    const kinds = [hubKind, claimKind]
    const journal = yield* Journal
    const head = yield* journal.head
    const machine = yield* Effect.clock
    const shifted: Clock.Clock = {
      ...machine,
      unsafeCurrentTimeMillis: () => machine.unsafeCurrentTimeMillis() + wall.frozenMs + wall.offMs,
      unsafeCurrentTimeNanos: () => machine.unsafeCurrentTimeNanos() + BigInt(wall.frozenMs * 1_000_000)
    }
    const time = yield* Effect.withClock(Layer.build(HubClock.layer(head.at)), shifted)
    const clock = Context.get(time, HubClock.HubClock)
    const built = yield* Layer.build(
      ActorSystem.layer({ kinds, unheld: hubKind }).pipe(
        Layer.provide(Layer.mergeAll(knownOf(kinds), Snapshots.layerNone, Layer.succeedContext(time))),
        Layer.provide(Layer.succeed(Journal, journal))
      )
    )
    const system = Context.get(built, ActorSystem.ActorSystem)
    const hub = (command: Parameters<typeof hubKind.decide>[1]) =>
      system.send(hubKind, "", command, { by: "hub" })
    const started = { bootId: `boot${head.offset}`, pid: 1, version: "1", node: "20", format: 1, safe: false }
    yield* hub({ type: "StartHub", ...started, head: { offset: head.offset, at: head.at } })
    const bound = { url: "", host: "", port: 1, portSource: "free", socket: null, reassigned: null } as const
    yield* hub({ type: "BindHub", ...bound })
    const recovery = yield* system.recover
    const ready = yield* hub({
      type: "CompleteRecovery",
      streams: recovery.streams,
      eventsReplayed: 0,
      deadlinesArmed: recovery.deadlines,
      invocations: 0,
      quarantined: [],
      tookMs: 0
    })
    yield* system.release(ready.at, makeClockWatch(clock, system, hubKind))
    return { system, claimKind }
  }).pipe(Effect.orDie)

type Hub = Effect.Effect.Success<ReturnType<typeof boot>>

const claim = ({ system, claimKind }: Hub) =>
  system.send(claimKind, "w", { type: "ClaimWork", peer: "ann", preclaim: true }, { by: "ann" })
const renew = ({ system, claimKind }: Hub) =>
  Effect.flatMap(claimOffset, (token) =>
    system.send(claimKind, "w", { type: "RenewClaim", token: offset(token) }, { by: "ann" })
  )

const happenedAt = Effect.map(
  Effect.flatMap(Journal, (journal) => journal.read(offset(0), 1_000)),
  (events) => (type: string) => events.filter((event) => event.type === type)
)
const claimOffset = Effect.map(happenedAt, (of) => of("ClaimGranted")[0]?.offset ?? 0)

/** Seconds since the claim was granted at which events of a type happened. */
const secondsOf = (type: string) =>
  Effect.map(happenedAt, (of) => {
    const granted = of("ClaimGranted")[0]?.at ?? 0
    return of(type).map(({ at }) => (at - granted) / 1_000)
  })

/** Seconds go by, one at a time, as they do. */
const passing = (seconds: number) =>
  Effect.repeatN(Effect.zipRight(TestClock.adjust(1_000), turns), seconds - 1)

const ends = Effect.all([secondsOf("ClaimGraceStarted"), secondsOf("ClaimExpired")])

const story = <E>(name: string, body: (wall: Wall) => Effect.Effect<void, E, Journal | Scope.Scope>) =>
  it.scoped(name, () => {
    const { hubKind, claimKind } = makeKinds()
    return Effect.provide(body({ offMs: 0, frozenMs: 0 }), memoryJournalFor([hubKind, claimKind]))
  })

/** Claims at 0 and is killed at one second; the hub is ready again at another. */
const interrupted = (wall: Wall, killedAt: number, readyAt: number) =>
  Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* claim(yield* boot(wall))
        yield* passing(killedAt)
      })
    )
    yield* TestClock.adjust((readyAt - killedAt) * 1_000)
    return yield* boot(wall)
  })

describe("A lease of 60 s with a grace of 20 s", () => {
  story("ends at 60 and 80 when nothing happens", (wall) =>
    Effect.gen(function* () {
      yield* claim(yield* boot(wall))
      yield* passing(90)
      expect(yield* ends).toEqual([[60], [80]])
    })
  )

  story("ends at the same times when the hub was away in between", (wall) =>
    Effect.gen(function* () {
      yield* interrupted(wall, 10, 15)
      yield* passing(75)
      expect(yield* ends).toEqual([[60], [80]])
    })
  )

  story("has a whole grace of a hub that can be reached after a long absence, and then its own", (wall) =>
    Effect.gen(function* () {
      yield* interrupted(wall, 10, 400)
      yield* passing(50)
      expect(yield* ends).toEqual([[420], [440]])
    })
  )

  story("is kept by a renewal in that grace", (wall) =>
    Effect.gen(function* () {
      const hub = yield* interrupted(wall, 10, 400)
      yield* passing(30)
      yield* renew(hub)
      yield* passing(30)
      expect(yield* ends).toEqual([[420], []])
    })
  )

  story("has that grace also when it was in its own already", (wall) =>
    Effect.gen(function* () {
      yield* interrupted(wall, 70, 71)
      yield* passing(30)
      expect(yield* ends).toEqual([[60], [91]])
    })
  )

  story("is not ended by a process that was frozen: the jump is recorded first", (wall) =>
    Effect.gen(function* () {
      yield* claim(yield* boot(wall))
      yield* passing(30)
      wall.frozenMs = 269_000
      yield* passing(1)
      expect(yield* secondsOf("ClockJumpDetected")).toEqual([300])
      yield* passing(45)
      expect(yield* ends).toEqual([[320], [340]])
    })
  )

  for (const [direction, offMs] of [
    ["back", -3_600_000],
    ["ahead", 3_600_000]
  ] as const) {
    story(`lasts 60 s and 80 s of real time when the wall clock is set an hour ${direction}`, (wall) =>
      Effect.gen(function* () {
        yield* claim(yield* boot(wall))
        yield* passing(30)
        wall.offMs = offMs
        yield* passing(29)
        expect(yield* ends).toEqual([[], []])
        yield* passing(2)
        expect((yield* ends).map(({ length }) => length)).toEqual([1, 0])
        yield* passing(20)
        expect((yield* ends).map(({ length }) => length)).toEqual([1, 1])
        const times = yield* Effect.map(
          Effect.flatMap(Journal, (journal) => journal.read(offset(0), 100)),
          (events) => events.map(({ at }) => at)
        )
        expect(times).toEqual(times.toSorted((a, b) => a - b))
      })
    )
  }
})
