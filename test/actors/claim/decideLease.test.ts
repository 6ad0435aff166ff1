import { describe, expect, it } from "@effect/vitest"
import { expiresAt } from "../../../src/actors/claim/Lease.js"
import {
  completed,
  deposited,
  evaporated,
  expired,
  failed,
  graceStarted,
  granted,
  offered,
  released,
  renewed,
  reopened,
  transferred
} from "../../support/claimFacts.js"
import { type Asked, beginning, given, pause } from "../../support/claimStory.js"

type Take = Extract<Asked, { type: "ClaimWork" }>
const take = (peer = "ann", fields: Partial<Take> = {}): Take => ({ type: "ClaimWork", peer, ...fields })
const usual = { ttlMs: 300_000, graceMs: 60_000 }
const renew: Asked = { type: "RenewClaim", token: 2 }
const verify = (token = 2): Asked => ({ type: "VerifyClaim", token })

describe("ClaimWork", () => {
  it("grants an open mark, with the configured lease unless another is asked for", () => {
    given(deposited()).when(take()).thenHappens(granted("ann", usual))
    given(deposited())
      .when(take("ann", { instance: "1", ttlMs: 5_000, graceMs: 0 }))
      .thenHappens(granted("ann", { instance: "1", ttlMs: 5_000, graceMs: 0 }))
    given(deposited())
      .when(take("ann", { ttlMs: null }))
      .thenHappens(granted("ann", { ...usual, ttlMs: null }))
  })

  it("counts the attempts; one that was given back does not count", () => {
    const again = (attempt: number) => granted("bob", { ...usual, attempt })
    given(deposited(), granted(), released()).when(take("bob")).thenHappens(again(1))
    given(deposited(), granted(), failed()).when(take("bob")).thenHappens(again(2))
    given(deposited(), granted(), graceStarted(), expired()).when(take("bob")).thenHappens(again(2))
    given(deposited(), granted(), completed(), reopened()).when(take("bob")).thenHappens(again(1))
  })

  it("grants by name what ClaimNext still skips after a failure", () => {
    given(deposited(), granted(), failed(2, { retryAfterMs: 60_000 }))
      .when(take())
      .thenHappens(granted("ann", { ...usual, attempt: 2 }))
  })

  it("refuses an id without a mark, unless it is asked for before there is one", () => {
    given().when(take()).thenRefused("UnknownClaim", { id: "a" })
    given(deposited(), evaporated()).when(take()).thenRefused("UnknownClaim")
    const early = take("ann", { preclaim: true })
    given()
      .when(early)
      .thenHappens(granted("ann", { ...usual, preclaim: true }))
    given(deposited(), evaporated())
      .when(early)
      .thenHappens(granted("ann", { ...usual, preclaim: true }))
  })

  it("grants a marked id to a preclaim like to any other", () => {
    given(deposited())
      .when(take("ann", { preclaim: true }))
      .thenHappens(granted("ann", usual))
  })

  it.each([
    ["active", [], "held.active"],
    ["in its grace", [graceStarted()], "held.grace"],
    ["being handed over", [offered()], "held.offered"]
  ] as const)("refuses what is held and %s, naming the holder and the end", (_, more, state) => {
    given(deposited(), granted("ann", { instance: "1" }), ...more)
      .when(take("bob"))
      .thenRefused("AlreadyClaimed", {
        by: "ann",
        instance: "1",
        since: beginning,
        expiresAt: beginning + 60_000,
        state
      })
  })

  it("names no end of what is held for ever", () => {
    given(deposited(), granted("ann", { ttlMs: null }))
      .when(take("bob"))
      .thenRefused("AlreadyClaimed", { expiresAt: null })
  })

  it("answers the holder's own repeat with what it has, if it is the same instance", () => {
    given(deposited(), granted("ann", { instance: "1" }))
      .when(take("ann", { instance: "1" }))
      .thenNothing()
  })

  it("refuses the same peer without its instance, with another, or when the holder has none", () => {
    const held = given(deposited(), granted("ann", { instance: "1" }))
    held.when(take("ann")).thenRefused("AlreadyClaimed")
    held.when(take("ann", { instance: "2" })).thenRefused("AlreadyClaimed")
    given(deposited(), granted("ann"))
      .when(take("ann", { instance: "1" }))
      .thenRefused("AlreadyClaimed")
    given(deposited(), granted("ann")).when(take("ann")).thenRefused("AlreadyClaimed")
  })

  it("refuses settled work with what came of it", () => {
    given(deposited(), granted(), completed())
      .when(take())
      .thenRefused("AlreadyDone", { outcome: "completed" })
    given(deposited(), granted(), failed(2, { retry: false }))
      .when(take())
      .thenRefused("AlreadyDone", { outcome: "failed" })
    given(deposited({}, { maxAttempts: 1 }), granted(), graceStarted(), expired())
      .when(take())
      .thenRefused("AlreadyDone", { outcome: "exhausted" })
  })

  it("binds no claim to a presence that is not live", () => {
    const presence = "presence/claude-ann"
    given(deposited())
      .when(take("ann", { boundTo: presence }))
      .thenRefused("PresenceNotLive", { presence })
  })

  it("keeps a peer to its number of leases, those for ever not counted", () => {
    const limits = { maxHeldPerPeer: 0 }
    given(deposited()).when(take(), limits).thenRefused("QuotaReached", { held: 0, limit: 0 })
    given(deposited())
      .when(take("ann", { ttlMs: null }), limits)
      .thenHappens(granted("ann", { ...usual, ttlMs: null }))
    given(deposited()).when(take(), { maxHeldPerPeer: 1 }).thenHappens(granted("ann", usual))
  })
})

