import { describe, expect, it } from "@effect/vitest"
import type { ClaimReason } from "../../../src/actors/claim/ClaimRefusal.js"
import { claimExplanations } from "../../../src/actors/claim/ClaimRefusal.js"
import type { Explanations } from "../../../src/actors/Refused.js"
import { completed, deposited, graceStarted, granted, offered, record } from "../../support/claimFacts.js"
import { type Answer, type Asked, given, type Surroundings } from "../../support/claimStory.js"

const open = given(deposited())
const active = given(deposited(), granted())
const take: Asked = { type: "ClaimWork", peer: "bob" }

/** For every reason of the closed list a claim and a command that meet it, and what a person is told. */
const met: {
  readonly [Tag in ClaimReason["_tag"]]: readonly [answer: Answer, message: string, fix?: string]
} = {
  StanceUnknown: [
    given().when({ type: "DepositPheromone", record: record() }, { stances: new Set(["build"]) }),
    'the stance "review" is not in the stance registry',
    "use a registered stance, or add it to the files that ledger.stance_registry names and restart"
  ],
  StaleToken: [
    active.when({ type: "RenewClaim", token: 1 }),
    "the token 1 is not current: the newest is 2, the claim is held.active",
    "stop this work: somebody else may be doing it; claim it again to go on"
  ],
  UnknownClaim: [given().when(take), 'there is no mark "a"', "deposit it first, or check the id"],
  AlreadyClaimed: [
    active.when(take),
    "ann holds this claim under token 2",
    "try again after 1970-01-01T00:17:40.000Z"
  ],
  AlreadyDone: [
    active.and(completed()).when(take),
    "this work is settled (completed)",
    "an operator can reopen it"
  ],
  NotHeld: [open.when({ type: "RevokeClaim", reason: "r" }), "nobody holds this claim: it is open"],
  NotDone: [open.when({ type: "ReopenClaim", reason: "r" }), "this claim is not settled: it is open"],
  NoOffer: [
    active.when({ type: "WithdrawHandoff", token: 2 }),
    "no handoff is offered: the claim is held.active"
  ],
  NotAddressee: [
    active.and(offered("cid")).when({ type: "AcceptHandoff", peer: "bob" }),
    "the handoff is offered to cid"
  ],
  TokenChanged: [
    active.when({ type: "ReclaimWork", peer: "bob", expectedToken: 1, reason: "r" }),
    "the claim has moved on: its newest token is 2",
    "look at it again"
  ],
  HolderLive: [
    active.when({ type: "ReclaimWork", peer: "bob", expectedToken: 2, reason: "r" }),
    "ann holds this claim and its lease has not ended",
    "wait for its grace to begin, or reclaim with force"
  ],
  PresenceNotLive: [
    open.when({ ...take, boundTo: "presence/x" }),
    "the presence presence/x is not live",
    "claim with a ttl, or start it"
  ],
  NoneOpen: [
    active.when({ type: "ClaimNext", peer: "bob" }),
    "no open mark matches",
    "wait for one with waitMs, or ask for other stances"
  ],
  VersionConflict: [
    open.when({ type: "DepositPheromone", record: record(), expectedVersion: 7 }),
    "the claim is at version 1",
    "read it again and decide anew"
  ],
  QuotaReached: [
    open.when(take, { maxHeldPerPeer: 0 } satisfies Surroundings),
    "this peer holds 0 claims, its limit is 0",
    "end one first"
  ]
}

const explain = (reason: ClaimReason) => {
  const explanations = claimExplanations as Explanations<{ readonly _tag: string }>
  return explanations[reason._tag]?.(reason)
}

describe("a refusal", () => {
  it.each(Object.entries(met))("%s is met, and explained with what to do", (tag, [answer, message, fix]) => {
    const reason = answer.thenRefused(tag as ClaimReason["_tag"])
    expect(explain(reason)).toEqual(fix === undefined ? { message } : { message, fix })
  })

  it("as stale says what became of the holding that the token was for", () => {
    const renew: Asked = { type: "RenewClaim", token: 2 }
    expect(explain(active.and(completed()).when(renew).thenRefused("StaleToken"))?.message).toBe(
      "the token 2 is not current: its lease is over, the claim is done"
    )
    expect(explain(open.when(renew).thenRefused("StaleToken"))?.message).toBe(
      "the token 2 is not current: nobody has held this claim, the claim is open"
    )
  })

  it("as claimed says when to try again, if that is known", () => {
    const forever = given(deposited(), granted("ann", { ttlMs: null }))
    expect(explain(forever.when(take).thenRefused("AlreadyClaimed"))?.fix).toBe(
      "it is held for ever: ask the holder to release it, or an operator to revoke it"
    )
    expect(explain(active.and(graceStarted()).when(take).thenRefused("AlreadyClaimed"))?.fix).toBe(
      "its lease has ended: reclaim it, or try again when its grace is over"
    )
  })
})
