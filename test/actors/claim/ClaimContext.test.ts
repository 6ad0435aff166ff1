import { describe, expect, it } from "@effect/vitest"
import type { ClaimContext } from "../../../src/actors/claim/ClaimContext.js"
import type { ClaimEvent } from "../../../src/actors/claim/ClaimEvent.js"
import {
  completed,
  declined,
  deposited,
  evaporated,
  expired,
  failed,
  graceStarted,
  granted,
  inflated,
  lapsed,
  offered,
  released,
  renewed,
  reopened,
  revoked,
  transferred,
  withdrawn
} from "../../support/claimFacts.js"
import { beginning, given, pause, type Story } from "../../support/claimStory.js"

/** What one event changes of the context, all of it. */
const changes = (story: Story, event: ClaimEvent): Partial<ClaimContext> => {
  const [before, then] = [story.state.context, story.and(event).state.context]
  return Object.fromEntries(
    Object.entries(then).filter(
      ([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field as keyof ClaimContext])
    )
  )
}

const open = given(deposited(), pause(1_000))
const active = given(deposited(), granted(), pause(1_000))
const forever = given(deposited(), granted("anonymous", { ttlMs: null }), pause(1_000))
const now = beginning + 1_000
const mark = { offset: 2, stanceTarget: "build", baseIntensity: 3, decayRate: 0.5 }
const build = { stanceTarget: "build", baseIntensity: 3, decayRate: 0.5, inflations: 4 }

