/** Leases that last as long as a presence is live (contracts: ledger 3.3). */
import { describe, expect, it } from "@effect/vitest"
import type { ClaimEvent } from "../../../src/actors/claim/ClaimEvent.js"
import {
  completed,
  deposited,
  granted,
  offered,
  released,
  renewed,
  transferred
} from "../../support/claimFacts.js"
import { type Asked, given, pause } from "../../support/claimStory.js"
import { offset } from "../../support/stores.js"

type Take = Extract<Asked, { type: "ClaimWork" }>
const take = (peer = "ann", fields: Partial<Take> = {}): Take => ({ type: "ClaimWork", peer, ...fields })
const usual = { ttlMs: 300_000, graceMs: 60_000 }
const renew: Asked = { type: "RenewClaim", token: 2 }

describe("a lease that is bound to a presence", () => {
  const presence = "presence/claude-ann"
  const live = { isLive: (stream: string) => stream === presence }
  const bound = { boundTo: presence, ttlMs: null }
  const held = given(deposited(), granted("ann", bound))
  const suspect: Asked = { type: "SuspectClaim", token: 2 }
  const suspected = (token = 2): ClaimEvent => ({
    type: "ClaimGraceStarted",
    token: offset(token),
    cause: "presence"
  })

  it("is granted while that presence is live, and has no end of its own", () => {
    const { state } = given(deposited())
      .when(take("ann", { boundTo: presence }), live)
      .thenHappens(granted("ann", { ...usual, ...bound }))
    expect([state.name, state.deadlines]).toEqual(["held.active", []])
    given(deposited())
      .when({ type: "ClaimNext", peer: "ann", boundTo: presence }, live)
      .thenHappens(granted("ann", { ...usual, ...bound, score: 1 }))
  })

  it("has no time of its own beside it", () => {
    for (const ttlMs of [null, 60_000]) {
      const answer = given(deposited()).when(take("ann", { boundTo: presence, ttlMs }), live)
      expect(answer).toMatchObject({
        decision: { _tag: "Refuse", reason: { _tag: "InvalidCommand", path: "ttlMs" } }
      })
    }
  })

  it("counts for the quota of its peer", () => {
    given(deposited())
      .when(take("ann", { boundTo: presence }), { ...live, maxHeldPerPeer: 0 })
      .thenRefused("QuotaReached", { held: 0, limit: 0 })
    const ofAnn = held.and(offered("ann"))
    ofAnn
      .when({ type: "AcceptHandoff", peer: "ann", boundTo: presence }, { ...live, maxHeldPerPeer: 1 })
      .thenHappens(
        transferred(
          { peer: "ann", boundTo: presence },
          { ...usual, ttlMs: null, from: { peer: "ann", boundTo: presence } }
        )
      )
  })

  it("is renewed by no event while the presence is live, and not at all once it is not", () => {
    held.and(pause(1e9)).when(renew, live).thenNothing()
    held.when(renew).thenRefused("PresenceNotLive", { presence })
  })

  it("gets its grace when it is suspected, also while it is handed over, and is suspected once", () => {
    expect(held.when(suspect).thenHappens(suspected()).state.deadlines).toHaveLength(1)
    held.and(offered()).when(suspect).thenHappens(suspected())
    held.and(suspected()).when(suspect).thenNothing()
  })

  it("is suspected with the token that was seen, and no other", () => {
    held.when({ ...suspect, token: 1 }).thenRefused("StaleToken")
    held.and(transferred()).when(suspect).thenRefused("StaleToken")
    held.and(released()).when(suspect).thenRefused("StaleToken")
  })

  it("comes back from its grace only by a renewal of a live presence", () => {
    const grace = held.and(suspected(), pause(1_000))
    grace.when(renew).thenRefused("PresenceNotLive")
    expect(grace.when(renew, live).thenHappens(renewed()).state).toMatchObject({
      name: "held.active",
      deadlines: []
    })
  })

  it("is not offered to others when its presence is not live: a lapse would leave it without an end", () => {
    const offer: Asked = { type: "OfferHandoff", token: 2, to: "bob" }
    held.and(suspected()).when(offer).thenRefused("PresenceNotLive")
    held.when({ ...offer, offerMs: 10_000 }, live).thenHappens(offered())
  })

  it("can be ended by its holder whatever the presence does", () => {
    held.when({ type: "ReleaseClaim", token: 2 }).thenHappens(released())
    held.and(suspected()).when({ type: "CompleteClaim", token: 2 }).thenHappens(completed())
  })
})
