/** Facts of a claim's life with what a test does not care about filled in. */
import type { ClaimEvent, ClaimEventOf, Holder, MarkRecord } from "../../src/actors/claim/ClaimEvent.js"
import { offset } from "./stores.js"

type Fields<Type extends ClaimEvent["type"]> = Partial<Omit<ClaimEventOf<Type>, "type">>

export const record = (fields: MarkRecord = {}): MarkRecord => ({
  id: "a",
  stanceTarget: "review",
  baseIntensity: 1,
  decayRate: 0,
  ...fields
})

export const deposited = (
  mark: MarkRecord = {},
  fields: Omit<Fields<"PheromoneDeposited">, "record"> = {}
): ClaimEvent => ({ type: "PheromoneDeposited", record: record(mark), ...fields })

export const inflated = (intensity = 2): ClaimEvent => ({ type: "PheromoneInflated", intensity })

export const evaporated = (fields: Fields<"PheromoneEvaporated"> = {}): ClaimEvent => ({
  type: "PheromoneEvaporated",
  intensity: 1,
  reason: "operator",
  ...fields
})

/** A lease of 60 s with a grace of 30 s, unless it says otherwise. */
export const granted = (peer = "ann", fields: Fields<"ClaimGranted"> = {}): ClaimEvent => ({
  type: "ClaimGranted",
  peer,
  ttlMs: 60_000,
  graceMs: 30_000,
  attempt: 1,
  ...fields
})

/** The token of these is 2 unless they say otherwise: that of a grant which follows a deposit. */
export const renewed = (token = 2): ClaimEvent => ({ type: "ClaimRenewed", token: offset(token) })

export const graceStarted = (token = 2): ClaimEvent => ({
  type: "ClaimGraceStarted",
  token: offset(token),
  cause: "deadline"
})

export const expired = (token = 2): ClaimEvent => ({
  type: "ClaimExpired",
  token: offset(token),
  overdueMs: 0
})

export const released = (token = 2): ClaimEvent => ({
  type: "ClaimReleased",
  token: offset(token),
  reason: null
})

export const completed = (token = 2): ClaimEvent => ({
  type: "ClaimCompleted",
  token: offset(token),
  summary: null,
  result: null,
  evidence: []
})

export const failed = (token = 2, fields: Fields<"ClaimFailed"> = {}): ClaimEvent => ({
  type: "ClaimFailed",
  token: offset(token),
  reason: "broken",
  retry: true,
  retryAfterMs: 5_000,
  ...fields
})

export const revoked = (token = 2): ClaimEvent => ({
  type: "ClaimRevoked",
  token: offset(token),
  reason: "why"
})

export const reopened = (): ClaimEvent => ({ type: "ClaimReopened", reason: "why" })

export const transferred = (
  to: Holder = { peer: "bob" },
  fields: Fields<"ClaimTransferred"> = {}
): ClaimEvent => ({
  type: "ClaimTransferred",
  from: { peer: "ann" },
  to,
  previousToken: offset(2),
  ttlMs: 60_000,
  graceMs: 30_000,
  cause: "handoff",
  ...fields
})

export const offered = (to = "bob", token = 2, offerMs = 10_000): ClaimEvent => ({
  type: "HandoffOffered",
  token: offset(token),
  to,
  offerMs
})

const closed =
  (type: "HandoffDeclined" | "HandoffWithdrawn" | "HandoffLapsed") =>
  (to = "bob", token = 2): ClaimEvent => ({ type, token: offset(token), to })

export const declined = closed("HandoffDeclined")
export const withdrawn = closed("HandoffWithdrawn")
export const lapsed = closed("HandoffLapsed")
