import { describe, expect, it } from "@effect/vitest"
import { Either, Schema } from "effect"
import { ClaimCommand } from "../../../src/actors/claim/ClaimCommand.js"

const decode = Schema.decodeUnknownEither(ClaimCommand)
const accepts = (command: object) => Either.isRight(decode(command))

const take = { type: "ClaimWork", peer: "ann" }
const complete = { type: "CompleteClaim", token: 1 }
const fail = { type: "FailClaim", token: 1, reason: "r" }
const offer = { type: "OfferHandoff", token: 1, to: "bob" }
const deposit = { type: "DepositPheromone", record: { id: "a" } }
const next = { type: "ClaimNext", peer: "ann" }
const evidence = { kind: "commit", uri: "u", digest: "d" }

/** A command, the field that has a limit, values within it and values beyond (contracts: ledger 2.1, 4). */
const limits: ReadonlyArray<
  readonly [command: object, field: string, within: ReadonlyArray<unknown>, beyond: ReadonlyArray<unknown>]
> = [
  [take, "peer", ["A-z0.9_:@/-", "x".repeat(128)], ["", "x".repeat(129), "a b", "é", 5, null]],
  [take, "instance", ["1"], ["", "x".repeat(129)]],
  [take, "boundTo", ["presence/claude-ann"], ["", "claude-ann", "presence/", "peer/ann"]],
  [take, "ttlMs", [null, 1_000, 86_400_000], [999, 86_400_001, 1_000.5, "1000"]],
  [take, "graceMs", [0, 3_600_000], [-1, 3_600_001, null]],
  [offer, "offerMs", [1_000, 900_000], [999, 900_001]],
  [offer, "to", ["bob"], ["", "b b"]],
  [fail, "retryAfterMs", [0, 86_400_000], [-1, 86_400_001]],
  [fail, "reason", ["", "x".repeat(2_000)], ["x".repeat(2_001), null]],
  [deposit, "maxAttempts", [1, 1_000], [0, 1_001, 1.5]],
  [deposit, "record", [{}], [[], null, "x", 5]],
  [deposit, "expectedVersion", [0, 7], [-1, 0.5]],
  [complete, "summary", ["x".repeat(2_000)], ["x".repeat(2_001)]],
  [complete, "result", [null, [1], "x".repeat(65_534)], ["x".repeat(65_535), "é".repeat(32_768)]],
  [
    complete,
    "evidence",
    [[], Array(16).fill(evidence), [{ kind: "k", uri: "u" }]],
    [Array(17).fill(evidence), [{}]]
  ],
  [complete, "token", [1], ["1", -1, 0.5, null]],
  [next, "stances", [[], ["s"], { s: 0, t: 1, u: 0.5 }], ["s", { s: 1.1 }, { s: -0.1 }, [5]]],
  [next, "minScore", [-1, 0.5], [Number.POSITIVE_INFINITY, "1"]]
]

describe("ClaimCommand", () => {
  it.each(limits)("%j keeps the limits of %s", (command, field, within, beyond) => {
    const verdicts = (values: ReadonlyArray<unknown>) =>
      values.map((value) => accepts({ ...command, [field]: value }))
    expect(verdicts(within)).toEqual(within.map(() => true))
    expect(verdicts(beyond)).toEqual(beyond.map(() => false))
  })

  it("says what a field must be", () => {
    const problem = (command: object) => Either.match(decode(command), { onLeft: String, onRight: () => "" })
    expect(problem({ ...take, ttlMs: 5 })).toContain("must be an integer from 1000 to 86400000")
    expect(problem({ ...take, peer: "a b" })).toContain("must be 1 to 128 of A-Za-z0-9._:@/-")
  })
})
