/** What is wrong with peers, as their rows tell it (contracts: peers 6): held, failing again and again, slow to end, not read. */
import { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { StoredHealth } from "./healthQueries.js"
import type { ReadRows } from "./Projector.js"

const minuteMs = 60_000
const endingSlowMs = 30_000
const tenMinutesMs = 10 * minuteMs
/** Unasked ends in a row that are worth a word. */
const longStreak = 3

const component = "peers"
const status = "degraded"

const presencesSql = `
  SELECT name AS subject, since, "offset",
    CASE state WHEN 'crashLoop' THEN 'crash_loop' WHEN 'ending' THEN 'ending_slow' ELSE 'restarting' END AS reason,
    CASE state
      WHEN 'crashLoop' THEN 'held until ' || coalesce(json_extract(detail, '$.heldUntil'), 0)
      WHEN 'ending' THEN 'its processes do not end'
      ELSE streak || ' short lives in a row'
    END AS detail
  FROM registry
  WHERE kind = 'presence' AND (
    state = 'crashLoop' OR (state = 'ending' AND since < ? - ${endingSlowMs})
    OR (streak >= ${longStreak} AND state NOT IN ('undeclared', 'stopped'))
  ) ORDER BY name`

const staleSql = `
  SELECT recipient AS subject, min(accepted_at) AS since, min("offset") AS "offset",
    'queue_stale' AS reason, count(*) || ' messages wait' AS detail
  FROM messages WHERE state IN ('queued', 'attempted') AND accepted_at < ? - ${tenMinutesMs}
  GROUP BY recipient ORDER BY recipient`

const unconfirmedSql = `
  SELECT recipient AS subject, min(settled_at) AS since, max("offset") AS "offset",
    'unconfirmed' AS reason, count(*) || ' messages without evidence' AS detail
  FROM messages WHERE state = 'unconfirmed' AND settled_at > ? - ${tenMinutesMs}
  GROUP BY recipient ORDER BY recipient`

type Found = Omit<StoredHealth, "component" | "status">

/** Registry and messages may be read from different stores, as they were at one moment. */
export const peersHealth = (
  registry: ReadRows,
  messages: ReadRows,
  now: number
): Effect.Effect<ReadonlyArray<StoredHealth>, JournalUnavailable> =>
  Effect.gen(function* () {
    const stopped = new Set(
      (yield* registry("SELECT name FROM registry WHERE state = 'stopped'")).map(({ name }) => name)
    )
    const stale = (yield* messages<Found>(staleSql, [now])).filter(({ subject }) => !stopped.has(subject))
    const found = [
      ...(yield* registry<Found>(presencesSql, [now])),
      ...stale,
      ...(yield* messages<Found>(unconfirmedSql, [now]))
    ]
    return found.map((row) => ({ component, status, ...row }))
  })
