import { describe, expect, it } from "@effect/vitest"
import type { ClaimEvent } from "../../../src/actors/claim/ClaimEvent.js"
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
  reopened,
  revoked,
  transferred
} from "../../support/claimFacts.js"
import { type Asked, beginning, given, pause } from "../../support/claimStory.js"

const active = given(deposited(), granted())
const release: Asked = { type: "ReleaseClaim", token: 2 }
const complete: Asked = { type: "CompleteClaim", token: 2 }
const fail: Asked = { type: "FailClaim", token: 2, reason: "broken" }

type End = Extract<Asked, { readonly type: "ReleaseClaim" | "CompleteClaim" | "FailClaim" }>

const ends: ReadonlyArray<readonly [type: End["type"], asked: End, leadsTo: ClaimEvent]> = [
  ["ReleaseClaim", { type: "ReleaseClaim", token: 2 }, released()],
  ["CompleteClaim", { type: "CompleteClaim", token: 2 }, completed()],
  ["FailClaim", { type: "FailClaim", token: 2, reason: "broken" }, failed()]
]

describe.each(ends)("%s", (_, command, event) => {
  it("is the holder's in every phase of its lease", () => {
    active.when(command).thenHappens(event)
    active.and(graceStarted()).when(command).thenHappens(event)
    active.and(offered()).when(command).thenHappens(event)
    given(deposited(), granted("ann", { ttlMs: null }))
      .when(command)
      .thenHappens(event)
  })

  it("is refused as stale with another token, and after the claim ended otherwise", () => {
    active.when({ ...command, token: 1 }).thenRefused("StaleToken")
    active.and(transferred()).when(command).thenRefused("StaleToken")
    active.and(revoked()).when(command).thenRefused("StaleToken", { state: "open" })
    active.and(graceStarted(), expired()).when(command).thenRefused("StaleToken", { state: "open" })
    given(deposited()).when(command).thenRefused("StaleToken", { current: null, state: "open" })
    given().when(command).thenRefused("UnknownClaim")
  })

  it("answers its own repeat without an event, until somebody else has the claim", () => {
    const ended = active.and(event)
    ended.when(command).thenNothing()
    for (const [type, other] of ends) {
      if (type !== command.type) ended.when(other).thenRefused("StaleToken")
    }
    if (ended.state.name === "open") {
      ended
        .and(granted("bob", { attempt: 2 }))
        .when(command)
        .thenRefused("StaleToken")
    }
  })
})

describe("ReleaseClaim", () => {
  it("keeps the reason, and the way is free at once", () => {
    const open = active
      .when({ ...release, reason: "busy" })
      .thenHappens({ ...released(), reason: "busy" } as ClaimEvent)
    expect(open.state).toMatchObject({ name: "open", context: { attempts: 0, notBefore: 0 } })
  })
})

describe("CompleteClaim", () => {
  it("keeps summary, result and evidence", () => {
    const told = { summary: "done", result: { n: [1] }, evidence: [{ kind: "commit", uri: "u" }] }
    active.when({ ...complete, ...told }).thenHappens({ ...completed(), ...told } as ClaimEvent)
  })

  it("is still the holder's to say of work that was held for ever and swept, once", () => {
    const swept = given(deposited(), granted("ann", { ttlMs: null }), evaporated())
    const told = swept.when(complete).thenHappens(completed())
    told.when(complete).thenNothing()
    swept.when({ ...complete, token: 1 }).thenRefused("StaleToken")
    swept.when(release).thenRefused("StaleToken", { state: "evaporated" })
    swept.and(deposited()).when(complete).thenHappens(completed())
  })

  it("is not forgotten with the mark, but is with a reopening", () => {
    const done = active.and(completed())
    done.and(evaporated()).when(complete).thenNothing()
    done.and(reopened()).when(complete).thenRefused("StaleToken")
    done
      .and(evaporated(), reopened(), deposited())
      .when(complete)
      .thenRefused("StaleToken", { state: "open" })
  })
})

