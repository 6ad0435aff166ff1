import { describe, expect, it } from "@effect/vitest"
import {
  completed,
  deposited,
  evaporated,
  graceStarted,
  granted,
  inflated,
  offered,
  record
} from "../../support/claimFacts.js"
import { type Asked, beginning, given, pause } from "../../support/claimStory.js"

const deposit: Asked = { type: "DepositPheromone", record: record() }
const inflate: Asked = { type: "InflatePheromone" }
const evaporate: Asked = { type: "EvaporatePheromone", reason: "old" }
const sweep = (expectedVersion: number, cause: "sweep" | "size" | "age" = "sweep"): Asked => ({
  type: "EvaporatePheromone",
  sweep: { cause, floor: 0.01, expectedVersion }
})

describe("DepositPheromone", () => {
  it("publishes a mark, and publishes it again in any state", () => {
    given().when(deposit).thenHappens(deposited())
    given(deposited(), granted()).when(deposit).thenHappens(deposited())
    given(deposited(), granted(), completed()).when(deposit).thenHappens(deposited())
    given(deposited(), evaporated()).when(deposit).thenHappens(deposited())
  })

  it("keeps how often the work may be tried", () => {
    given()
      .when({ ...deposit, maxAttempts: 3 })
      .thenHappens(deposited({}, { maxAttempts: 3 }))
  })

  it("publishes only on the version that its sender has seen, 0 for none", () => {
    given()
      .when({ ...deposit, expectedVersion: 0 })
      .thenHappens(deposited())
    const seen = given(deposited(), inflated())
    seen.when({ ...deposit, expectedVersion: 2 }).thenHappens(deposited())
    seen
      .when({ ...deposit, expectedVersion: 1 })
      .thenRefused("VersionConflict", { current: seen.state.version })
    seen.when({ ...deposit, expectedVersion: 0 }).thenRefused("VersionConflict")
  })

  it("publishes only stances of the registry, if there is one", () => {
    given()
      .when(deposit, { stances: new Set(["review"]) })
      .thenHappens(deposited())
    given()
      .when(deposit, { stances: new Set(["build"]) })
      .thenRefused("StanceUnknown", { stanceTarget: "review" })
    given().when(deposit, { stances: new Set() }).thenRefused("StanceUnknown")
  })
})

describe("InflatePheromone", () => {
  it("records the intensity that it leads to", () => {
    const fading = { baseIntensity: 0.5, decayRate: 1, inflations: 1 }
    given(deposited(fading), pause(2_000))
      .when(inflate)
      .thenHappens(inflated(0.5 * Math.exp(-2) + 1 + 1))
  })

  it("inflates a mark whoever holds it", () => {
    given(deposited(), granted()).when(inflate).thenHappens(inflated())
    given(deposited(), granted(), completed()).when(inflate).thenHappens(inflated())
  })

  it("refuses an id that never had a mark, has none yet, or has none any more", () => {
    given().when(inflate).thenRefused("UnknownClaim", { id: "a" })
    given(granted()).when(inflate).thenRefused("UnknownClaim")
    given(deposited(), evaporated()).when(inflate).thenRefused("UnknownClaim")
  })
})

describe("EvaporatePheromone", () => {
  const forever = granted("ann", { ttlMs: null })

  it("by an operator evaporates what is open, done or held for ever, with the intensity that it then had", () => {
    const byOperator = evaporated({ reason: "operator", note: "old", intensity: Math.exp(-1) })
    for (const history of [[], [forever], [granted(), completed()]]) {
      given(deposited({ decayRate: 1 }), ...history, pause(1_000))
        .when(evaporate)
        .thenHappens(byOperator)
    }
  })

  it("refuses a timed claim, and one held for ever that is being handed over", () => {
    given(deposited(), granted())
      .when(evaporate)
      .thenRefused("AlreadyClaimed", { by: "ann", expiresAt: beginning + 60_000, state: "held.active" })
    given(deposited(), granted(), graceStarted()).when(evaporate).thenRefused("AlreadyClaimed")
    given(deposited(), forever, offered()).when(evaporate).thenRefused("AlreadyClaimed")
  })

  it("refuses what has no mark", () => {
    given().when(evaporate).thenRefused("UnknownClaim")
    given(granted("ann", { ttlMs: null }))
      .when(evaporate)
      .thenRefused("UnknownClaim")
    given(deposited(), evaporated()).when(evaporate).thenRefused("UnknownClaim")
  })

  it("by a sweep records its cause and floor", () => {
    given(deposited())
      .when(sweep(1, "age"))
      .thenHappens(evaporated({ reason: "age", floor: 0.01 }))
  })

  it("by a sweep does nothing when anything has happened since it looked", () => {
    given(deposited(), inflated()).when(sweep(1)).thenNothing()
    given(deposited(), granted()).when(sweep(1)).thenNothing()
    given(deposited(), evaporated()).when(sweep(1)).thenNothing()
  })
})

describe("a settled claim", () => {
  it("stays refused whatever becomes of its mark", () => {
    const work: Asked = { type: "ClaimWork", peer: "bob", preclaim: true }
    const done = given(deposited(), granted(), completed())
    done.when(work).thenRefused("AlreadyDone", { outcome: "completed" })
    done.and(evaporated()).when(work).thenRefused("AlreadyDone", { outcome: "completed" })
    done.and(evaporated(), deposited()).when(work).thenRefused("AlreadyDone", { outcome: "completed" })
  })

  it("was held for ever by whoever had it when its mark was swept, also once the mark is back", () => {
    const work: Asked = { type: "ClaimWork", peer: "bob", preclaim: true }
    const swept = given(deposited(), granted("anonymous", { ttlMs: null }), evaporated())
    swept.when(work).thenRefused("AlreadyDone", { outcome: null })
    swept.and(deposited()).when(work).thenRefused("AlreadyDone", { outcome: null })
    expect(swept.and(deposited()).state.name).toBe("done")
  })
})
