/** Questions to the projections of workflows and runs. Each is one SQL statement, on live rows or on rows as of an offset. */
import { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "./Projector.js"
import type { Measured } from "./threadPage.js"

/** A row of `workflow_runs` as its columns are. */
export interface StoredRun {
  readonly run_id: string
  readonly workflow: string
  readonly status: string
  readonly state: string
  readonly exit_code: number | null
  readonly reason: string | null
  readonly error: string | null
  readonly prompt: string
  readonly max_rounds: number
  readonly dry_run: number
  readonly origin: string
  readonly depth: number
  readonly rounds: number
  readonly role: string | null
  readonly attempt: number | null
  readonly resumes: number
  readonly requested_at: number
  readonly queued_at: number | null
  readonly started_at: number | null
  readonly ended_at: number | null
  readonly first_offset: number
  readonly offset: number
}

export interface StoredRound {
  readonly round: number
  readonly role: string
  readonly content: string | null
  readonly blob: string | null
  readonly meta: string
  readonly at: number
  readonly attempts: number
  readonly chars: number
}

export interface StoredWorkflow {
  readonly name: string
  readonly state: string
  readonly settings: string
  readonly active: number
  readonly queued: number
  readonly turned_away: number
  readonly worker: string
  readonly circuit: string
  readonly worker_id: string | null
  readonly hash: string | null
  readonly roles: string | null
  readonly error: string | null
  readonly offset: number
}

export interface RunFilter {
  /** A status, or `all`; open runs when it is left out. */
  readonly status?: string | undefined
  readonly workflow?: string | undefined
  readonly limit: number
  /** Runs that were requested before this offset. */
  readonly before?: number | undefined
}

const query = <Stored>(read: ReadRows, sql: string, parameters: ReadonlyArray<unknown>) =>
  read<Stored>(sql, parameters)

/** The newest first. */
export const listRuns = (read: ReadRows, { status, workflow, before, limit }: RunFilter) => {
  const conditions: ReadonlyArray<readonly [sql: string, value: unknown]> = [
    ["status = ?", status === "all" ? undefined : status],
    ["workflow = ?", workflow],
    ["first_offset < ?", before]
  ]
  const given = conditions.filter(([, value]) => value !== undefined)
  const where = [...given.map(([sql]) => sql), ...(status === undefined ? ["ended_at IS NULL"] : [])]
  return query<StoredRun>(
    read,
    `SELECT * FROM workflow_runs WHERE ${where.join(" AND ") || "TRUE"} ORDER BY first_offset DESC LIMIT ?`,
    [...given.map(([, value]) => value), limit]
  )
}

export const findRun = (
  read: ReadRows,
  id: string
): Effect.Effect<StoredRun | undefined, JournalUnavailable> =>
  Effect.map(query<StoredRun>(read, "SELECT * FROM workflow_runs WHERE run_id = ?", [id]), ([row]) => row)

/** The runs that are not over, for a start. */
export const openRuns = (read: ReadRows) =>
  query<{ readonly id: string; readonly workflow: string; readonly state: string }>(
    read,
    "SELECT run_id AS id, workflow, state FROM workflow_runs WHERE ended_at IS NULL",
    []
  )

export const roundLengths = (read: ReadRows, runId: string) =>
  query<Measured>(read, "SELECT round, chars FROM thread_rounds WHERE run_id = ? ORDER BY round", [runId])

export const findRounds = (read: ReadRows, runId: string, rounds: ReadonlyArray<number>) =>
  query<StoredRound>(
    read,
    `SELECT * FROM thread_rounds WHERE run_id = ? AND round IN (SELECT value FROM json_each(?)) ORDER BY round`,
    [runId, JSON.stringify(rounds)]
  )

export const listWorkflows = (read: ReadRows) =>
  query<StoredWorkflow>(read, "SELECT * FROM workflows ORDER BY name", [])

export const findWorkflow = (read: ReadRows, name: string) =>
  Effect.map(query<StoredWorkflow>(read, "SELECT * FROM workflows WHERE name = ?", [name]), ([row]) => row)