describe("what a fact changes of a claim", () => {
  it("deposit: the mark, its clock, floor, attempts allowed and place", () => {
    expect(changes(given(pause(1_000)), deposited(build, { maxAttempts: 3 }))).toEqual({
      mark: { ...mark, offset: 1 },
      publishedAt: now,
      inflations: 4,
      maxAttempts: 3,
      firstOffset: 1
    })
  })

  it("deposit of an imported mark: its own clock, and 0 for what its record lacks", () => {
    const record = { id: "a" }
    expect(changes(given(), { type: "PheromoneDeposited", record, publishedAt: 77.5 })).toEqual({
      mark: { offset: 1, stanceTarget: "", baseIntensity: 0, decayRate: 0 },
      publishedAt: 77.5,
      firstOffset: 1
    })
  })

  it("republish: everything of the mark but its place", () => {
    expect(changes(open, deposited(build))).toEqual({ mark, publishedAt: now, inflations: 4 })
    const limited = given(deposited({}, { maxAttempts: 3 }), pause(1_000))
    expect(changes(limited, deposited(build))).toMatchObject({ maxAttempts: null })
  })

  it("republish of a held mark: neither lease nor deadline moves", () => {
    const story = active.and(deposited(build))
    const { holder, token, leaseFrom, grantedAt, firstOffset } = story.state.context
    expect({ holder, token, leaseFrom, grantedAt, firstOffset }).toEqual({
      holder: { peer: "ann" },
      token: 2,
      leaseFrom: beginning,
      grantedAt: beginning,
      firstOffset: 1
    })
    expect(story.state.deadlines).toBe(active.state.deadlines)
  })

  it("first deposit under a preclaim: it gets its place now", () => {
    expect(changes(given(granted(), pause(1_000)), deposited())).toMatchObject({ firstOffset: 2 })
  })

  it("deposit after evaporation: a new place, attempts from 0", () => {
    const story = given(deposited(), granted(), failed(), evaporated(), pause(1_000))
    expect(changes(story, deposited())).toMatchObject({ firstOffset: 5, publishedAt: now, attempts: 0 })
  })

  it("deposit after a settled claim evaporated: born claimed", () => {
    const story = given(deposited(), granted(), completed(), evaporated(), deposited())
    expect(story.state).toMatchObject({
      name: "done",
      context: { settled: true, outcome: "completed", attempts: 1, firstOffset: 5 }
    })
  })

  it("inflate: one more of the floor, and no deadline moves", () => {
    expect(changes(active, inflated())).toEqual({ inflations: 1 })
    expect(active.and(inflated()).state.deadlines).toBe(active.state.deadlines)
  })

  it("grant: the lease under its own offset as token, one more attempt, and what was before forgotten", () => {
    expect(changes(open, granted("ann", { instance: "1" }))).toEqual({
      holder: { peer: "ann", instance: "1" },
      token: 2,
      ttlMs: 60_000,
      graceMs: 30_000,
      grantedAt: now,
      leaseFrom: now,
      attempts: 1
    })
    const failedOnce = given(deposited(), granted(), failed(), pause(1_000))
    expect(changes(failedOnce, granted("bob"))).toMatchObject({
      token: 4,
      attempts: 2,
      notBefore: 0,
      lastEnd: null
    })
  })

  it("renewal: the lease runs from now on, out of grace too", () => {
    expect(changes(active, renewed())).toEqual({ leaseFrom: now })
    const grace = given(deposited(), granted(), graceStarted(), pause(1_000))
    expect(changes(grace, renewed())).toEqual({ leaseFrom: now })
  })

  it("grace: an offer that was made is gone", () => {
    expect(changes(active, graceStarted())).toEqual({})
    expect(changes(active.and(offered()), graceStarted())).toEqual({ offer: null })
  })

  it("expiry: nobody holds it; out of attempts it is settled", () => {
    const grace = (maxAttempts: number) =>
      given(deposited({}, { maxAttempts }), granted(), graceStarted(), pause(1_000))
    const ended = { holder: null, lastEnd: { token: 2, type: "ClaimExpired" } }
    expect(changes(grace(2), expired())).toEqual(ended)
    expect(changes(grace(1), expired())).toEqual({ ...ended, settled: true, outcome: "exhausted" })
  })

  it("offer: to whom, and until when", () => {
    expect(changes(active, offered("bob", 2, 10_000))).toEqual({ offer: { to: "bob", until: now + 10_000 } })
  })

  it.each([
    ["declined", declined()],
    ["withdrawn", withdrawn()],
    ["lapsed", lapsed()]
  ] as const)("offer %s: it is gone, and the lease begins anew", (_, event) => {
    const story = given(deposited(), granted(), offered(), pause(1_000))
    expect(changes(story, event)).toEqual({ offer: null, leaseFrom: now })
  })

  it("transfer: another holder, lease and token, no further attempt", () => {
    const story = given(deposited(), granted(), offered(), pause(1_000))
    expect(changes(story, transferred({ peer: "bob" }, { ttlMs: 5_000, graceMs: 0 }))).toEqual({
      holder: { peer: "bob" },
      token: 4,
      ttlMs: 5_000,
      graceMs: 0,
      grantedAt: now,
      leaseFrom: now,
      offer: null
    })
  })

  it("release: nobody holds it, and the attempt is given back", () => {
    expect(changes(active, released())).toEqual({
      holder: null,
      attempts: 0,
      lastEnd: { token: 2, type: "ClaimReleased" }
    })
  })

  it("revocation: nobody holds it, and the attempt counts", () => {
    expect(changes(active, revoked())).toEqual({
      holder: null,
      lastEnd: { token: 2, type: "ClaimRevoked" }
    })
  })

  it("failure with attempts left: not to be offered again for a while", () => {
    expect(changes(active, failed(2, { retryAfterMs: 7_000 }))).toEqual({
      holder: null,
      lastEnd: { token: 2, type: "ClaimFailed" },
      notBefore: now + 7_000
    })
  })

  it("failure without retry, or without attempts left: settled", () => {
    const ended = { holder: null, lastEnd: { token: 2, type: "ClaimFailed" }, settled: true }
    expect(changes(active, failed(2, { retry: false }))).toEqual({ ...ended, outcome: "failed" })
    const last = given(deposited({}, { maxAttempts: 1 }), granted())
    expect(changes(last, failed())).toEqual({ ...ended, outcome: "exhausted" })
  })

  it("completion: settled", () => {
    expect(changes(active, completed())).toEqual({
      holder: null,
      lastEnd: { token: 2, type: "ClaimCompleted" },
      settled: true,
      outcome: "completed"
    })
  })

  it("reopening: as if it had never been claimed, but for the token", () => {
    const done = given(deposited({}, { maxAttempts: 1 }), granted(), failed())
    expect(changes(done, reopened())).toEqual({ settled: false, attempts: 0, outcome: null, lastEnd: null })
    expect(done.and(reopened()).state.context.token).toBe(2)
  })

  it("reopening of a claim that was swept while held for ever: its holder has lost it, mark or no mark", () => {
    const swept = forever.and(evaporated())
    expect(changes(swept, reopened())).toEqual({ holder: null, settled: false, attempts: 0 })
    expect(swept.and(deposited(), reopened()).state).toMatchObject({
      name: "open",
      context: { holder: null, settled: false }
    })
  })

  it("evaporation: the mark goes, the claim stays what it was", () => {
    expect(changes(open, evaporated())).toEqual({ mark: null, firstOffset: null })
    const done = given(deposited({ inflations: 2 }, { maxAttempts: 3 }), granted(), completed())
    expect(changes(done, evaporated())).toEqual({
      mark: null,
      firstOffset: null,
      inflations: 0,
      maxAttempts: null
    })
  })

  it("evaporation of a claim held for ever: settled, its holder and token kept", () => {
    expect(changes(forever, evaporated())).toEqual({ mark: null, firstOffset: null, settled: true })
    expect(forever.and(evaporated()).state.context).toMatchObject({
      holder: { peer: "anonymous" },
      token: 2
    })
  })

  it("completion of a claim that was swept: it can still say what came of it, also once its mark is back", () => {
    const completedNow = {
      holder: null,
      outcome: "completed",
      lastEnd: { token: 2, type: "ClaimCompleted" }
    }
    expect(changes(forever.and(evaporated()), completed())).toEqual(completedNow)
    expect(changes(forever.and(evaporated(), deposited()), completed())).toEqual(completedNow)
  })
})

