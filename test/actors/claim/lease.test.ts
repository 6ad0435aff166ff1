import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import type { ClaimCommand } from "../../../src/actors/claim/ClaimCommand.js"
import {
  pass,
  reasonOf,
  recorded,
  recordedTypes,
  stateOf,
  take,
  together,
  tokenOf,
  trace,
  withClaims
} from "../../support/claimSystem.js"
import { offset } from "../../support/stores.js"
import { turns } from "../../support/systems.js"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe("a lease", () => {
  withClaims("runs, gives its grace, comes back by a renewal, and ends in silence", (claims) =>
    Effect.gen(function* () {
      const { publish, send } = claims
      yield* publish("a")
      const granted = yield* send("a", take("ann"))
      const at = (state: string) => Effect.map(stateOf(claims, "a"), ({ name }) => expect(name).toBe(state))
      yield* pass(59_900)
      yield* at("held.active")
      yield* pass(100)
      yield* at("held.grace")
      yield* pass(20_000)
      const renewal = yield* send("a", { type: "RenewClaim", token: tokenOf(granted) })
      expect(renewal.state).toMatchObject({ name: "held.active", deadlines: [{ dueAt: 140_000 }] })
      yield* pass(60_000)
      yield* at("held.grace")
      yield* pass(29_999)
      yield* at("held.grace")
      yield* pass(1)
      yield* at("open")
      const next = yield* send("a", take("bob"))
      expect(tokenOf(next)).toBeGreaterThan(tokenOf(granted))
      expect(next.state.context.attempts).toBe(2)
      expect((yield* recorded).map(({ type, at }) => [type, at])).toEqual([
        ["PheromoneDeposited", 0],
        ["ClaimGranted", 0],
        ["ClaimGraceStarted", 60_000],
        ["ClaimRenewed", 80_000],
        ["ClaimGraceStarted", 140_000],
        ["ClaimExpired", 170_000],
        ["ClaimGranted", 170_000]
      ])
    })
  )

  withClaims(
    "is renewed by an event only after a third of it, and every answer names the same end",
    (claims) =>
      Effect.gen(function* () {
        const { publish, send } = claims
        yield* publish("a")
        const token = tokenOf(yield* send("a", take("ann")))
        const renewAfter = (ms: number) => Effect.zipRight(pass(ms), send("a", { type: "RenewClaim", token }))
        const renewals = [yield* renewAfter(1_000), yield* renewAfter(18_000), yield* renewAfter(1_000)]
        expect(renewals.map(({ events }) => events.length)).toEqual([0, 0, 1])
        expect(renewals.map(({ state }) => state.deadlines[0]?.dueAt)).toEqual([60_000, 60_000, 80_000])
      })
  )

  withClaims("that is renewed while its end is queued already survives", ({ publish, send }) =>
    Effect.gen(function* () {
      yield* publish("a")
      const token = tokenOf(yield* send("a", take("ann")))
      yield* pass(59_500)
      // One step of the clock wakes both, the renewal first.
      const renewing = yield* Effect.fork(Effect.delay(send("a", { type: "RenewClaim", token }), 499))
      yield* turns
      yield* pass(500)
      expect((yield* Fiber.join(renewing)).state.name).toBe("held.active")
      yield* pass(59_000)
      expect(yield* recordedTypes).toEqual(["PheromoneDeposited", "ClaimGranted", "ClaimRenewed"])
    })
  )

  withClaims(
    "that is renewed in its grace while its expiry is queued already survives too",
    ({ publish, send }) =>
      Effect.gen(function* () {
        yield* publish("a")
        const token = tokenOf(yield* send("a", take("ann")))
        yield* pass(60_000)
        yield* TestClock.adjust(29_999)
        const renewing = yield* Effect.fork(send("a", { type: "RenewClaim", token }))
        yield* TestClock.adjust(1)
        yield* turns
        expect((yield* Fiber.join(renewing)).state.name).toBe("held.active")
        expect((yield* recordedTypes).slice(2)).toEqual(["ClaimGraceStarted", "ClaimRenewed"])
      })
  )

  withClaims("600 that are due at once all end, none twice", ({ publish, send }) =>
    Effect.gen(function* () {
      const ids = numbers(600).map(String)
      yield* Effect.forEach(ids, (id) => Effect.zipRight(publish(id), send(id, take("ann"))), together)
      yield* pass(60_000)
      yield* Effect.repeatN(pass(10_000), 3)
      const expired = (yield* recorded).filter(({ type }) => type === "ClaimExpired")
      expect(new Set(expired.map(({ stream }) => stream)).size).toBe(600)
      expect(expired).toHaveLength(600)
    })
  )
})

