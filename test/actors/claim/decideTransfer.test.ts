import { describe, expect, it } from "@effect/vitest"
import {
  completed,
  declined,
  deposited,
  graceStarted,
  granted,
  lapsed,
  offered,
  released,
  transferred,
  withdrawn
} from "../../support/claimFacts.js"
import { type Asked, beginning, given, pause } from "../../support/claimStory.js"

const usual = { ttlMs: 300_000, graceMs: 60_000 }
const active = given(deposited(), granted())
const beingOffered = active.and(offered())

describe("OfferHandoff", () => {
  const offer: Asked = { type: "OfferHandoff", token: 2, to: "bob" }

  it("offers the claim to a peer, for a minute unless it says otherwise", () => {
    active.when(offer).thenHappens(offered("bob", 2, 60_000))
    active.when({ ...offer, offerMs: 5_000 }).thenHappens(offered("bob", 2, 5_000))
  })

  it("is the holder's to make, in its grace too", () => {
    active
      .and(graceStarted())
      .when(offer)
      .thenHappens(offered("bob", 2, 60_000))
    active.when({ ...offer, token: 1 }).thenRefused("StaleToken")
    active.and(released()).when(offer).thenRefused("StaleToken")
    given().when(offer).thenRefused("UnknownClaim")
  })

  it("is nothing that the machine accepts while another stands", () => {
    expect(beingOffered.after(offered("cid"))).toBeUndefined()
  })
})

describe("WithdrawHandoff", () => {
  const withdraw: Asked = { type: "WithdrawHandoff", token: 2 }

  it("takes an offer back", () => {
    beingOffered.when(withdraw).thenHappens(withdrawn())
  })

  it("is the holder's, and refused when nothing is offered", () => {
    beingOffered.when({ ...withdraw, token: 1 }).thenRefused("StaleToken")
    active.when(withdraw).thenRefused("NoOffer", { state: "held.active" })
    beingOffered.and(graceStarted()).when(withdraw).thenRefused("NoOffer", { state: "held.grace" })
  })
})

describe("DeclineHandoff", () => {
  const decline = (peer: string): Asked => ({ type: "DeclineHandoff", peer })

  it("is the addressee's to say", () => {
    beingOffered.when(decline("bob")).thenHappens(declined())
    beingOffered.when(decline("cid")).thenRefused("NotAddressee", { to: "bob" })
  })

  it("is refused when nothing is offered", () => {
    active.when(decline("bob")).thenRefused("NoOffer")
    beingOffered.and(lapsed()).when(decline("bob")).thenRefused("NoOffer")
    given(deposited()).when(decline("bob")).thenRefused("NoOffer", { state: "open" })
  })
})

describe("AcceptHandoff", () => {
  type Accept = Extract<Asked, { type: "AcceptHandoff" }>
  const accept = (peer: string, fields: Partial<Accept> = {}): Accept => ({
    type: "AcceptHandoff",
    peer,
    ...fields
  })

  it("makes the addressee the holder, under the usual lease or the one that it asks for", () => {
    beingOffered.when(accept("bob")).thenHappens(transferred({ peer: "bob" }, usual))
    beingOffered
      .when(accept("bob", { instance: "7", ttlMs: null, graceMs: 0 }))
      .thenHappens(transferred({ peer: "bob", instance: "7" }, { ttlMs: null, graceMs: 0 }))
  })

  it("makes the token of before stale at once", () => {
    const after = beingOffered.when(accept("bob")).thenHappens(transferred({ peer: "bob" }, usual))
    after.when({ type: "CompleteClaim", token: 2 }).thenRefused("StaleToken", { state: "held.active" })
    after.when({ type: "VerifyClaim", token: after.state.version }).thenNothing()
  })

  it("is nobody else's", () => {
    beingOffered.when(accept("cid")).thenRefused("NotAddressee", { to: "bob" })
    active.when(accept("bob")).thenRefused("NoOffer")
  })

  it("keeps to the peer's number of leases and to live presences", () => {
    beingOffered.when(accept("bob"), { maxHeldPerPeer: 0 }).thenRefused("QuotaReached")
    beingOffered.when(accept("bob", { boundTo: "presence/x" })).thenRefused("PresenceNotLive")
  })

  it("does not count a claim twice that goes from a peer to itself", () => {
    active
      .and(offered("ann"))
      .when(accept("ann", { instance: "2" }), { maxHeldPerPeer: 1 })
      .thenHappens(transferred({ peer: "ann", instance: "2" }, usual))
  })
})

describe("ReclaimWork", () => {
  type Reclaim = Extract<Asked, { type: "ReclaimWork" }>
  const reclaim = (fields: Partial<Reclaim> = {}): Reclaim => ({
    type: "ReclaimWork",
    peer: "bob",
    expectedToken: 2,
    reason: "it died",
    ...fields
  })
  const taken = transferred({ peer: "bob" }, { ...usual, cause: "reclaim", reason: "it died" })

  it("takes over a claim that is in its grace", () => {
    active.and(pause(60_000), graceStarted()).when(reclaim()).thenHappens(taken)
  })

  it("takes over before that only by force", () => {
    const live = { by: "ann", expiresAt: beginning + 60_000 }
    active.when(reclaim()).thenRefused("HolderLive", live)
    beingOffered.when(reclaim()).thenRefused("HolderLive", live)
    active.when(reclaim({ force: true })).thenHappens(taken)
    beingOffered.when(reclaim({ force: true })).thenHappens(taken)
  })

  it("names the end that holds after a restart", () => {
    active
      .when(reclaim(), { floorAt: beginning + 50_000 })
      .thenRefused("HolderLive", { expiresAt: beginning + 80_000 })
  })

  it("lets one of two that saw the same token win", () => {
    const grace = active.and(graceStarted())
    const after = grace.when(reclaim()).thenHappens(taken)
    after
      .when(reclaim({ peer: "cid", force: true }))
      .thenRefused("TokenChanged", { current: after.state.offset })
  })

  it("refuses what nobody holds", () => {
    given(deposited()).when(reclaim()).thenRefused("NotHeld", { state: "open" })
    active.and(completed()).when(reclaim()).thenRefused("NotHeld", { state: "done" })
    given().when(reclaim()).thenRefused("UnknownClaim")
  })

  it("keeps to the peer's number of leases, its own claim not counted twice", () => {
    const grace = active.and(graceStarted())
    grace.when(reclaim(), { maxHeldPerPeer: 0 }).thenRefused("QuotaReached")
    grace.when(reclaim({ boundTo: "presence/x" })).thenRefused("PresenceNotLive")
    grace
      .when(reclaim({ peer: "ann" }), { maxHeldPerPeer: 1 })
      .thenHappens(transferred({ peer: "ann" }, { ...usual, cause: "reclaim", reason: "it died" }))
  })
})
