import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import { type Candidate, sweep } from "../../../src/actors/claim/sweep.js"
import type { Version } from "../../../src/events/Event.js"
import { type SweepFilter, sweepable } from "../../../src/projections/claimQueries.js"
import { Projector } from "../../../src/projections/Projector.js"
import {
  bootClaims,
  type Claims,
  reasonOf,
  recorded,
  tokenOf,
  trace,
  withClaims,
  withStore
} from "../../support/claimSystem.js"

const floor = 0.01

/** What a sweep at this instant would take. */
const candidates = (now: number, filter: Partial<SweepFilter> = {}) =>
  Effect.gen(function* () {
    const { read } = yield* Projector
    const found = yield* sweepable(read, { floor, openBefore: undefined, ...filter }, now)
    return found.map(({ id, version }): Candidate => ({ id, version: version as Version, cause: "sweep" }))
  })

const idsOf = (found: ReadonlyArray<Candidate>) => found.map(({ id }) => id)

/** A mark of every situation, all faded to nothing but for what `mark` says. */
const prepare = ({ publish, send }: Claims, mark: object = { decayRate: 1 }) =>
  Effect.gen(function* () {
    const ids = ["open", "timed", "forever", "named", "done", "offered"]
    yield* Effect.forEach(ids, (id) => publish(id, mark))
    yield* send("timed", { type: "ClaimWork", peer: "anonymous", ttlMs: 86_400_000 })
    yield* send("forever", { type: "ClaimWork", peer: "anonymous", ttlMs: null })
    yield* send("named", { type: "ClaimWork", peer: "ann", ttlMs: null })
    const done = yield* send("done", { type: "ClaimWork", peer: "ann" })
    yield* send("done", { type: "CompleteClaim", token: tokenOf(done) })
    const offered = yield* send("offered", { type: "ClaimWork", peer: "anonymous", ttlMs: null })
    const offer = { type: "OfferHandoff", token: tokenOf(offered), to: "bob", offerMs: 900_000 } as const
    yield* send("offered", offer)
    yield* TestClock.adjust(60_000)
  })