describe("a holder that was paused past its lease", () => {
  const lateCommands = (token: number): ReadonlyArray<ClaimCommand> => [
    { type: "RenewClaim", token: offset(token) },
    { type: "CompleteClaim", token: offset(token) },
    { type: "ReleaseClaim", token: offset(token) },
    { type: "FailClaim", token: offset(token), reason: "late" },
    { type: "OfferHandoff", token: offset(token), to: "ann" },
    { type: "VerifyClaim", token: offset(token) }
  ]

  withClaims(
    "is refused as stale in all that it tries, and its successor is untouched",
    ({ publish, send }) =>
      Effect.gen(function* () {
        yield* publish("a")
        const token = tokenOf(yield* send("a", take("ann")))
        yield* pass(60_000)
        yield* pass(30_000)
        const successor = yield* send("a", take("bob"))
        const before = yield* trace
        const exits = yield* Effect.forEach(lateCommands(token), (command) => Effect.exit(send("a", command)))
        expect(exits.map(reasonOf)).toEqual(lateCommands(token).map(() => "StaleToken"))
        expect(yield* trace).toEqual(before)
        const verified = yield* send("a", { type: "VerifyClaim", token: tokenOf(successor) })
        expect(verified.state).toBe(successor.state)
      })
  )

  withClaims("is refused as stale too when nobody has claimed since", ({ publish, send }) =>
    Effect.gen(function* () {
      yield* publish("a")
      const token = tokenOf(yield* send("a", take("ann")))
      yield* pass(60_000)
      yield* pass(30_000)
      const before = yield* trace
      const exits = yield* Effect.forEach(lateCommands(token), (command) => Effect.exit(send("a", command)))
      expect(exits.map(reasonOf)).toEqual(lateCommands(token).map(() => "StaleToken"))
      expect(yield* trace).toEqual(before)
    })
  )
})

describe("a handoff", () => {
  withClaims("that nobody answers lapses; the lease begins anew, and if all die the work is free", (claims) =>
    Effect.gen(function* () {
      const { publish, send } = claims
      yield* publish("a")
      const token = tokenOf(yield* send("a", take("ann")))
      yield* pass(50_000)
      yield* send("a", { type: "OfferHandoff", token, to: "bob", offerMs: 20_000 })
      yield* pass(20_000)
      expect(yield* stateOf(claims, "a")).toMatchObject({
        name: "held.active",
        deadlines: [{ id: "lease", dueAt: 130_000 }]
      })
      yield* pass(60_000)
      yield* pass(30_000)
      expect((yield* stateOf(claims, "a")).name).toBe("open")
      expect((yield* recordedTypes).slice(2)).toEqual([
        "HandoffOffered",
        "HandoffLapsed",
        "ClaimGraceStarted",
        "ClaimExpired"
      ])
    })
  )

  withClaims("that is accepted as it lapses goes to the addressee, and the lapse does nothing", (claims) =>
    Effect.gen(function* () {
      const { publish, send } = claims
      yield* publish("a")
      const token = tokenOf(yield* send("a", take("ann")))
      yield* send("a", { type: "OfferHandoff", token, to: "bob", offerMs: 20_000 })
      yield* TestClock.adjust(19_999)
      const accepting = yield* Effect.fork(send("a", { type: "AcceptHandoff", peer: "bob" }))
      yield* TestClock.adjust(1)
      yield* turns
      expect((yield* Fiber.join(accepting)).state.context.holder).toEqual({ peer: "bob" })
      expect((yield* recordedTypes).at(-1)).toBe("ClaimTransferred")
    })
  )
})
