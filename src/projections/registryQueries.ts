/** Questions to the projections `registry` and `messages`. */
import { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "./Projector.js"

export interface StoredActor {
  readonly key: string
  readonly kind: "peer" | "presence"
  readonly name: string
  readonly personality: string
  readonly state: string
  readonly status: string
  readonly since: number
  readonly incarnation: number | null
  readonly restart: "onDemand" | "always"
  readonly session_id: string | null
  readonly queue_depth: number
  readonly in_flight: string | null
  readonly eager: number
  readonly streak: number
  /** JSON: a peer's registration, or what else is known of a presence. */
  readonly detail: string
  readonly offset: number
}

export interface StoredMessage {
  readonly message_id: string
  readonly recipient: string
  readonly sender: string
  readonly topic: string | null
  readonly reply_to: string | null
  readonly sent_at: string
  readonly accepted_at: number
  readonly accepted_offset: number
  readonly state: string
  readonly attempts: string
  readonly evidence: string | null
  readonly reason: string | null
  readonly settled_at: number | null
  readonly offset: number
}

type Read<A> = Effect.Effect<ReadonlyArray<A>, JournalUnavailable>

const query = <A>(read: ReadRows, sql: string, parameters: ReadonlyArray<unknown> = []): Read<A> =>
  read<A>(sql, parameters)

/** The conditions that are given, as SQL and its parameters. */
const where = (conditions: ReadonlyArray<readonly [sql: string, ...values: ReadonlyArray<unknown>]>) => {
  const given = conditions.filter(([, value]) => value !== undefined)
  return {
    sql: given.map(([sql]) => ` AND ${sql}`).join(""),
    values: given.flatMap(([, ...values]) => values)
  }
}

export interface RegistryFilter {
  readonly kind?: "peer" | "presence" | undefined
  /** A state or a status; `live` stands for all of its states. */
  readonly state?: string | undefined
  readonly personality?: string | undefined
  readonly limit: number
  /** Names after this one. */
  readonly after: string
}

export const listRegistry = (read: ReadRows, filter: RegistryFilter): Read<StoredActor> => {
  const { kind, state, personality } = filter
  const { sql, values } = where([
    ["kind = ?", kind],
    ["(state = ? OR status = ? OR state LIKE ? || '.%')", state, state, state],
    ["personality = ?", personality]
  ])
  return query(
    read,
    `SELECT * FROM registry WHERE state <> 'undeclared' AND key > ?${sql} ORDER BY key LIMIT ?`,
    [filter.after, ...values, filter.limit]
  )
}

export const findActor = (
  read: ReadRows,
  key: string
): Effect.Effect<StoredActor | undefined, JournalUnavailable> =>
  Effect.map(query<StoredActor>(read, "SELECT * FROM registry WHERE key = ?", [key]), ([row]) => row)

/** Everything that is known of a personality, and with a negative limit of everybody. */
export const actorsOf = (read: ReadRows, personality: string): Read<StoredActor> =>
  query(read, "SELECT * FROM registry WHERE personality = ? ORDER BY key", [personality])

export const allActors = (read: ReadRows): Read<StoredActor> =>
  query(read, "SELECT * FROM registry WHERE state <> 'undeclared' ORDER BY key")

export interface MessageFilter {
  readonly to?: string | undefined
  readonly from?: string | undefined
  readonly topic?: string | undefined
  readonly state?: string | undefined
  readonly limit: number
  /** Offsets of acceptance after this one. */
  readonly after: number
}

/** Recipients and senders are named by identity or by personality. */
export const listMessages = (read: ReadRows, filter: MessageFilter): Read<StoredMessage> => {
  const { to, from, topic, state } = filter
  const named = (column: string) => `(${column} = ? OR substr(${column}, instr(${column}, '-') + 1) = ?)`
  const { sql, values } = where([
    [named("recipient"), to, to],
    [named("sender"), from, from],
    ["topic = ?", topic],
    ["state = ?", state]
  ])
  return query(
    read,
    `SELECT * FROM messages WHERE accepted_offset > ?${sql} ORDER BY accepted_offset LIMIT ?`,
    [filter.after, ...values, filter.limit]
  )
}

export const findMessage = (
  read: ReadRows,
  messageId: string
): Effect.Effect<StoredMessage | undefined, JournalUnavailable> =>
  Effect.map(
    query<StoredMessage>(read, "SELECT * FROM messages WHERE message_id = ?", [messageId]),
    ([row]) => row
  )

/** What a removal has cost: sessions that were ended for it and messages that failed by it. */
export const countRemoval = (
  read: ReadRows,
  personality: string,
  since: number
): Effect.Effect<{ readonly sessionsEnded: number; readonly messagesFailed: number }, JournalUnavailable> =>
  Effect.map(
    read(
      `SELECT
         (SELECT count(*) FROM registry WHERE personality = ? AND kind = 'presence'
            AND json_extract(detail, '$.lastEnd.reason') = 'remove'
            AND json_extract(detail, '$.lastEnd.offset') > ?) AS sessions,
         (SELECT count(*) FROM messages WHERE substr(recipient, instr(recipient, '-') + 1) = ?
            AND reason = 'removed' AND "offset" > ?) AS messages`,
      [personality, since, personality, since]
    ),
    ([row]) => ({ sessionsEnded: Number(row?.sessions), messagesFailed: Number(row?.messages) })
  )
