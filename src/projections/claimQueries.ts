/** Questions to the projection `claims`. Each is one SQL statement, on live rows or on rows as of an offset. */
import { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import { slicesOf } from "../events/slicesOf.js"
import type { ReadRows } from "./Projector.js"

/** A row of `claims` as its columns are; numbers that SQLite keeps as REAL come back as they were. */
export interface StoredClaim {
  readonly id: string
  readonly state: string
  readonly stance: string | null
  readonly record: string | null
  readonly base: number | null
  readonly decay: number | null
  readonly published_at: number | null
  readonly inflations: number
  readonly peer: string | null
  readonly instance: string | null
  readonly bound_to: string | null
  readonly token: number | null
  readonly ttl_ms: number | null
  readonly grace_ms: number | null
  readonly granted_at: number | null
  readonly lease_from: number | null
  readonly grace_until: number | null
  readonly offer_to: string | null
  readonly offer_until: number | null
  readonly attempts: number
  readonly max_attempts: number | null
  readonly not_before: number | null
  readonly settled: number
  readonly outcome: string | null
  readonly first_offset: number | null
  readonly version: number
  readonly offset: number
}

/** Which claims are wanted; what is left out does not matter. */
export interface ClaimFilter {
  readonly state?: string | undefined
  readonly stance?: string | undefined
  readonly holder?: string | undefined
  readonly boundTo?: string | undefined
  readonly prefix?: string | undefined
  /** Least intensity at `now`. */
  readonly min?: number | undefined
  /** By the newest event of each, so that paging never misses a row; or the strongest first. */
  readonly sort?: "offset" | "intensity" | undefined
  readonly limit: number
  /** With `sort: "offset"`: rows after this offset. */
  readonly after: number
}

type Read = Effect.Effect<ReadonlyArray<StoredClaim>, JournalUnavailable>

const query = (read: ReadRows, sql: string, parameters: ReadonlyArray<unknown> = []): Read =>
  read<StoredClaim>(sql, parameters)

/** The intensity that `actors/claim/intensity` computes, for filters and orders; what is shown is computed there. */
const intensitySql = `base * exp((-decay * max(0, asked.at - published_at)) / 1000.0) + inflations`
const fromClaims = "FROM claims CROSS JOIN (SELECT ? AS at) AS asked"

export const listClaims = (read: ReadRows, filter: ClaimFilter, now: number): Read => {
  const { state, prefix } = filter
  const byIntensity = filter.sort === "intensity"
  const conditions: ReadonlyArray<readonly [sql: string, value: unknown, again?: unknown]> = [
    // `state=held` stands for all of its states.
    ["(state = ? OR state LIKE ? || '.%')", state, state],
    ["stance = ?", filter.stance],
    ["peer = ?", filter.holder],
    ["bound_to = ?", filter.boundTo],
    ["substr(id, 1, length(?)) = ?", prefix, prefix],
    [`record IS NOT NULL AND ${intensitySql} >= ?`, filter.min],
    [`"offset" > ?`, byIntensity ? undefined : filter.after]
  ]
  const given = conditions.filter(([, value]) => value !== undefined)
  const order = byIntensity ? `record IS NULL, ${intensitySql} DESC, first_offset` : `"offset"`
  const where = given.map(([sql]) => `AND ${sql}`).join(" ")
  return query(read, `SELECT claims.* ${fromClaims} WHERE TRUE ${where} ORDER BY ${order} LIMIT ?`, [
    now,
    ...given.flatMap(([, ...values]) => values),
    filter.limit
  ])
}

export const findClaim = (
  read: ReadRows,
  id: string
): Effect.Effect<StoredClaim | undefined, JournalUnavailable> =>
  Effect.map(query(read, "SELECT * FROM claims WHERE id = ?", [id]), ([row]) => row)

/** Ids a statement looks for at a time. */
const idsPerQuery = 1_000

/** Which of these ids have a claim stream, whatever became of it. */
export const knownClaims = (
  read: ReadRows,
  ids: ReadonlyArray<string>
): Effect.Effect<ReadonlySet<string>, JournalUnavailable> =>
  Effect.map(
    Effect.forEach(slicesOf(ids, idsPerQuery), (chunk) =>
      read("SELECT id FROM claims WHERE id IN (SELECT value FROM json_each(?))", [JSON.stringify(chunk)])
    ),
    (pages) => new Set(pages.flat().map(({ id }) => String(id)))
  )

/** A page of the listed marks, in the order in which they were first published. */
export const listMarks = (
  read: ReadRows,
  afterFirstOffset: number,
  options: { readonly openOnly: boolean; readonly limit: number }
): Read =>
  query(
    read,
    `SELECT record, base, decay, published_at, inflations, first_offset FROM claims
     WHERE first_offset > ? ${options.openOnly ? "AND state = 'open'" : ""} ORDER BY first_offset LIMIT ?`,
    [afterFirstOffset, options.limit]
  )

/** What a sweep may evaporate (contracts: ledger 6.4). */
export interface SweepFilter {
  readonly floor: number
  /** Also open marks that were published before this instant and never inflated; undefined for none. */
  readonly openBefore: number | undefined
}

/** Marks held for ever by nobody in particular, or done, whose intensity is below the floor; and old open ones if wanted. */
export const sweepable = (read: ReadRows, { floor, openBefore }: SweepFilter, now: number): Read =>
  query(
    read,
    `SELECT claims.* ${fromClaims} WHERE record IS NOT NULL AND ${intensitySql} < ? AND (
       state = 'done'
       OR (state = 'held.active' AND ttl_ms IS NULL AND bound_to IS NULL AND peer = 'anonymous')
       OR (state = 'open' AND inflations = 0 AND published_at < ?)
     ) ORDER BY first_offset`,
    [now, floor, openBefore ?? null]
  )

/** How much JSON the listed marks hold, in bytes. */
export const listedBytes = (read: ReadRows): Effect.Effect<number, JournalUnavailable> =>
  Effect.map(
    read("SELECT coalesce(sum(octet_length(record)), 0) AS bytes FROM claims WHERE record IS NOT NULL"),
    ([row]) => Number(row?.bytes)
  )

export const countMarks = (read: ReadRows): Effect.Effect<number, JournalUnavailable> =>
  Effect.map(read("SELECT count(*) AS marks FROM claims WHERE first_offset IS NOT NULL"), ([row]) =>
    Number(row?.marks)
  )

export const countByState = (
  read: ReadRows
): Effect.Effect<ReadonlyMap<string, number>, JournalUnavailable> =>
  Effect.map(
    read("SELECT state, count(*) AS claims FROM claims GROUP BY state"),
    (rows) => new Map(rows.map(({ state, claims }) => [String(state), Number(claims)]))
  )

export const openClaims = (read: ReadRows): Read => query(read, "SELECT * FROM claims WHERE state = 'open'")

/** Claims that are held under a lease that ends by itself or with a presence. */
export const leasedClaims = (read: ReadRows): Read =>
  query(
    read,
    "SELECT * FROM claims WHERE peer IS NOT NULL AND state LIKE 'held.%' AND (ttl_ms IS NOT NULL OR bound_to IS NOT NULL)"
  )

/** Held claims that are bound to a presence. */
export const claimsBoundTo = (read: ReadRows, presence: string): Read =>
  query(read, "SELECT * FROM claims WHERE bound_to = ? AND state LIKE 'held.%'", [presence])

/** Claims held for ever since before an instant: work that an old client may have forgotten. */
export const countForeverSince = (
  read: ReadRows,
  before: number
): Effect.Effect<number, JournalUnavailable> =>
  Effect.map(
    read(
      `SELECT count(*) AS claims FROM claims
       WHERE peer IS NOT NULL AND state LIKE 'held.%' AND ttl_ms IS NULL AND bound_to IS NULL AND granted_at < ?`,
      [before]
    ),
    ([row]) => Number(row?.claims)
  )

export const oldestOpen = (read: ReadRows): Effect.Effect<number | null, JournalUnavailable> =>
  Effect.map(
    read("SELECT min(published_at) AS oldest FROM claims WHERE state = 'open'"),
    ([row]) => (row?.oldest ?? null) as number | null
  )