describe("a sweep", () => {
  withClaims(
    "takes what is done, or held for ever by nobody in particular, and has faded below the floor",
    (claims) =>
      Effect.gen(function* () {
        yield* prepare(claims)
        expect(idsOf(yield* candidates(60_000))).toEqual(["forever", "done"])
      })
  )

  withClaims("takes nothing that is at the floor or above it", (claims) =>
    Effect.gen(function* () {
      yield* prepare(claims, { baseIntensity: floor, decayRate: 0 })
      expect(yield* candidates(60_000)).toEqual([])
      expect(idsOf(yield* candidates(60_000, { floor: 0.011 }))).toEqual(["forever", "done"])
    })
  )

  withClaims(
    "takes open marks only if that is asked for, and then old ones that nobody has inflated",
    (claims) =>
      Effect.gen(function* () {
        const { publish, send } = claims
        yield* prepare(claims)
        yield* publish("inflated", { decayRate: 1, baseIntensity: -2 })
        yield* send("inflated", { type: "InflatePheromone" })
        yield* publish("young", { baseIntensity: 0 })
        expect(idsOf(yield* candidates(60_000, { openBefore: 60_000 }))).toEqual(["open", "forever", "done"])
      })
  )

  withStore("never takes an open mark unasked, whatever clock it was imported with", () =>
    Effect.gen(function* () {
      const { send } = yield* bootClaims()
      yield* send("old", { type: "DepositPheromone", record: { id: "old", stanceTarget: "s" } })
      const { read } = yield* Projector
      expect(yield* sweepable(read, { floor: 1, openBefore: undefined }, 0)).toEqual([])
    })
  )

  withClaims("evaporates its candidates and says what is left", (claims) =>
    Effect.gen(function* () {
      const { system, kind } = claims
      yield* prepare(claims)
      const found = yield* candidates(60_000)
      expect(yield* sweep(system, kind, found, { floor, by: "hub" })).toEqual({ kept: 4, dropped: 2 })
      const events = (yield* recorded).filter(({ type }) => type === "PheromoneEvaporated")
      expect(events.map(({ stream, by, data }) => ({ stream, by, ...data }))).toEqual(
        ["forever", "done"].map((id) => ({
          stream: `claim/${id}`,
          by: "hub",
          intensity: Math.exp(-60),
          floor,
          reason: "sweep"
        }))
      )
      expect(yield* candidates(60_000)).toEqual([])
    })
  )

  withClaims("leaves alone whatever happened to since it looked, and counts only what went", (claims) =>
    Effect.gen(function* () {
      const { publish, send, system, kind } = claims
      yield* prepare(claims)
      const found = yield* candidates(60_000, { openBefore: 60_000 })
      yield* send("open", { type: "ClaimWork", peer: "ann" })
      yield* publish("done", { baseIntensity: 7 })
      yield* send("forever", { type: "EvaporatePheromone" })
      const before = yield* trace
      expect(yield* sweep(system, kind, found, { floor, by: "hub" })).toEqual({ kept: 5, dropped: 0 })
      expect(yield* trace).toEqual(before)
    })
  )

  withStore("keeps settled work refused across sweep, restart and republish", () =>
    Effect.gen(function* () {
      const settled = ["forever", "done"] as const
      const refusals = ({ send }: Claims) =>
        Effect.forEach(settled, (id) =>
          Effect.map(Effect.exit(send(id, { type: "ClaimWork", peer: "bob", preclaim: true })), reasonOf)
        )
      const token = yield* Effect.scoped(
        Effect.gen(function* () {
          const claims = yield* bootClaims()
          yield* prepare(claims)
          yield* sweep(claims.system, claims.kind, yield* candidates(60_000), { floor, by: "hub" })
          expect(yield* refusals(claims)).toEqual(["AlreadyDone", "AlreadyDone"])
          const granted = (yield* recorded).find(
            ({ stream, type }) => stream === "claim/forever" && type === "ClaimGranted"
          )
          return granted?.offset
        })
      )
      const claims = yield* bootClaims()
      const { publish, send } = claims
      expect(yield* refusals(claims)).toEqual(["AlreadyDone", "AlreadyDone"])
      expect(reasonOf(yield* Effect.exit(send("done", { type: "InflatePheromone" })))).toBe("UnknownClaim")
      yield* Effect.forEach(settled, (id) => publish(id))
      expect(yield* refusals(claims)).toEqual(["AlreadyDone", "AlreadyDone"])
      const completed = yield* send("forever", { type: "CompleteClaim", token: token as never })
      expect(completed.state).toMatchObject({ name: "done", context: { outcome: "completed" } })
      expect((yield* send("forever", { type: "CompleteClaim", token: token as never })).events).toEqual([])
    })
  )

  withClaims("of many marks goes by batches of 500, so that others are served between", (claims) =>
    Effect.gen(function* () {
      const { publish, send, system, kind } = claims
      const ids = Array.from({ length: 600 }, (_, n) => String(n))
      yield* Effect.forEach(
        ids,
        (id) =>
          Effect.zipRight(
            publish(id, { decayRate: 1 }),
            send(id, { type: "ClaimWork", peer: "anonymous", ttlMs: null })
          ),
        { concurrency: "unbounded", discard: true }
      )
      yield* TestClock.adjust(60_000)
      const sweeping = yield* Effect.fork(
        sweep(system, kind, yield* candidates(60_000), { floor, by: "hub" })
      )
      let most = 0
      while (Option.isNone(yield* Fiber.poll(sweeping))) {
        most = Math.max(most, system.waiting())
        yield* Effect.yieldNow()
      }
      expect(yield* Fiber.join(sweeping)).toEqual({ kept: 0, dropped: 600 })
      expect(most).toBeLessThanOrEqual(500)
    })
  )
})
