/** What runs while a workflow is in a state: its worker, and the wait for its runs before its code changes. */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { RunIndex } from "../actors/run/RunIndex.js"
import type { WorkflowCommand } from "../actors/workflow/WorkflowCommand.js"
import type { LossReason } from "../actors/workflow/WorkflowEvent.js"
import type { WorkflowInvocations } from "../actors/workflow/workflowKind.js"
import { idOf } from "../events/Event.js"
import type { Journal } from "../events/Journal.js"
import type { Worker, WorkerExit } from "./Worker.js"
import type { Workers } from "./Workers.js"
import { WorkflowConnection } from "./WorkflowConnection.js"
import type { WorkflowPool } from "./WorkflowPool.js"
import { type FromWorkflow, type ToWorkflow, workflowProtocol } from "./workflowProtocol.js"

/** What the invocations of workflows and runs stand on. */
export interface WorkflowRuntime {
  readonly workers: Workers
  readonly pool: WorkflowPool
  readonly journal: Journal["Type"]
  readonly runs: RunIndex
  readonly workspace: string
  readonly stateDir: string
  /** The program of a worker. */
  readonly entry: string
  readonly limits: WorkflowLimits
}

/** How long user code may take where nobody configures it, ms (contracts: senses and workflows 3.3, 3.5). */
export interface WorkflowLimits {
  /** A module that takes longer to load is taken for one that hangs. */
  readonly loadMs: number
  /** A moderator is quick; one that thinks longer is taken for one that never ends. */
  readonly moderatorMs: number
  /** A role that is told to stop. */
  readonly abortMs: number
}

export const defaultLimits: WorkflowLimits = { loadMs: 30_000, moderatorMs: 10_000, abortMs: 10_000 }

const drainStepMs = 20

/** `runtime` is asked when an invocation runs: the kinds are made before the hub is. */
export const makeWorkflowInvocations = (runtime: () => WorkflowRuntime): WorkflowInvocations => ({
  worker: {
    isStanding: true,
    run: (call) => Effect.suspend(() => Effect.scoped(serveWorker(runtime(), call))),
    lost: (): WorkflowCommand =>
      lossOf({ workerId: null, code: null, signal: null, stderrTail: "" }, "exit", [])
  },
  drainRuns: {
    isStanding: true,
    run: (call) => Effect.suspend(() => drainRuns(runtime(), call)),
    lost: (): WorkflowCommand => ({ type: "EndDrain" })
  }
})

/** Starts the process, has it load the module, and hands on what it reports until it is gone. It ends with the scope. */
const serveWorker = (runtime: WorkflowRuntime, call: InvocationCall) =>
  Effect.gen(function* () {
    const workflow = idOf(call.stream)
    const tell = (command: WorkflowCommand) => Effect.ignore(call.send(command))
    const { workers, entry } = runtime
    const worker = yield* workers
      .start({ name: `workflow-${workflow}`, entry, protocol: workflowProtocol })
      .pipe(
        Effect.catchTag("SpawnFailed", ({ problem }) =>
          Effect.as(
            tell(lossOf({ workerId: null, code: null, signal: null, stderrTail: problem }, "spawn", [])),
            undefined
          )
        )
      )
    if (!worker) return
    const loaded = yield* loadModule(runtime, workflow, worker)
    if (loaded === "load_timeout") return yield* tell(lossOf(yield* worker.kill("lost"), "load_timeout", []))
    if ("exit" in loaded) return yield* tell(lossOf(loaded.exit, reasonOf(loaded.exit), []))
    if (loaded.type === "LoadFailed") return yield* tell({ type: "RecordLoadFailure", error: loaded.error })
    const { definitionHash, roles } = loaded
    const { workerId, pid, pidStartedAt } = worker
    // Nothing is sent to it before this is committed: no run works in a process that the journal does not know.
    yield* tell({ type: "RecordWorkerReady", workerId, pid, pidStartedAt, definitionHash, roles })
    yield* serveCalls(runtime, workflow, worker, definitionHash, tell)
  })

/** Has a process load a workflow's module: what it says of it, how it ended, or that it took too long. */
export const loadModule = (
  { workspace, stateDir, limits }: WorkflowRuntime,
  workflow: string,
  worker: Worker<ToWorkflow, FromWorkflow>
) =>
  Effect.gen(function* () {
    yield* worker.send({ type: "Load", workflow, workspace, stateDir })
    for (;;) {
      const message = yield* worker.take
      if (message.type === "Loaded" || message.type === "LoadFailed") return message
    }
  }).pipe(
    Effect.catchTag("WorkerGone", ({ exit }) => Effect.succeed({ exit })),
    Effect.timeoutTo({
      duration: limits.loadMs,
      onSuccess: (found) => found,
      onTimeout: () => "load_timeout" as const
    })
  )

const serveCalls = (
  { pool, journal }: WorkflowRuntime,
  workflow: string,
  worker: Worker<ToWorkflow, FromWorkflow>,
  definitionHash: string,
  tell: (command: WorkflowCommand) => Effect.Effect<void>
) => {
  const connection = new WorkflowConnection(worker, definitionHash, journal)
  const disconnect = Effect.sync(() => pool.disconnect(workflow, connection))
  pool.connect(workflow, connection)
  return Effect.forever(Effect.flatMap(worker.take, (message) => connection.take(message))).pipe(
    Effect.catchTag("WorkerGone", ({ exit }) => {
      const loss = lossOf(exit, reasonOf(exit), connection.runs)
      // The loss is told before the runs are: theirs follows from it.
      return disconnect.pipe(
        Effect.zipRight(tell(loss)),
        Effect.ensuring(connection.lose(exit.isAsked ? "killed" : "lost"))
      )
    }),
    Effect.ensuring(Effect.zipRight(disconnect, connection.lose("ended")))
  )
}

const reasonOf = ({ isAsked }: WorkerExit): LossReason => (isAsked ? "killed" : "exit")

const lossOf = (
  exit: Pick<WorkerExit, "code" | "signal" | "stderrTail"> & { readonly workerId: string | null },
  reason: LossReason,
  runs: ReadonlyArray<string>
): WorkflowCommand => {
  const { workerId, code, signal, stderrTail } = exit
  return { type: "RecordWorkerLoss", workerId, code, signal, stderrTail, reason, runs }
}

/** Active runs go on with the code that they have until none is choosing or playing a role; the machine's deadline is the end of that. */
const drainRuns = ({ runs }: WorkflowRuntime, call: InvocationCall): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (runs.busy(idOf(call.stream)).length > 0) yield* Effect.sleep(drainStepMs)
    yield* Effect.ignore(call.send({ type: "EndDrain" }))
  })
