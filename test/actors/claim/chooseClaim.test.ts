import { describe, expect, it } from "@effect/vitest"
import type { ClaimCommand } from "../../../src/actors/claim/ClaimCommand.js"
import type { MarkRecord } from "../../../src/actors/claim/ClaimEvent.js"
import { idOf } from "../../../src/events/Event.js"
import { record } from "../../support/claimFacts.js"
import { Ledger } from "../../support/ledger.js"

type Next = Extract<ClaimCommand, { type: "ClaimNext" }>
const next = (fields: Partial<Next> = {}): Next => ({ type: "ClaimNext", peer: "ann", ...fields })

const publish = (ledger: Ledger, id: string, mark: MarkRecord = {}) =>
  ledger.send(id, { type: "DepositPheromone", record: record({ id, ...mark }) })

/** The id that a ClaimNext is granted, or why it gets none. */
const taken = (ledger: Ledger, fields: Partial<Next> = {}): string => {
  const happened = ledger.send(undefined, next(fields))
  if (happened._tag === "Recorded") return idOf(happened.event.stream)
  return happened._tag === "Refused" ? happened.reason : "nothing"
}

const ledgerWith = (marks: { readonly [id: string]: MarkRecord }): Ledger => {
  const ledger = new Ledger()
  for (const [id, mark] of Object.entries(marks)) publish(ledger, id, mark)
  return ledger
}

