import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import type { ClaimCommand } from "../../../src/actors/claim/ClaimCommand.js"
import { Journal } from "../../../src/events/Journal.js"
import {
  bootClaims,
  pass,
  reasonOf,
  recordedTypes,
  take,
  together,
  tokenOf,
  withClaims,
  withStore
} from "../../support/claimSystem.js"
import { offset } from "../../support/stores.js"
import { turns } from "../../support/systems.js"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe("many callers at once", () => {
  withClaims(
    "64 race for one claim: one is granted, 63 are refused, there is one event",
    ({ publish, send }) =>
      Effect.gen(function* () {
        yield* publish("a")
        const exits = yield* Effect.forEach(
          numbers(64),
          (n) => Effect.exit(send("a", take(`peer-${n}`))),
          together
        )
        const reasons = exits.map(reasonOf)
        expect(reasons.filter((reason) => reason === "granted")).toHaveLength(1)
        expect(reasons.filter((reason) => reason === "AlreadyClaimed")).toHaveLength(63)
        expect(yield* recordedTypes).toEqual(["PheromoneDeposited", "ClaimGranted"])
      })
  )

  withClaims("10 on each of 20 ids: one winner each, and tokens rise over all of them", ({ publish, send }) =>
    Effect.gen(function* () {
      const ids = numbers(20).map(String)
      yield* Effect.forEach(ids, (id) => publish(id), together)
      const exits = yield* Effect.forEach(
        numbers(200),
        (n) => Effect.exit(send(String(n % 20), take(`peer-${n}`))),
        together
      )
      const winners = exits.filter(Exit.isSuccess).map(({ value }) => value)
      expect(new Set(winners.map(({ stream }) => stream)).size).toBe(20)
      expect(winners).toHaveLength(20)
      const tokens = winners.map(tokenOf)
      expect(tokens).toEqual(winners.map(({ events }) => events[0]?.offset))
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
      expect(new Set(tokens).size).toBe(20)
    })
  )

  withClaims("64 ask for the next of 10 marks: each mark is granted once", ({ publish, send }) =>
    Effect.gen(function* () {
      yield* Effect.forEach(numbers(10), (n) => publish(String(n)), together)
      const exits = yield* Effect.forEach(
        numbers(64),
        () => Effect.exit(send(undefined, { type: "ClaimNext", peer: "ann" })),
        together
      )
      const granted = exits.filter(Exit.isSuccess).map(({ value }) => value.stream)
      expect(new Set(granted).size).toBe(10)
      expect(granted).toHaveLength(10)
      expect(exits.map(reasonOf).filter((reason) => reason === "NoneOpen")).toHaveLength(54)
    })
  )

  withClaims("40 inflates add 40", ({ publish, send }) =>
    Effect.gen(function* () {
      yield* publish("a", { inflations: 2 })
      yield* Effect.forEach(numbers(40), () => send("a", { type: "InflatePheromone" }), together)
      const { state } = yield* send("a", take("ann"))
      expect(state.context.inflations).toBe(42)
    })
  )
})

describe("a ClaimNext that waits", () => {
  const next = (stances: ReadonlyArray<string>): ClaimCommand => ({ type: "ClaimNext", peer: "ann", stances })

  withClaims("gets the mark that becomes open, the first in the queue that wants it", (claims) =>
    Effect.gen(function* () {
      const { publish, send } = claims
      const waiting = yield* Effect.forEach([["build"], ["review"], ["review"]], (stances) =>
        Effect.zipLeft(Effect.fork(send(undefined, next(stances), { waitMs: 60_000 })), turns)
      )
      yield* publish("a")
      yield* turns
      const polled = yield* Effect.forEach(waiting, Fiber.poll)
      expect(polled.map(({ _tag }) => _tag)).toEqual(["None", "Some", "None"])
      yield* Fiber.interruptAll(waiting)
    })
  )

  withClaims("gets work that a dead holder leaves, with the expiry", ({ publish, send }) =>
    Effect.gen(function* () {
      yield* publish("a")
      yield* send("a", take("bob"))
      const waiting = yield* Effect.fork(send(undefined, next(["review"]), { waitMs: 60_000 }))
      yield* pass(59_000)
      yield* pass(1_000)
      const second = yield* Effect.fork(send(undefined, next(["review"]), { waitMs: 60_000 }))
      yield* pass(30_000)
      const granted = yield* Fiber.join(second)
      expect(granted.state.context).toMatchObject({ holder: { peer: "ann" }, attempts: 2 })
      expect(reasonOf(yield* Effect.exit(Fiber.join(waiting)))).toBe("NoneOpen")
    })
  )
})

describe("a mark whose history does not fold", () => {
  withStore("stands in the way of no ClaimNext", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const bad = {
        stream: "claim/bad" as never,
        version: 1 as never,
        schema: 1,
        at: 0,
        state: "?",
        by: "test",
        commandId: "bad",
        causation: null,
        correlation: null
      }
      yield* journal.append({ events: [{ ...bad, type: "ClaimReopened", data: { reason: "never" } }] })
      const { kind, publish, send } = yield* bootClaims()
      const mark = { stanceTarget: "review", baseIntensity: 9, decayRate: 0, publishedAt: 0, inflations: 0 }
      const open = [{ ...mark, id: "bad", notBefore: 0, firstOffset: offset(1) }]
      kind.index.seed({ counts: new Map(), listed: 1, open, leased: [] })
      yield* publish("good")
      const next = () => send(undefined, { type: "ClaimNext", peer: "ann" })
      expect((yield* next()).stream).toBe("claim/good")
      expect(reasonOf(yield* Effect.exit(next()))).toBe("NoneOpen")
    })
  )
})
