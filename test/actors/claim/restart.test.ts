import { describe, expect } from "@effect/vitest"
import { Effect, Exit, TestClock } from "effect"
import type { ClaimCommand } from "../../../src/actors/claim/ClaimCommand.js"
import { readSeed } from "../../../src/hub/lifecycle.js"
import { Projector } from "../../../src/projections/Projector.js"
import {
  bootClaims,
  type Claims,
  pass,
  reasonOf,
  recorded,
  take,
  tokenOf,
  trace,
  withStore
} from "../../support/claimSystem.js"
import { offset } from "../../support/stores.js"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const deposit = (fields: object): ClaimCommand => ({
  type: "DepositPheromone",
  record: { id: "a", stanceTarget: "review", baseIntensity: 1, decayRate: 0 },
  ...fields
})

describe("a repeated command id", () => {
  withStore("gives the first answer again and appends nothing, also after a restart", () =>
    Effect.gen(function* () {
      const grant = (claims: Claims) => claims.send("a", take("ann"), { commandId: "grant" })
      const complete = (claims: Claims) =>
        claims.send("a", { type: "CompleteClaim", token: offset(2) }, { commandId: "complete" })
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const claims = yield* bootClaims()
          yield* claims.publish("a")
          return [yield* grant(claims), yield* grant(claims), yield* complete(claims)]
        })
      )
      const before = yield* trace
      const restarted = yield* bootClaims()
      const again = [yield* grant(restarted), yield* grant(restarted), yield* complete(restarted)]
      const told = (outcomes: typeof first) =>
        outcomes.map(({ events, state, at }) => [
          events.map(({ json }) => json),
          state.name,
          state.context,
          at
        ])
      expect(told(again)).toEqual(told(first))
      expect(first.map(tokenOf)).toEqual([2, 2, 2])
      expect(yield* trace).toEqual(before)
    })
  )
})

describe("a restart", () => {
  withStore("ends no lease by itself: each has its grace from there, then silence ends it", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { publish, send } = yield* bootClaims()
          yield* Effect.forEach(numbers(100), (n) =>
            Effect.zipRight(publish(String(n)), send(String(n), take("ann")))
          )
        })
      )
      yield* TestClock.adjust(600_000)
      const claims = yield* bootClaims()
      expect(claims.system.floorAt()).toBe(600_000)
      yield* pass(29_999)
      expect((yield* recorded).length).toBe(200)
      yield* pass(1)
      yield* pass(30_000)
      const ended = (yield* recorded).slice(200)
      expect(ended.map(({ type, at }) => `${type} ${at}`)).toEqual([
        ...numbers(100).map(() => "ClaimGraceStarted 630000"),
        ...numbers(100).map(() => "ClaimExpired 660000")
      ])
    })
  )

  withStore("makes an expiry late, and the event says by how much", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { publish, send } = yield* bootClaims()
          yield* publish("a")
          yield* send("a", take("ann"))
          yield* pass(60_000)
        })
      )
      yield* TestClock.adjust(540_000)
      yield* bootClaims()
      yield* pass(30_000)
      // Its grace was to end at 90,000.
      expect((yield* recorded).at(-1)).toMatchObject({
        type: "ClaimExpired",
        at: 630_000,
        data: { overdueMs: 540_000 }
      })
    })
  )

  withStore("changes nothing of a lease that is granted after it, however short beside its grace", () =>
    Effect.gen(function* () {
      const { publish, send } = yield* bootClaims()
      yield* publish("a")
      yield* send("a", { type: "ClaimWork", peer: "ann", ttlMs: 5_000, graceMs: 60_000 })
      yield* pass(5_000)
      expect((yield* recorded).at(-1)).toMatchObject({ type: "ClaimGraceStarted", at: 5_000 })
    })
  )

  withStore("knows what is open, how strong it is and what must wait, and how much each peer holds", () =>
    Effect.gen(function* () {
      const rules = { maxHeldPerPeer: 1 }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { publish, send } = yield* bootClaims(rules)
          yield* publish("fading", { baseIntensity: 3, decayRate: 1 })
          yield* publish("inflated")
          yield* send("inflated", { type: "InflatePheromone" })
          yield* publish("failed", { baseIntensity: 9 })
          const token = tokenOf(yield* send("failed", take("bob")))
          yield* send("failed", { type: "FailClaim", token, reason: "r", retryAfterMs: 30_000 })
          yield* publish("held")
          yield* send("held", take("ann"))
        })
      )
      yield* TestClock.adjust(10_000)
      const { kind, send } = yield* bootClaims(rules)
      kind.index.seed(yield* readSeed((yield* Projector).read))
      const next = (peer: string) =>
        Effect.map(Effect.exit(send(undefined, { type: "ClaimNext", peer })), (exit) =>
          Exit.isSuccess(exit) ? exit.value.stream : reasonOf(exit)
        )
      expect(yield* next("ann")).toBe("QuotaReached")
      expect(yield* next("cid")).toBe("claim/inflated")
      expect(yield* next("dan")).toBe("claim/fading")
      expect(yield* next("eve")).toBe("NoneOpen")
      yield* pass(20_000)
      expect(yield* next("eve")).toBe("claim/failed")
      expect(kind.index.listed).toBe(4)
      expect(kind.index.count("held.active", "held.grace")).toBe(4)
    })
  )
})