describe("FailClaim", () => {
  const failedFor = (retryAfterMs: number) => failed(2, { retryAfterMs })

  it("backs off by 5 s, doubled with every attempt, at most 5 min", () => {
    let story = given(deposited())
    const delays: Array<number> = []
    for (let attempt = 1; attempt <= 8; attempt++) {
      story = story.and(granted("ann", { attempt }))
      const token = story.state.offset
      const delay = Math.min(300_000, 5_000 * 2 ** (attempt - 1))
      story = story.when({ ...fail, token }).thenHappens(failed(token, { retryAfterMs: delay }))
      delays.push(story.state.context.notBefore - story.now)
    }
    expect(delays).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
  })

  it("waits as long as its holder says", () => {
    const story = active
      .and(pause(1_000))
      .when({ ...fail, retryAfterMs: 0 })
      .thenHappens(failedFor(0))
    expect(story.state.context.notBefore).toBe(beginning + 1_000)
  })

  it("settles the work when it is not to be tried again, or has been often enough", () => {
    expect(
      active.when({ ...fail, retry: false }).thenHappens(failed(2, { retry: false })).state
    ).toMatchObject({
      name: "done",
      context: { outcome: "failed" }
    })
    const last = given(deposited({}, { maxAttempts: 1 }), granted())
    expect(last.when(fail).thenHappens(failed()).state).toMatchObject({
      name: "done",
      context: { outcome: "exhausted" }
    })
  })

  it("fail, expire, fail uses up three attempts", () => {
    const story = given(
      deposited({}, { maxAttempts: 3 }),
      granted(),
      failed(),
      granted("bob", { attempt: 2 }),
      graceStarted(4),
      expired(4),
      granted("cid", { attempt: 3 })
    )
    const done = story.when({ ...fail, token: 7 }).thenHappens(failed(7, { retryAfterMs: 20_000 }))
    done.when({ type: "ClaimWork", peer: "ann" }).thenRefused("AlreadyDone", { outcome: "exhausted" })
    const open = done.when({ type: "ReopenClaim", reason: "why" }).thenHappens(reopened())
    expect(open.state).toMatchObject({ name: "open", context: { attempts: 0 } })
  })
})

describe("RevokeClaim", () => {
  const revoke: Asked = { type: "RevokeClaim", reason: "why" }

  it("takes a claim away in every phase of its lease", () => {
    for (const more of [[], [graceStarted()], [offered()]]) {
      expect(
        active
          .and(...more)
          .when(revoke)
          .thenHappens(revoked()).state.name
      ).toBe("open")
    }
  })

  it("takes away only the holding that is meant", () => {
    active.when({ ...revoke, token: 2 }).thenHappens(revoked())
    active
      .and(transferred())
      .when({ ...revoke, token: 2 })
      .thenRefused("StaleToken")
  })

  it("refuses what nobody holds, but answers the repeat of a revocation that named its token", () => {
    given(deposited()).when(revoke).thenRefused("NotHeld", { state: "open" })
    active.and(completed()).when(revoke).thenRefused("NotHeld", { state: "done" })
    active.and(revoked()).when(revoke).thenRefused("NotHeld")
    active
      .and(revoked())
      .when({ ...revoke, token: 2 })
      .thenNothing()
    given().when(revoke).thenRefused("UnknownClaim")
  })
})

describe("ReopenClaim", () => {
  const reopen: Asked = { type: "ReopenClaim", reason: "why" }

  it("opens what is settled, also when its mark is gone", () => {
    const done = active.and(completed())
    expect(done.when(reopen).thenHappens(reopened()).state.name).toBe("open")
    const gone = done.and(evaporated()).when(reopen).thenHappens(reopened())
    expect(gone.and(deposited()).state.name).toBe("open")
  })

  it("refuses what is not settled", () => {
    given(deposited()).when(reopen).thenRefused("NotDone", { state: "open" })
    active.when(reopen).thenRefused("NotDone", { state: "held.active" })
    given(deposited(), evaporated()).when(reopen).thenRefused("NotDone", { state: "evaporated" })
    given().when(reopen).thenRefused("UnknownClaim")
  })
})
