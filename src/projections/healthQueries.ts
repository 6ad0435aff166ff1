/** Questions to the projection `health`. */
import type { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "./Projector.js"

export interface StoredHealth {
  readonly component: string
  readonly reason: string
  readonly subject: string
  readonly status: string
  readonly since: number
  readonly offset: number | null
  readonly detail: string
}

/** The reasons that count at an instant. */
export const healthRows = (
  read: ReadRows,
  now: number
): Effect.Effect<ReadonlyArray<StoredHealth>, JournalUnavailable> =>
  read(
    `SELECT component, reason, subject, status, since, "offset", detail FROM health
     WHERE expires_at IS NULL OR expires_at > ? ORDER BY component, reason, subject`,
    [now]
  )
