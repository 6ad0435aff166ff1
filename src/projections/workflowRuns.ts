/** Runs as they are listed: one row a run, with what it was asked, how far it is, and how it ended. */
import { idOf, kindOf, makeStreamId, type RecordedEvent } from "../events/Event.js"
import type { Projection, Row } from "./Projection.js"

type Data = RecordedEvent["data"]
type Value = Row[string]

/** Exit codes by the status that a run ends with; a failure says its own. */
const exitCodes: { readonly [status: string]: number } = {
  completed: 0,
  killed: 137,
  interrupted: 143,
  crashed: 255
}

const empty: Row = {
  run_id: "",
  workflow: "",
  status: "",
  state: "",
  exit_code: null,
  reason: null,
  error: null,
  prompt: "",
  max_rounds: 0,
  dry_run: 0,
  origin: "",
  depth: 0,
  rounds: 0,
  role: null,
  attempt: null,
  resumes: 0,
  requested_at: 0,
  queued_at: null,
  started_at: null,
  ended_at: null,
  first_offset: 0,
  offset: 0
}

/** The first word of the state; what is between two facts of one batch counts as running (contracts: senses and workflows 3.3). */
const statusOf = (state: string): string => {
  const [word = ""] = state.split(".")
  return word === "requested" || word === "stopping" ? "running" : word
}

const requested = (row: Row, { data, at, offset }: RecordedEvent): Row => ({
  ...row,
  workflow: data.workflow as string,
  prompt: data.prompt as string,
  max_rounds: data.maxRounds as number,
  dry_run: data.dryRun ? 1 : 0,
  origin: JSON.stringify(data.origin),
  depth: data.depth as number,
  requested_at: at,
  first_offset: offset
})

const errorOf = ({ error }: Data): Value =>
  (error as { readonly message: string } | undefined)?.message ?? null

const ended = (row: Row, { data, at, state }: RecordedEvent): Row => ({
  ...row,
  role: null,
  attempt: null,
  exit_code: (data.exitCode as number | undefined) ?? exitCodes[state] ?? null,
  reason: (data.reason as string | undefined) ?? null,
  error: errorOf(data),
  ended_at: at
})

/** A run that is taken up again has no end any more; its first start stays its start. */
const open = { ended_at: null, exit_code: null, reason: null, error: null }

const next = (row: Row, event: RecordedEvent): Row => {
  const { type, data, at } = event
  switch (type) {
    case "RunRequested":
      return requested(row, event)
    case "RunQueued":
      return { ...row, queued_at: at }
    case "RunRequeued":
      return { ...row, ...open, queued_at: at }
    case "RunStarted":
      return { ...row, started_at: row.started_at ?? at }
    case "RoleSelected":
      return { ...row, role: data.role as string, attempt: 0 }
    case "RoleAttemptStarted":
    case "RoleOffered":
      return { ...row, attempt: data.attempt as number, reason: null }
    case "RoleAttemptFailed":
      return { ...row, error: errorOf(data) }
    case "RoleStepRecorded":
      return { ...row, rounds: data.round as number, role: null, attempt: null, error: null }
    case "RunSuspended":
      return { ...row, reason: data.reason as string }
    case "RunHeld":
      return { ...row, reason: "in_doubt" }
    case "RunResumed":
      return { ...row, reason: null, resumes: (row.resumes as number) + 1 }
    case "RunKillRequested":
      return { ...row, reason: data.reason as Value }
    case "RunCompleted":
    case "RunFailed":
    case "RunCrashed":
    case "RunInterrupted":
    case "RunKilled":
    case "RunDropped":
      return ended(row, event)
    default:
      return row
  }
}

export const workflowRuns: Projection = {
  name: "workflow_runs",
  version: 1,
  columns: {
    run_id: "TEXT",
    workflow: "TEXT",
    status: "TEXT",
    state: "TEXT",
    exit_code: "INTEGER",
    reason: "TEXT",
    error: "TEXT",
    prompt: "TEXT",
    max_rounds: "INTEGER",
    dry_run: "INTEGER",
    origin: "TEXT",
    depth: "INTEGER",
    rounds: "INTEGER",
    role: "TEXT",
    attempt: "INTEGER",
    resumes: "INTEGER",
    requested_at: "INTEGER",
    queued_at: "INTEGER",
    started_at: "INTEGER",
    ended_at: "INTEGER",
    first_offset: "INTEGER",
    offset: "INTEGER"
  },
  indexes: ["(first_offset)", "(first_offset) WHERE ended_at IS NULL", "(workflow, first_offset)"],
  keys: ({ stream }) => (kindOf(stream) === "run" ? [idOf(stream)] : []),
  streamOf: (key) => makeStreamId("run", key),
  reduce: (row, event, key) => {
    const { state, offset } = event
    return { ...next(row ?? empty, event), run_id: key, status: statusOf(state), state, offset }
  }
}
