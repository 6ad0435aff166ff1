/** The routes of workflows and runs: each a command to a kind, or a query to a projection (contracts: senses and workflows 5). */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { Outcome } from "../actors/CommandQueue.js"
import { makeRunId } from "../actors/run/makeRunId.js"
import type { Output, RunCommand } from "../actors/run/RunCommand.js"
import type { RunKind } from "../actors/run/runKind.js"
import type { WorkflowKind } from "../actors/workflow/workflowKind.js"
import { idOf, makeStreamId, type Offset } from "../events/Event.js"
import {
  findRun,
  findWorkflow,
  listRuns,
  listWorkflows,
  type StoredRun,
  type StoredWorkflow
} from "../projections/runQueries.js"
import { type Clockwork, momentOf } from "./asOf.js"
import { causalDepth } from "./causalDepth.js"
import { byOf, type Caller } from "./Identities.js"
import { refusal } from "./refusals.js"
import type { CallFailure, Handlers } from "./serve.js"
import { makeThreadHandler, type ThreadServices } from "./threadHandler.js"
import type { RunRow, WorkflowRow } from "./workflowApi.js"

export interface RunServices extends Clockwork, ThreadServices {
  readonly system: ActorSystem["Type"]
  readonly workflowKind: WorkflowKind
  readonly runKind: RunKind
  /** Has a workflow go over to its code as it is now, if that loads. */
  readonly reload: (workflow: string, by: string) => Effect.Effect<Outcome, CallFailure>
  /** An output as an event holds it: what is too large is put aside. */
  readonly keepOutput: (
    content: string,
    meta: { readonly [name: string]: unknown }
  ) => Effect.Effect<Output, CallFailure>
}

type RunHandlers = Pick<
  Handlers,
  | "listWorkflows"
  | "showWorkflow"
  | "requestRun"
  | "resetWorkflow"
  | "reloadWorkflow"
  | "listRuns"
  | "showRun"
  | "runEvents"
  | "thread"
  | "killRun"
  | "resumeRun"
>

const defaultRuns = 50
const defaultEvents = 100