describe("RenewClaim", () => {
  const active = given(deposited(), granted())

  it("within a third of the lease is no event: the end that was named holds", () => {
    active.when(renew).thenNothing()
    active.and(pause(19_999)).when(renew).thenNothing()
    active.and(pause(20_000)).when(renew).thenHappens(renewed())
  })

  it("counts the third from the renewal before it", () => {
    const once = active.and(pause(20_000), renewed())
    once.and(pause(19_999)).when(renew).thenNothing()
    once.and(pause(20_000)).when(renew).thenHappens(renewed())
  })

  it("brings a claim back from its grace, however soon", () => {
    const graceAtOnce = active.and(graceStarted())
    expect(graceAtOnce.when(renew).thenHappens(renewed()).state.name).toBe("held.active")
  })

  it("is no event for what is held for ever, or being handed over", () => {
    given(deposited(), granted("ann", { ttlMs: null }), pause(1e9))
      .when(renew)
      .thenNothing()
    active.and(offered(), pause(59_000)).when(renew).thenNothing()
  })

  it("is refused with a token that is not current, whoever holds the claim now", () => {
    active.when({ ...renew, token: 1 }).thenRefused("StaleToken", { state: "held.active" })
    active.and(transferred()).when(renew).thenRefused("StaleToken")
    active.and(released()).when(renew).thenRefused("StaleToken", { state: "open" })
    active.and(completed()).when(renew).thenRefused("StaleToken", { state: "done" })
    given(deposited()).when(renew).thenRefused("StaleToken", { current: null })
    given().when(renew).thenRefused("UnknownClaim")
  })
})

describe("VerifyClaim", () => {
  const active = given(deposited(), granted())

  it("says that a token is current, in grace and while it is handed over too, and does nothing", () => {
    active.when(verify()).thenNothing()
    active.and(graceStarted()).when(verify()).thenNothing()
    active.and(offered()).when(verify()).thenNothing()
  })

  it("refuses every other token", () => {
    active.when(verify(1)).thenRefused("StaleToken")
    active.when(verify(3)).thenRefused("StaleToken")
    active.and(released()).when(verify()).thenRefused("StaleToken")
    active.and(transferred()).when(verify()).thenRefused("StaleToken")
  })

  it("goes on for what was held for ever when its mark was swept", () => {
    given(deposited(), granted("ann", { ttlMs: null }), evaporated())
      .when(verify())
      .thenNothing()
  })
})

describe("expiresAt", () => {
  const lease = { ttlMs: 60_000, leaseFrom: 1_000, graceMs: 30_000 }

  it("is the lease's beginning and its length, or null without one", () => {
    expect(expiresAt(lease, 0)).toBe(61_000)
    expect(expiresAt({ ...lease, ttlMs: null }, 5_000)).toBe(null)
  })

  it("gives a lease that is older than the last restart at least one grace from there", () => {
    expect(expiresAt(lease, 100_000)).toBe(130_000)
    expect(expiresAt(lease, 10_000)).toBe(61_000)
  })

  it("leaves a lease that has begun since as it is", () => {
    expect(expiresAt({ ttlMs: 1_000, leaseFrom: 100_000, graceMs: 30_000 }, 100_000)).toBe(101_000)
  })

  it("is what a refusal names", () => {
    given(deposited(), granted())
      .when(take("bob"), { floorAt: beginning + 50_000 })
      .thenRefused("AlreadyClaimed", { expiresAt: beginning + 80_000 })
  })
})