describe("ClaimNext", () => {
  it("takes the strongest open mark, then the next, then says that there is none", () => {
    const ledger = ledgerWith({ weak: {}, strong: { baseIntensity: 3 }, middle: { baseIntensity: 2 } })
    expect([1, 2, 3, 4].map(() => taken(ledger))).toEqual(["strong", "middle", "weak", "NoneOpen"])
  })

  it("takes the longest listed of equally strong ones", () => {
    const ledger = ledgerWith({ first: {}, second: {}, third: {} })
    publish(ledger, "first")
    expect([1, 2, 3].map(() => taken(ledger))).toEqual(["first", "second", "third"])
  })

  it("keeps a mark's place while it is claimed and given back, and gives it a new one after evaporation", () => {
    const ledger = ledgerWith({ first: {}, second: {} })
    const granted = ledger.send("first", { type: "ClaimWork", peer: "bob" })
    if (granted._tag !== "Recorded") throw new Error("not granted")
    ledger.send("first", { type: "ReleaseClaim", token: granted.event.offset })
    expect(taken(ledger)).toBe("first")
    const again = ledgerWith({ first: {}, second: {} })
    again.send("first", { type: "EvaporatePheromone" })
    publish(again, "first")
    expect(taken(again)).toBe("second")
  })

  it("compares intensities as they are now, not as they were published", () => {
    const ledger = ledgerWith({ fading: { baseIntensity: 5, decayRate: 1 }, steady: {} })
    ledger.pass(10_000)
    expect(taken(ledger)).toBe("steady")
    const early = ledgerWith({ fading: { baseIntensity: 5, decayRate: 1 }, steady: {} })
    expect(taken(early)).toBe("fading")
  })

  it("prefers what was inflated", () => {
    const ledger = ledgerWith({ one: {}, two: {} })
    ledger.send("two", { type: "InflatePheromone" })
    expect(taken(ledger)).toBe("two")
  })

  it("weighs stances; a list weighs each 1, and others are not wanted", () => {
    const marks = {
      review: { stanceTarget: "review", baseIntensity: 3 },
      build: { stanceTarget: "build", baseIntensity: 2 }
    }
    expect(taken(ledgerWith(marks), { stances: ["build"] })).toBe("build")
    expect(taken(ledgerWith(marks), { stances: ["build", "review"] })).toBe("review")
    expect(taken(ledgerWith(marks), { stances: { build: 1, review: 0.5 } })).toBe("build")
    expect(taken(ledgerWith(marks), { stances: { review: 0 } })).toBe("NoneOpen")
    expect(taken(ledgerWith(marks), { stances: [] })).toBe("NoneOpen")
    expect(taken(ledgerWith(marks), { stances: ["toString"] })).toBe("NoneOpen")
  })

  it("takes only what scores at least the minimum, 0 unless it says otherwise", () => {
    const marks = { a: { baseIntensity: 0.5 } }
    expect(taken(ledgerWith(marks), { minScore: 0.5 })).toBe("a")
    expect(taken(ledgerWith(marks), { minScore: 0.51 })).toBe("NoneOpen")
    expect(taken(ledgerWith(marks), { minScore: 0.3, stances: { review: 0.5 } })).toBe("NoneOpen")
    expect(taken(ledgerWith({ a: { baseIntensity: -1 } }))).toBe("NoneOpen")
    expect(taken(ledgerWith({ a: { baseIntensity: -1 } }), { minScore: -1 })).toBe("a")
    expect(taken(ledgerWith({ a: { baseIntensity: 0 } }))).toBe("a")
  })

  it("takes only ids with the prefix", () => {
    const marks = { "x/1": {}, "y/1": { baseIntensity: 2 } }
    expect(taken(ledgerWith(marks), { prefix: "x/" })).toBe("x/1")
    expect(taken(ledgerWith(marks), { prefix: "z" })).toBe("NoneOpen")
  })

  it("skips a mark after a failure until its time has come", () => {
    const ledger = ledgerWith({ a: {} })
    const granted = ledger.send("a", { type: "ClaimWork", peer: "bob" })
    if (granted._tag !== "Recorded") throw new Error("not granted")
    ledger.send("a", { type: "FailClaim", token: granted.event.offset, reason: "r" })
    ledger.pass(4_999)
    expect(taken(ledger)).toBe("NoneOpen")
    ledger.pass(1)
    expect(taken(ledger)).toBe("a")
  })

  it("skips what is held, done or gone", () => {
    const ledger = ledgerWith({ held: {}, done: {}, gone: {} })
    ledger.send("held", { type: "ClaimWork", peer: "bob" })
    const granted = ledger.send("done", { type: "ClaimWork", peer: "bob" })
    if (granted._tag !== "Recorded") throw new Error("not granted")
    ledger.send("done", { type: "CompleteClaim", token: granted.event.offset })
    ledger.send("gone", { type: "EvaporatePheromone" })
    expect(taken(ledger)).toBe("NoneOpen")
  })

  it("records the score that it was chosen for, and the lease that was asked for", () => {
    const ledger = ledgerWith({ a: { baseIntensity: 2 } })
    const command = next({ stances: { review: 0.25 }, ttlMs: 5_000, graceMs: 0, instance: "1" })
    expect(ledger.send(undefined, command)).toMatchObject({
      event: {
        type: "ClaimGranted",
        data: { peer: "ann", instance: "1", ttlMs: 5_000, graceMs: 0, attempt: 1, score: 0.5 }
      }
    })
  })

  it("gives a peer at its limit nothing, and binds no claim to a presence that is not live", () => {
    const ledger = new Ledger({ maxHeldPerPeer: 1 })
    for (const id of ["a", "b", "c"]) publish(ledger, id)
    expect([taken(ledger), taken(ledger), taken(ledger, { ttlMs: null })]).toEqual(["a", "QuotaReached", "b"])
    expect(taken(ledger, { peer: "bob", boundTo: "presence/x" })).toBe("PresenceNotLive")
    expect(taken(ledger, { peer: "bob" })).toBe("c")
  })
})

describe("what wakes a waiting ClaimNext", () => {
  it("is an open mark that it wants", () => {
    const ledger = ledgerWith({ a: {} })
    const { kind } = ledger
    const open = ledger.state("a")
    expect(kind.wakes?.(next(), open)).toBe(true)
    expect(kind.wakes?.(next({ stances: ["build"] }), open)).toBe(false)
    expect(kind.wakes?.(next({ minScore: 2 }), open)).toBe(false)
    expect(kind.wakes?.({ type: "InflatePheromone" }, open)).toBe(false)
    ledger.send("a", { type: "ClaimWork", peer: "bob" })
    expect(kind.wakes?.(next(), ledger.state("a"))).toBe(false)
  })
})