export const makeRunHandlers = (services: RunServices): RunHandlers => {
  const { system, workflowKind, runKind, journal, projector } = services

  const known = (id: string) =>
    Effect.flatMap(findRun(projector.read, id), (run) =>
      run ? Effect.succeed(run) : refusal({ _tag: "UnknownRun", runId: id })
    )

  const moved = (
    id: string,
    command: RunCommand,
    { commandId, caller }: { readonly commandId: string | undefined; readonly caller: Caller }
  ) =>
    Effect.map(system.send(runKind, id, command, { by: byOf(caller), commandId }), ({ state }) => ({
      runId: id,
      status: statusOf(state.name),
      offset: state.offset
    })) as Effect.Effect<{ runId: string; status: string; offset: Offset }, CallFailure>

  return {
    listWorkflows: () =>
      Effect.gen(function* () {
        const { offset } = yield* journal.head
        return { offset, rows: (yield* listWorkflows(projector.read)).map(toWorkflowRow) }
      }),
    showWorkflow: ({ path: { name } }) =>
      Effect.flatMap(findWorkflow(projector.read, name), (stored) =>
        stored ? Effect.succeed(toWorkflowRow(stored)) : refusal({ _tag: "UnknownWorkflow", workflow: name })
      ),
    requestRun: ({ path: { name }, payload, commandId, header, caller }) =>
      Effect.gen(function* () {
        const runId = yield* makeRunId(services.now())
        const kind = header("mound-client") === "cli" ? "cli" : "http"
        const depth = yield* causalDepth(projector.read, header("mound-cause"))
        const command = { type: "RequestRun", runId, ...payload, origin: { kind }, depth } as const
        const outcome = yield* system.send(workflowKind, name, command, { by: byOf(caller), commandId })
        // A repeated command has the run that it made the first time.
        const fate = outcome.events.find(({ type }) => fates[type] !== undefined)
        const last = outcome.events.at(-1)
        const reason = fate?.data.reason as string | undefined
        return {
          runId: fate ? idOf(fate.stream) : runId,
          status: fates[fate?.type ?? ""] ?? "running",
          ...(reason !== undefined && { reason }),
          offset: last?.offset ?? outcome.state.offset
        }
      }) as Effect.Effect<{ runId: string; status: string; reason?: string; offset: number }, CallFailure>,
    resetWorkflow: ({ path: { name }, commandId, caller }) =>
      Effect.map(
        system.send(workflowKind, name, { type: "ResetWorkflow" }, { by: byOf(caller), commandId }),
        ({ state }) => ({ state: state.name, offset: state.offset })
      ),
    reloadWorkflow: ({ path: { name }, caller }) =>
      Effect.gen(function* () {
        const listed = yield* findWorkflow(projector.read, name)
        if (!listed) return yield* refusal({ _tag: "UnknownWorkflow", workflow: name })
        const { state, events } = yield* services.reload(name, byOf(caller))
        const error = events[0]?.data.error as { readonly message: string } | undefined
        return { state: state.name, error: error?.message ?? null, offset: state.offset }
      }),
    listRuns: ({ urlParams: { status, workflow, limit = defaultRuns, cursor, at } }) =>
      Effect.gen(function* () {
        const moment = yield* momentOf(services, "workflow_runs", at)
        const found = yield* listRuns(moment.read, {
          status: status === "started" ? "running" : status,
          workflow,
          limit,
          before: cursor
        })
        const next = found.length === limit ? String(found.at(-1)?.first_offset) : null
        return { offset: moment.offset, rows: found.map(toRunRow), next }
      }).pipe(Effect.scoped),
    showRun: ({ path: { id }, urlParams: { wait, at } }) =>
      Effect.gen(function* () {
        const moment = yield* momentOf(services, "workflow_runs", at)
        if (wait === undefined || moment.isPast) {
          const stored = yield* findRun(moment.read, id)
          return stored ? toRunRow(stored) : yield* refusal({ _tag: "UnknownRun", runId: id })
        }
        const ended = Effect.gen(function* () {
          for (;;) {
            const { offset } = yield* journal.head
            const stored = yield* known(id)
            if (stored.ended_at !== null) return stored
            yield* journal.awaitBeyond(offset)
          }
        })
        const stored = yield* Effect.timeoutOption(ended, wait)
        return toRunRow(stored._tag === "Some" ? stored.value : yield* known(id))
      }).pipe(Effect.scoped),
    runEvents: ({ path: { id }, urlParams: { cursor = 0, limit = defaultEvents } }) =>
      Effect.gen(function* () {
        const { offset } = yield* journal.head
        yield* known(id)
        const rows = yield* journal.read(cursor as Offset, limit, makeStreamId("run", id))
        return { offset, rows, next: rows.length === limit ? String(rows.at(-1)?.offset) : null }
      }),
    thread: makeThreadHandler(services, known),
    killRun: (call) => moved(call.path.id, { type: "KillRun", ...call.payload }, call),
    resumeRun: (call) =>
      Effect.gen(function* () {
        const { id } = call.path
        const { output } = call.payload
        if (!output) return yield* moved(id, { type: "ResumeRun" }, call)
        const kept = yield* services.keepOutput(output.content, output.meta ?? {})
        return yield* moved(id, { type: "ResumeRun", output: kept }, call)
      })
  }
}

/** The fact that tells what became of a request, and how its answer calls that. */
const fates: { readonly [eventType: string]: string } = {
  RunStarted: "running",
  RunQueued: "queued",
  RunDropped: "dropped"
}

const statusOf = (state: string): string => {
  const [word = ""] = state.split(".")
  return word === "requested" || word === "stopping" ? "running" : word
}

const toWorkflowRow = ({ turned_away, worker_id, settings, roles, ...row }: StoredWorkflow): WorkflowRow => ({
  ...row,
  settings: JSON.parse(settings),
  turnedAway: turned_away,
  workerId: worker_id,
  roles: roles === null ? null : JSON.parse(roles)
})

const toRunRow = (stored: StoredRun): RunRow => ({
  runId: stored.run_id,
  workflow: stored.workflow,
  status: stored.status,
  state: stored.state,
  exitCode: stored.exit_code,
  reason: stored.reason,
  error: stored.error,
  prompt: stored.prompt,
  maxRounds: stored.max_rounds,
  dryRun: stored.dry_run === 1,
  origin: JSON.parse(stored.origin),
  rounds: stored.rounds,
  role: stored.role,
  attempt: stored.attempt,
  resumes: stored.resumes,
  requestedAt: stored.requested_at,
  queuedAt: stored.queued_at,
  startedAt: stored.started_at,
  endedAt: stored.ended_at,
  offset: stored.offset
})
