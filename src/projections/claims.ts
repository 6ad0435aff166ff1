/**
 * One row for every claim stream, marks that evaporated included: those keep their id, state, token and outcome, since finished
 * work must stay refused for ever (contracts: ledger 3.1, 5.5).
 */
import { idOf, kindOf, makeStreamId, type RecordedEvent } from "../events/Event.js"
import type { Projection, Row } from "./Projection.js"

type Data = { readonly [key: string]: unknown }
type Value = string | number | null

const empty: Row = {
  id: null,
  state: null,
  stance: null,
  record: null,
  base: null,
  decay: null,
  published_at: null,
  inflations: 0,
  peer: null,
  instance: null,
  bound_to: null,
  token: null,
  ttl_ms: null,
  grace_ms: null,
  granted_at: null,
  lease_from: null,
  grace_until: null,
  offer_to: null,
  offer_until: null,
  attempts: 0,
  max_attempts: null,
  not_before: null,
  settled: 0,
  outcome: null,
  first_offset: null,
  version: 0,
  offset: 0
}

const number = (value: unknown): number => (typeof value === "number" ? value : 0)
const orNull = (value: unknown): Value => (value === undefined ? null : (value as Value))

const noHolder = {
  peer: null,
  instance: null,
  bound_to: null,
  grace_until: null,
  offer_to: null,
  offer_until: null
}
const noOffer = { offer_to: null, offer_until: null, grace_until: null }

const deposit = (row: Row, { data, at, offset, state }: RecordedEvent): Row => {
  const record = data.record as Data
  return {
    ...row,
    // SQLite would change a lone surrogate by itself, and then the live row were not the rebuilt one.
    stance: String(record.stanceTarget ?? "").toWellFormed(),
    record: JSON.stringify(record),
    base: number(record.baseIntensity),
    decay: number(record.decayRate),
    published_at: (data.publishedAt as number | undefined) ?? at,
    inflations: number(record.inflations),
    max_attempts: orNull(data.maxAttempts),
    first_offset: row.first_offset ?? offset,
    attempts: row.state === "evaporated" && state === "open" ? 0 : (row.attempts as number)
  }
}

const lease = (row: Row, holder: Data, data: Data, { at, offset }: RecordedEvent): Row => ({
  ...row,
  ...noHolder,
  peer: holder.peer as string,
  instance: orNull(holder.instance),
  bound_to: orNull(holder.boundTo),
  token: offset,
  ttl_ms: orNull(data.ttlMs),
  grace_ms: data.graceMs as number,
  granted_at: at,
  lease_from: at
})

/** A claim that ended in `done` is settled, with the outcome that its last event says. */
const end = (row: Row, state: string, outcome: string): Row => ({
  ...row,
  ...noHolder,
  ...(state === "done" && { settled: 1, outcome })
})

const next = (row: Row, event: RecordedEvent): Row => {
  const { type, data, at, state } = event
  switch (type) {
    case "PheromoneDeposited":
      return deposit(row, event)
    case "PheromoneInflated":
      return { ...row, inflations: (row.inflations as number) + 1 }
    case "PheromoneEvaporated": {
      const kept = row.peer !== null ? { settled: 1 } : {}
      const gone = { record: null, base: null, decay: null, published_at: null, inflations: 0 }
      return { ...row, ...gone, ...kept, stance: null, max_attempts: null, first_offset: null }
    }
    case "ClaimGranted": {
      const attempts = (row.attempts as number) + 1
      return { ...lease(row, data, data, event), attempts, not_before: null, outcome: null }
    }
    case "ClaimTransferred":
      return lease(row, data.to as Data, data, event)
    case "ClaimRenewed":
      return { ...row, lease_from: at, grace_until: null }
    case "ClaimGraceStarted":
      return { ...row, ...noOffer, grace_until: at + (row.grace_ms as number) }
    case "HandoffOffered":
      return {
        ...row,
        grace_until: null,
        offer_to: data.to as string,
        offer_until: at + (data.offerMs as number)
      }
    case "HandoffDeclined":
    case "HandoffWithdrawn":
    case "HandoffLapsed":
      return { ...row, ...noOffer, lease_from: at }
    case "ClaimReleased":
      return { ...end(row, state, ""), attempts: (row.attempts as number) - 1 }
    case "ClaimRevoked":
      return end(row, state, "")
    case "ClaimExpired":
      return end(row, state, "exhausted")
    case "ClaimFailed": {
      const ended = end(row, state, data.retry ? "exhausted" : "failed")
      return state === "done" ? ended : { ...ended, not_before: at + (data.retryAfterMs as number) }
    }
    case "ClaimCompleted":
      return end(row, "done", "completed")
    case "ClaimReopened":
      return { ...row, ...noHolder, settled: 0, attempts: 0, outcome: null }
    default:
      return row
  }
}

export const claims: Projection = {
  name: "claims",
  version: 3,
  columns: {
    id: "TEXT",
    state: "TEXT",
    stance: "TEXT",
    record: "TEXT",
    base: "REAL",
    decay: "REAL",
    published_at: "REAL",
    inflations: "REAL",
    peer: "TEXT",
    instance: "TEXT",
    bound_to: "TEXT",
    token: "INTEGER",
    ttl_ms: "INTEGER",
    grace_ms: "INTEGER",
    granted_at: "INTEGER",
    lease_from: "INTEGER",
    grace_until: "INTEGER",
    offer_to: "TEXT",
    offer_until: "INTEGER",
    attempts: "INTEGER",
    max_attempts: "INTEGER",
    not_before: "INTEGER",
    settled: "INTEGER",
    outcome: "TEXT",
    first_offset: "INTEGER",
    version: "INTEGER",
    offset: "INTEGER"
  },
  indexes: ["(first_offset)", "(peer) WHERE peer IS NOT NULL", "(bound_to) WHERE bound_to IS NOT NULL"],
  keys: (event) => (kindOf(event.stream) === "claim" ? [idOf(event.stream)] : []),
  streamOf: (key) => makeStreamId("claim", key),
  reduce: (row, event, key) => {
    const { state, version, offset } = event
    return { ...next(row ?? empty, event), id: key, state, version, offset }
  }
}