describe("deadlines of a claim", () => {
  const due = (story: Story) => story.state.deadlines.map(({ id, dueAt, event }) => ({ id, dueAt, event }))

  it("arm the lease's end with the ttl, and the grace's with the grace", () => {
    expect(due(active)).toMatchObject([
      { id: "lease", dueAt: beginning + 60_000, event: { type: "ClaimGraceStarted", token: 2 } }
    ])
    expect(due(active.and(graceStarted()))).toMatchObject([
      { id: "grace", dueAt: now + 30_000, event: { type: "ClaimExpired", token: 2 } }
    ])
  })

  it("begin anew with a renewal and with a transfer, which names the new token", () => {
    expect(due(active.and(renewed()))).toMatchObject([{ dueAt: now + 60_000, event: { token: 2 } }])
    expect(due(active.and(transferred()))).toMatchObject([{ dueAt: now + 60_000, event: { token: 3 } }])
  })

  it("wait for the offer in the lease's place while one stands", () => {
    expect(due(active.and(offered("bob", 2, 10_000)))).toMatchObject([
      { id: "offer", dueAt: now + 10_000, event: { type: "HandoffLapsed", token: 2, to: "bob" } }
    ])
    for (const closed of [declined(), transferred()]) {
      expect(due(active.and(offered(), closed)).map(({ id }) => id)).toEqual(["lease"])
    }
    expect(due(active.and(offered(), completed()))).toEqual([])
  })

  it("are none for a claim that is held for ever, nor once a claim has ended", () => {
    expect(due(forever)).toEqual([])
    expect(due(active.and(released()))).toEqual([])
    expect(due(active.and(graceStarted(), expired()))).toEqual([])
  })

  it("come due at once for a grace of 0", () => {
    const story = given(deposited(), granted("ann", { graceMs: 0 }), pause(60_000), graceStarted())
    expect(due(story)).toMatchObject([{ id: "grace", dueAt: beginning + 60_000 }])
  })
})
