/** Questions to the projection `servers`. */
import type { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "./Projector.js"

export interface StoredServer {
  readonly id: string
  readonly state: "registered" | "stale"
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly metadata: string | null
  readonly token: number
  readonly heard_at: number
  readonly since: number
  readonly offset: number
}

/** All that are not gone, in the order of their registration. */
export const listServers = (read: ReadRows): Effect.Effect<ReadonlyArray<StoredServer>, JournalUnavailable> =>
  read("SELECT * FROM servers ORDER BY token")

export interface ServerFilter {
  readonly state: string | undefined
  readonly limit: number
  /** Keys after this one, as the registry counts them: `server/ID`. */
  readonly after: string
}

/** A page of them by key. */
export const pageOfServers = (
  read: ReadRows,
  { state, limit, after }: ServerFilter
): Effect.Effect<ReadonlyArray<StoredServer>, JournalUnavailable> =>
  read(`SELECT * FROM servers WHERE 'server/' || id > ? AND state = coalesce(?, state) ORDER BY id LIMIT ?`, [
    after,
    state ?? null,
    limit
  ])
