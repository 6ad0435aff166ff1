import { describe, expect, it } from "@effect/vitest"
import type { ClaimEvent } from "../../src/actors/claim/ClaimEvent.js"
import type { RecordedEvent } from "../../src/events/Event.js"
import { claims } from "../../src/projections/claims.js"
import { type Row, RowFold } from "../../src/projections/Projection.js"
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
  record,
  released,
  renewed,
  reopened,
  revoked,
  transferred,
  withdrawn
} from "../support/claimFacts.js"
import { beginning, given, pause, type Story, type Told } from "../support/claimStory.js"

/** The row of `claim/a` after these events. */
const rowAfter = (...history: ReadonlyArray<Told>): Row => {
  const fold = new RowFold(claims)
  history.reduce<Story>((story, told) => {
    const next = story.and(told)
    if (told.type !== "Pause") fold.apply(recorded(next, told))
    return next
  }, given())
  return fold.rows.get("a") as Row
}

const recorded = ({ state }: Story, { type, ...data }: ClaimEvent) =>
  ({ ...state, type, data, state: state.name }) as unknown as RecordedEvent

/** What the last of these events changes of the row, but for its place. */
const changes = (...history: ReadonlyArray<Told>): Partial<Row> => {
  const [before, after] = [rowAfter(...history.slice(0, -1)), rowAfter(...history)]
  const places = new Set(["version", "offset"])
  return Object.fromEntries(
    Object.entries(after).filter(([column, value]) => !places.has(column) && value !== before[column])
  )
}

const now = beginning + 1_000
const active = [deposited(), granted(), pause(1_000)] as const
const noHolder = { peer: null }