describe("a refused command", () => {
  withStore("leaves the journal and the projection as they are, before and after a restart", () =>
    Effect.gen(function* () {
      const refused: ReadonlyArray<readonly [string, string | undefined, ClaimCommand]> = [
        ["StanceUnknown", "new", { type: "DepositPheromone", record: { id: "new", stanceTarget: "x" } }],
        ["VersionConflict", "a", deposit({ expectedVersion: 9 })],
        ["UnknownClaim", "nobody", { type: "InflatePheromone" }],
        ["AlreadyClaimed", "a", take("bob")],
        ["AlreadyDone", "done", take("bob")],
        ["StaleToken", "a", { type: "RenewClaim", token: offset(1) }],
        ["NotHeld", "open", { type: "RevokeClaim", reason: "r" }],
        ["NotDone", "a", { type: "ReopenClaim", reason: "r" }],
        ["NoOffer", "a", { type: "AcceptHandoff", peer: "bob" }],
        ["NotAddressee", "offered", { type: "DeclineHandoff", peer: "cid" }],
        ["TokenChanged", "a", { type: "ReclaimWork", peer: "b", expectedToken: offset(1), reason: "r" }],
        ["HolderLive", "a", { type: "ReclaimWork", peer: "b", expectedToken: offset(5), reason: "r" }],
        ["PresenceNotLive", "open", { type: "ClaimWork", peer: "b", boundTo: "presence/x" }],
        ["NoneOpen", undefined, { type: "ClaimNext", peer: "b", stances: ["none"] }],
        ["QuotaReached", "open", take("ann")],
        ["IllegalInState", "offered", { type: "OfferHandoff", token: offset(8), to: "cid" }]
      ]
      const rules = { stances: new Set(["review"]), maxHeldPerPeer: 2 }
      const refuseAll = ({ send }: Claims) =>
        Effect.gen(function* () {
          const before = yield* trace
          const exits = yield* Effect.forEach(refused, ([, id, command]) => Effect.exit(send(id, command)))
          expect(exits.map(reasonOf)).toEqual(refused.map(([reason]) => reason))
          expect(yield* trace).toEqual(before)
        })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const claims = yield* bootClaims(rules)
          const { publish, send } = claims
          yield* Effect.forEach(["a", "open", "done", "offered"], (id) => publish(id))
          yield* send("a", take("ann"))
          const done = yield* send("done", take("bob"))
          yield* send("done", { type: "CompleteClaim", token: tokenOf(done) })
          const offered = yield* send("offered", take("ann"))
          yield* send("offered", { type: "OfferHandoff", token: tokenOf(offered), to: "bob" })
          yield* refuseAll(claims)
        })
      )
      const restarted = yield* bootClaims(rules)
      restarted.kind.index.seed({
        counts: new Map(),
        listed: 4,
        open: [],
        leased: ["a", "offered"].map((id) => ({ id, peer: "ann" }))
      })
      yield* refuseAll(restarted)
    })
  )
})
