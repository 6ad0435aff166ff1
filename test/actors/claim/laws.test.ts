import { afterEach, describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { ClaimEvent } from "../../../src/actors/claim/ClaimEvent.js"
import type { ClaimState } from "../../../src/actors/claim/ClaimIndex.js"
import { openMark, type Selection, scoreOf } from "../../../src/actors/claim/ClaimIndex.js"
import type { ActorState } from "../../../src/actors/fold.js"
import type { RecordedEvent, StreamId } from "../../../src/events/Event.js"
import { histories, ids, type Step, step, take } from "../../support/claimSteps.js"
import { Ledger } from "../../support/ledger.js"

const runs = { numRuns: 100 }

/** A ledger after a history; `check` looks at it after every step. */
const ledgerAfter = (steps: ReadonlyArray<Step>, check: (ledger: Ledger) => void = () => {}): Ledger => {
  const ledger = new Ledger({ maxHeldPerPeer: 2 })
  for (const each of steps) {
    take(ledger, each)
    check(ledger)
  }
  return ledger
}

const always = (law: (ledger: Ledger) => void, eachStep = false) =>
  fc.assert(
    fc.property(histories, (steps) => law(ledgerAfter(steps, eachStep ? law : undefined))),
    runs
  )

const byStream = (
  events: ReadonlyArray<RecordedEvent>
): ReadonlyMap<StreamId, ReadonlyArray<RecordedEvent>> => {
  const streams = new Map<StreamId, Array<RecordedEvent>>()
  for (const event of events) streams.set(event.stream, [...(streams.get(event.stream) ?? []), event])
  return streams
}

const ends = new Set(["ClaimReleased", "ClaimCompleted", "ClaimFailed", "ClaimRevoked", "ClaimExpired"])

// These never wait, and between two of them the runner must be able to hear of the first.
afterEach(() => new Promise<void>((resume) => setImmediate(resume)))

describe("whatever is asked of claims, in whatever order, while time passes", () => {
  it("every kind of event comes up in these histories", () => {
    const seen = fc
      .sample(fc.array(step, { minLength: 80, maxLength: 80 }), { numRuns: 100, seed: 7 })
      .flatMap((steps) => ledgerAfter(steps).events.map(({ type }) => type))
    const declared = ClaimEvent.members.map((member) => member.fields.type.literals[0])
    expect(new Set(seen)).toEqual(new Set(declared))
  })

  it("a claim never has two holders, and whoever acts on it has the token of its holder", () => {
    always(({ events }) => {
      for (const stream of byStream(events).values()) {
        let held: number | undefined
        let last: number | undefined
        for (const { type, offset, data } of stream) {
          if (type === "ClaimGranted") expect(held).toBeUndefined()
          if (type === "ClaimTransferred") expect([held, data.previousToken]).toEqual([last, last])
          if (type === "ClaimGranted" || type === "ClaimTransferred") held = last = offset
          if (data.token !== undefined) expect(data.token).toBe(last)
          if (ends.has(type) || type === "PheromoneEvaporated" || type === "ClaimReopened") held = undefined
        }
      }
    })
  })

  it("tokens rise over all claims", () => {
    always(({ states, events }) => {
      const grants = events.filter(({ type }) => type === "ClaimGranted" || type === "ClaimTransferred")
      for (const { stream, context } of states) {
        expect(context.token).toBe(grants.findLast((grant) => grant.stream === stream)?.offset ?? null)
      }
    })
  })

  it("settled work is granted to nobody until an operator opens it again", () => {
    always(({ states }) => {
      for (const { name, context } of states) {
        if (context.settled) expect(["done", "evaporated"]).toContain(name)
        else expect(name).not.toBe("done")
      }
    }, true)
  })

  it("a holder, an offer, an outcome and attempts are where they belong, and nowhere else", () => {
    always(({ states }) => {
      for (const { name, context } of states) {
        const isHeld = name.startsWith("held.")
        const { holder, settled, offer, outcome, attempts, mark, lastEnd } = context
        expect(holder !== null).toBe(isHeld || (settled && outcome === null))
        expect(offer !== null).toBe(name === "held.offered")
        expect(outcome === null || settled).toBe(true)
        expect(lastEnd === null || !isHeld).toBe(true)
        expect(attempts).toBeGreaterThanOrEqual(isHeld ? 1 : 0)
        if (name === "open") expect(mark).not.toBeNull()
        if (name === "unmarked" || name === "evaporated") expect(mark).toBeNull()
        expect(mark === null).toBe(context.firstOffset === null)
      }
    }, true)
  })

  it("a deadline is armed exactly while a timed lease, a grace or an offer runs, and never overdue", () => {
    const deadlinesOf = ({ name, context: { ttlMs } }: ClaimState): ReadonlyArray<string> => {
      if (name === "held.active") return ttlMs === null ? [] : ["lease"]
      if (name === "held.grace") return ["grace"]
      return name === "held.offered" ? ["offer"] : []
    }
    always(({ states, now }) => {
      for (const state of states) {
        expect(state.deadlines.map(({ id }) => id)).toEqual(deadlinesOf(state))
        for (const { dueAt } of state.deadlines) expect(dueAt).toBeGreaterThanOrEqual(now)
      }
    })
  })

  it("every event is of a declared shape", () => {
    const isEvent = Schema.is(ClaimEvent)
    always(({ events }) => {
      const wrong = events.filter(({ type, data }) => !isEvent({ type, ...data }))
      expect(wrong).toEqual([])
    })
  })

  it("replay accepts every event, and it leads to the state that was recorded", () => {
    always(({ kind: { fold }, events }) => {
      for (const [stream, own] of byStream(events)) {
        let state: ActorState | undefined = fold.initial(stream)
        for (const event of own) {
          state = state && fold.apply(state, event)
          expect(state?.name).toBe(event.state)
        }
      }
    })
  })

  it("replay and a restored snapshot are the live state, context, deadlines and all", () => {
    always((ledger) => {
      const { fold } = ledger.kind
      for (const live of ledger.states) {
        const stream = ledger.events.filter((event) => event.stream === live.stream)
        const replayed = stream.reduce(
          (state, event) => fold.apply(state, event) ?? state,
          fold.initial(live.stream)
        )
        const restored = fold.restore(live.stream, fold.persist(live))
        const { snapshot: _, ...comparable } = live
        expect(replayed).toMatchObject(JSON.parse(JSON.stringify(comparable)))
        expect(restored).toMatchObject(JSON.parse(JSON.stringify(comparable)))
      }
    })
  })

  it("what the index says of all claims is what the claims say", () => {
    const selection: Selection = {
      weights: new Map([
        ["review", 1],
        ["build", 0.5]
      ]),
      minScore: 0,
      prefix: ""
    }
    always(({ kind: { index }, states, now }) => {
      const named = (name: string) => states.filter((state) => state.name === name)
      for (const { name } of states) expect(index.counts.get(name)).toBe(named(name).length)
      expect([...index.counts.values()].reduce((sum, count) => sum + count, 0)).toBe(states.length)
      expect(index.listed).toBe(states.filter(({ context }) => context.mark).length)
      for (const peer of ["ann", "bob", "anonymous"]) {
        const leased = states.filter(
          ({ name, context }) =>
            name.startsWith("held.") && context.holder?.peer === peer && context.ttlMs !== null
        )
        expect(index.heldBy(peer)).toBe(leased.length)
      }
      const scores = states.flatMap((state) => {
        const mark = openMark(state)
        const score = mark && scoreOf(mark, selection, now)
        return mark && score !== undefined && score !== null ? [{ id: mark.id, score, mark }] : []
      })
      const [best] = scores.toSorted((a, b) => b.score - a.score || a.mark.firstOffset - b.mark.firstOffset)
      expect(index.strongest(selection, now)).toEqual(best && { id: best.id, score: best.score })
    })
  })

  it("no peer ever holds more leases than it may", () => {
    always(({ kind: { index } }) => {
      for (const peer of ["ann", "bob", "anonymous"]) expect(index.heldBy(peer)).toBeLessThanOrEqual(2)
    }, true)
  })

  it("with nobody left to act, every timed lease ends by itself", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const ledger = ledgerAfter(steps)
        ledger.pass(10 * 60_000)
        for (const id of ids) {
          const { name, context } = ledger.state(id)
          if (name.startsWith("held.")) expect([name, context.ttlMs]).toEqual(["held.active", null])
        }
      }),
      runs
    )
  })
})