describe("the projection claims", () => {
  it("has one row for each claim stream, and none for any other", () => {
    const event = { stream: "hub" } as RecordedEvent
    expect(claims.keys(event)).toEqual([])
    expect(claims.keys({ ...event, stream: "claim/a/b" } as RecordedEvent)).toEqual(["a/b"])
    expect(claims.streamOf("a/b")).toBe("claim/a/b")
  })

  it("deposit: the record and all that is asked of it", () => {
    const mark = { stanceTarget: "build", baseIntensity: 2, decayRate: 0.5, inflations: 3, payload: [1] }
    expect(rowAfter(deposited(mark, { maxAttempts: 2 }))).toMatchObject({
      id: "a",
      state: "open",
      stance: "build",
      record: JSON.stringify(record(mark)),
      base: 2,
      decay: 0.5,
      published_at: beginning,
      inflations: 3,
      max_attempts: 2,
      first_offset: 1,
      version: 1,
      offset: 1
    })
  })

  it("republish: everything of the mark but its place and its holder", () => {
    expect(changes(...active, deposited({ stanceTarget: "build", baseIntensity: 2 }))).toEqual({
      stance: "build",
      record: JSON.stringify(record({ stanceTarget: "build", baseIntensity: 2 })),
      base: 2,
      published_at: now
    })
  })

  it("inflate: one more of the floor", () => {
    expect(changes(deposited(), inflated())).toEqual({ inflations: 1 })
  })

  it("evaporation: a tombstone that keeps id, state, token and outcome", () => {
    const gone = {
      base: null,
      decay: null,
      published_at: null,
      record: null,
      stance: null,
      first_offset: null
    }
    expect(changes(deposited({ inflations: 2 }, { maxAttempts: 3 }), evaporated())).toEqual({
      ...gone,
      state: "evaporated",
      inflations: 0,
      max_attempts: null
    })
    expect(rowAfter(...active, completed(), evaporated())).toMatchObject({
      ...gone,
      id: "a",
      state: "evaporated",
      token: 2,
      outcome: "completed",
      settled: 1
    })
    const forever = granted("anonymous", { ttlMs: null })
    expect(changes(deposited(), forever, evaporated())).toEqual({ ...gone, state: "evaporated", settled: 1 })
  })

  it("deposit after evaporation: open with attempts from 0, or done if it is settled", () => {
    expect(rowAfter(...active, failed(), evaporated(), deposited())).toMatchObject({
      state: "open",
      attempts: 0
    })
    expect(rowAfter(...active, completed(), evaporated(), deposited())).toMatchObject({
      state: "done",
      attempts: 1,
      outcome: "completed"
    })
  })

  it("grant: holder, token, lease and attempt", () => {
    const lease = { peer: "ann", instance: "1", token: 2, ttl_ms: 60_000, grace_ms: 30_000 }
    expect(changes(deposited(), pause(1_000), granted("ann", { instance: "1" }))).toEqual({
      ...lease,
      state: "held.active",
      granted_at: now,
      lease_from: now,
      attempts: 1
    })
    expect(changes(...active, failed(), granted("bob", { attempt: 2 }))).toMatchObject({
      attempts: 2,
      not_before: null
    })
  })

  it("renewal: the lease runs from now on, out of grace too", () => {
    expect(changes(...active, renewed())).toEqual({ lease_from: now })
    const grace = [deposited(), granted(), graceStarted(), pause(1_000)]
    expect(changes(...grace, renewed())).toEqual({
      lease_from: now,
      grace_until: null,
      state: "held.active"
    })
  })

  it("grace: until when; an offer is gone", () => {
    expect(changes(...active, graceStarted())).toEqual({ state: "held.grace", grace_until: now + 30_000 })
    expect(changes(...active, offered(), graceStarted())).toMatchObject({ offer_to: null, offer_until: null })
  })

  it("expiry, release, revocation: nobody holds it; a release gives its attempt back", () => {
    const grace = [...active, graceStarted()]
    expect(changes(...grace, expired())).toEqual({ ...noHolder, state: "open", grace_until: null })
    expect(changes(...active, released())).toEqual({ ...noHolder, state: "open", attempts: 0 })
    expect(changes(...active, revoked())).toEqual({ ...noHolder, state: "open" })
  })

  it("failure: not to be offered again for a while, or settled", () => {
    expect(changes(...active, failed())).toEqual({ ...noHolder, state: "open", not_before: now + 5_000 })
    expect(changes(...active, failed(2, { retry: false }))).toEqual({
      ...noHolder,
      state: "done",
      settled: 1,
      outcome: "failed"
    })
  })

  it("out of attempts: settled as exhausted, by failure or expiry", () => {
    const last = [deposited({}, { maxAttempts: 1 }), granted()]
    const exhausted = { ...noHolder, state: "done", settled: 1, outcome: "exhausted" }
    expect(changes(...last, failed())).toEqual(exhausted)
    expect(changes(...last, graceStarted(), expired())).toMatchObject(exhausted)
  })

  it("completion: settled", () => {
    const done = { ...noHolder, settled: 1, outcome: "completed" }
    expect(changes(...active, completed())).toEqual({ ...done, state: "done" })
    const swept = [deposited(), granted("anonymous", { ttlMs: null }), evaporated()]
    expect(changes(...swept, completed())).toEqual({ ...noHolder, outcome: "completed" })
  })

  it("reopening: as if it had never been claimed, but for the token", () => {
    expect(changes(...active, completed(), reopened())).toEqual({
      state: "open",
      settled: 0,
      attempts: 0,
      outcome: null
    })
    const swept = [deposited(), granted("anonymous", { ttlMs: null }), evaporated()]
    expect(changes(...swept, reopened())).toEqual({ ...noHolder, settled: 0, attempts: 0 })
  })

  it("offer: to whom and until when; closed in any way the lease begins anew", () => {
    const offer = [...active, offered("bob", 2, 10_000), pause(500)]
    expect(changes(...active, offered("bob", 2, 10_000))).toEqual({
      state: "held.offered",
      offer_to: "bob",
      offer_until: now + 10_000
    })
    for (const closed of [declined(), withdrawn(), lapsed()]) {
      expect(changes(...offer, closed)).toEqual({
        state: "held.active",
        offer_to: null,
        offer_until: null,
        lease_from: now + 500
      })
    }
  })

  it("transfer: another holder under a new token, no further attempt", () => {
    expect(changes(...active, offered(), transferred({ peer: "bob", instance: "7" }))).toEqual({
      state: "held.active",
      peer: "bob",
      instance: "7",
      token: 4,
      granted_at: now,
      lease_from: now,
      offer_to: null,
      offer_until: null
    })
  })
})
