/** The part of the protocol that is about workflows and their runs (contracts: senses and workflows 5). */
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { KillRun } from "../actors/run/RunCommand.js"
import { RequestRun } from "../actors/workflow/WorkflowCommand.js"
import { WorkflowSettings } from "../actors/workflow/WorkflowEvent.js"
import { JournalEvent } from "./JournalEvent.js"

const Instant = Schema.Int.annotations({ description: "epoch ms of the hub clock" })
const orNull = Schema.NullOr
const number = Schema.NumberFromString
const limitTo = (most: number) => Schema.optional(number.pipe(Schema.int(), Schema.between(1, most)))
const Count = number.pipe(Schema.int(), Schema.nonNegative())
const name = Schema.Struct({ name: Schema.String })
const id = Schema.Struct({ id: Schema.String })
const wait = Schema.optional(number.pipe(Schema.int(), Schema.between(0, 60_000)))
const at = Schema.optional(Schema.String)

export const WorkflowRow = Schema.Struct({
  name: Schema.String,
  state: Schema.String,
  settings: WorkflowSettings,
  active: Schema.Int,
  queued: Schema.Int,
  turnedAway: Schema.Int,
  worker: Schema.String,
  workerId: orNull(Schema.String),
  circuit: Schema.String,
  hash: orNull(Schema.String),
  roles: orNull(Schema.Array(Schema.String)),
  error: orNull(Schema.String),
  offset: Schema.Int
}).annotations({ identifier: "WorkflowRow" })
export type WorkflowRow = typeof WorkflowRow.Type

export const RunRow = Schema.Struct({
  runId: Schema.String,
  workflow: Schema.String,
  status: Schema.String,
  state: Schema.String,
  exitCode: orNull(Schema.Int),
  reason: orNull(Schema.String),
  error: orNull(Schema.String),
  prompt: Schema.String,
  maxRounds: Schema.Int,
  dryRun: Schema.Boolean,
  origin: Schema.Unknown,
  rounds: Schema.Int,
  role: orNull(Schema.String),
  attempt: orNull(Schema.Int),
  resumes: Schema.Int,
  requestedAt: Instant,
  queuedAt: orNull(Instant),
  startedAt: orNull(Instant),
  endedAt: orNull(Instant),
  offset: Schema.Int
}).annotations({ identifier: "RunRow" })
export type RunRow = typeof RunRow.Type

export const RunQuery = Schema.Struct({
  /** `started`, the old system's word, is taken as `running`. */
  status: Schema.optional(
    Schema.Literal(
      "all",
      "queued",
      "running",
      "started",
      "suspended",
      "completed",
      "failed",
      "crashed",
      "interrupted",
      "killed",
      "dropped"
    )
  ),
  workflow: Schema.optional(Schema.String),
  limit: limitTo(500),
  cursor: Schema.optional(number.pipe(Schema.int(), Schema.nonNegative())),
  at
})

const Fate = Schema.Struct({ runId: Schema.String, status: Schema.String, offset: Schema.Int })

const { prompt, maxRounds, dryRun, evidence } = RequestRun.fields

const maxContentBytes = 1_048_576
/** What a person says that a held step came to. */
const Output = Schema.Struct({
  content: Schema.String.pipe(
    Schema.filter((text) => Buffer.byteLength(text) <= maxContentBytes, {
      message: () => `must be at most ${maxContentBytes} bytes`
    })
  ),
  meta: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})

export const ThreadRound = Schema.Struct({
  round: Schema.Int,
  role: Schema.String,
  content: Schema.String,
  meta: Schema.Unknown,
  at: Instant,
  attempt: Schema.Int
})

export const workflows = HttpApiGroup.make("workflows")
  .add(
    HttpApiEndpoint.get("listWorkflows", "/workflows").addSuccess(
      Schema.Struct({ offset: Schema.Int, rows: Schema.Array(WorkflowRow) })
    )
  )
  .add(HttpApiEndpoint.get("showWorkflow", "/workflows/:name").setPath(name).addSuccess(WorkflowRow))
  .add(
    HttpApiEndpoint.post("requestRun", "/workflows/:name/runs")
      .setPath(name)
      .setPayload(Schema.Struct({ prompt, maxRounds, dryRun, evidence }))
      .addSuccess(Schema.Struct({ ...Fate.fields, reason: Schema.optional(Schema.String) }), { status: 201 })
  )
  .add(
    HttpApiEndpoint.post("resetWorkflow", "/workflows/:name/reset")
      .setPath(name)
      .addSuccess(Schema.Struct({ state: Schema.String, offset: Schema.Int }))
  )
  .add(
    HttpApiEndpoint.post("reloadWorkflow", "/workflows/:name/reload")
      .setPath(name)
      .addSuccess(Schema.Struct({ state: Schema.String, error: orNull(Schema.String), offset: Schema.Int }))
      .annotate(
        OpenApi.Description,
        "Goes over to the workflow's code as it is now, if that loads; else the old code goes on, and the error says why."
      )
  )
  .annotate(OpenApi.Description, "What can be run, and who may run now.")

export const runs = HttpApiGroup.make("runs")
  .add(
    HttpApiEndpoint.get("listRuns", "/workflow_runs")
      .setUrlParams(RunQuery)
      .addSuccess(
        Schema.Struct({ offset: Schema.Int, rows: Schema.Array(RunRow), next: orNull(Schema.String) })
      )
      .annotate(OpenApi.Description, "Runs, the newest first: open ones, or those of a status, or all.")
  )
  .add(
    HttpApiEndpoint.get("showRun", "/workflow_runs/:id")
      .setPath(id)
      .setUrlParams(Schema.Struct({ wait, at }))
      .addSuccess(RunRow)
      .annotate(
        OpenApi.Description,
        "A run. With `wait` the answer comes when it has ended, or after so many ms."
      )
  )
  .add(
    HttpApiEndpoint.get("runEvents", "/workflow_runs/:id/events")
      .setPath(id)
      .setUrlParams(Schema.Struct({ cursor: Schema.optional(Count), limit: limitTo(1_000) }))
      .addSuccess(
        Schema.Struct({ offset: Schema.Int, rows: Schema.Array(JournalEvent), next: orNull(Schema.String) })
      )
      .annotate(
        OpenApi.Description,
        "A page of the run's events. With `Accept: text/event-stream` a stream of them that does not end; it resumes after `Last-Event-ID`."
      )
  )
  .add(
    HttpApiEndpoint.get("thread", "/workflow_runs/:id/thread")
      .setPath(id)
      .setUrlParams(
        Schema.Struct({
          before: Schema.optional(Count),
          budget: Schema.optional(number.pipe(Schema.int(), Schema.positive()))
        })
      )
      .addSuccess(
        Schema.Struct({
          offset: Schema.Int,
          total: Schema.Int,
          omitted: Schema.Int,
          before: orNull(Schema.Int),
          rounds: Schema.Array(ThreadRound)
        })
      )
      .annotate(OpenApi.Description, "A page of the run's steps; as text with `Accept: text/plain`.")
  )
  .add(
    HttpApiEndpoint.post("killRun", "/workflow_runs/:id/kill")
      .setPath(id)
      .setPayload(Schema.Struct({ reason: KillRun.fields.reason }))
      .addSuccess(Fate, { status: 202 })
  )
  .add(
    HttpApiEndpoint.post("resumeRun", "/workflow_runs/:id/resume")
      .setPath(id)
      .setPayload(Schema.Struct({ output: Schema.optional(Output) }))
      .addSuccess(Fate, { status: 202 })
  )
  .annotate(OpenApi.Description, "Executions of workflows, step by step.")
