/**
 * What a command to a workflow leads to: admission, overflow and eviction in the order of contracts: senses and workflows 3.2, as
 * one pure function from state and command to facts or a refusal.
 */
import { idOf } from "../../events/Event.js"
import { accept, type DecideContext, type Decision, refuse, unchanged } from "../ActorKind.js"
import { addLoss, opensCircuit } from "../losses.js"
import type { RunEventOf } from "../run/RunEvent.js"
import type { RunIndex } from "../run/RunIndex.js"
import type { WorkflowCommand } from "./WorkflowCommand.js"
import type { DrainReason, WorkflowEvent, WorkflowEventOf, WorkflowSettings } from "./WorkflowEvent.js"
import type { WorkflowState } from "./WorkflowIndex.js"
import type { WorkflowReason } from "./WorkflowRefusal.js"
import { counts, freeSlots, type WorkflowContext } from "./workflowMachine.js"

/** What a decision looks at besides the workflow itself. */
export interface WorkflowWorld extends DecideContext {
  readonly runs: RunIndex
}

type Decided = Decision<WorkflowEvent, WorkflowReason>
type Command<Type extends WorkflowCommand["type"]> = Extract<WorkflowCommand, { readonly type: Type }>

/** Causes and effects that may follow from one another before a chain is taken for a loop. */
export const maxDepth = 8
/** Runs of a workflow without a queue that may wait for the end of a drain or a trial. */
const maxWaitingWithoutQueue = 100

export const decideWorkflow = (
  state: WorkflowState,
  command: WorkflowCommand,
  world: WorkflowWorld
): Decided => {
  const { context } = state
  const unknown = refuse({ _tag: "UnknownWorkflow", workflow: idOf(state.stream) } as const)
  if (!context.settings) {
    if (command.type === "RegisterWorkflow")
      return accept({ type: "WorkflowRegistered", settings: command.settings })
    // What is gone has no slots to give back and nothing to be removed.
    if (command.type === "ReleaseRun" || command.type === "RemoveWorkflow") return unchanged
    return unknown
  }
  switch (command.type) {
    case "RequestRun":
      return context.drain?.reason === "removed" ? unknown : requestRun(state, context.settings, command)
    case "AdmitRun": {
      const { runId } = command
      if (context.active.includes(runId) || context.queue.includes(runId)) return unchanged
      if (context.drain?.reason === "removed") return unknown
      const queue = [runId, ...context.queue]
      return accept({ type: "RunEnqueued", runId, atHead: true }, ...dequeued({ ...context, queue }))
    }
    case "ReleaseRun":
      return releaseRun(context, command)
    case "RegisterWorkflow":
      return registerWorkflow(context, context.settings, command.settings)
    case "RemoveWorkflow":
      return context.drain?.reason === "removed"
        ? unchanged
        : removeWorkflow(context, context.settings, world)
    case "RecordWorkerReady":
      return accept({ ...command, type: "WorkflowWorkerReady" })
    case "RecordWorkerLoss":
      return recordLoss(state, command, world)
    case "RecordLoadFailure":
      return accept(
        { type: "WorkflowLoadFailed", error: command.error },
        { type: "WorkflowCircuitOpened", cause: "load_failed" }
      )
    case "RecordReloadFailure":
      return accept({ ...command, type: "WorkflowReloadFailed" })
    case "StartDrain":
      return startDrain(context, context.settings, command, world)
    case "EndDrain":
      return endDrain(context, context.settings, false, world)
    case "ResetWorkflow":
      return context.circuit === "closed"
        ? unchanged
        : accept(
            { type: "WorkflowCircuitClosed", by: "operator" },
            ...dequeued({ ...context, circuit: "closed" })
          )
  }
}

/** The facts of a deadline that came due: what it lets begin begins with it. */
export const completeWorkflow = (
  { context }: WorkflowState,
  event: WorkflowEvent,
  world: WorkflowWorld
): ReadonlyArray<WorkflowEvent> => {
  if (event.type === "WorkflowCircuitHalfOpened") {
    return [event, ...dequeued({ ...context, circuit: "halfOpen" })]
  }
  if (event.type !== "WorkflowDrainEnded" || !context.settings) return [event]
  return drainEnd(context, context.settings, true, world)
}

/** Every valid request becomes a run with a visible fate: started, queued or dropped, in one batch with the workflow's own facts. */
const requestRun = (
  state: WorkflowState,
  settings: WorkflowSettings,
  command: Command<"RequestRun">
): Decided => {
  const { context, stream } = state
  const {
    runId,
    prompt,
    maxRounds = settings.maxRounds,
    dryRun = false,
    evidence,
    origin,
    depth = 0
  } = command
  if (depth > maxDepth) return refuse({ _tag: "CausalDepth", depth, limit: maxDepth })
  const requested: RunEventOf<"RunRequested"> = {
    type: "RunRequested",
    workflow: idOf(stream),
    prompt,
    maxRounds,
    dryRun,
    ...(evidence !== undefined && { evidence }),
    depth,
    origin
  }
  const withRun = (
    facts: ReadonlyArray<WorkflowEvent>,
    fate: RunEventOf<"RunStarted"> | RunEventOf<"RunQueued"> | RunEventOf<"RunDropped">
  ): Decided => ({
    ...accept(...facts),
    admits: { kind: "run", id: runId, events: [requested, fate] }
  })
  if (freeSlots(context) > 0) return withRun([{ type: "RunAdmitted", runId }], started(context, settings))

  const { queue, circuit } = context
  const enqueued = { type: "RunEnqueued", runId, atHead: false } as const
  if (settings.overflow === "queue") {
    // At a lowered limit more than one has to make room.
    const evicted = queue.slice(0, Math.max(0, queue.length + 1 - settings.maxQueue))
    const evictions = evicted.map((oldest) => ({ type: "RunEvicted", runId: oldest, by: runId }) as const)
    return withRun([...evictions, enqueued], { type: "RunQueued" })
  }
  const isShort = context.active.length < settings.concurrency && (context.drain || circuit === "halfOpen")
  if (isShort && queue.length < maxWaitingWithoutQueue) return withRun([enqueued], { type: "RunQueued" })
  const reason = circuit === "closed" ? "overflow" : "circuit_open"
  return withRun([{ type: "RunTurnedAway", runId, reason }], { type: "RunDropped", reason })
}

export const started = (
  { worker }: Pick<WorkflowContext, "worker">,
  { timeoutMs }: WorkflowSettings
): RunEventOf<"RunStarted"> => ({
  type: "RunStarted",
  timeoutMs,
  ...(worker && { definitionHash: worker.definitionHash })
})

/** The runs that begin in a workflow that stands like this, in order. */
const dequeued = (context: WorkflowContext): ReadonlyArray<WorkflowEventOf<"RunDequeued">> =>
  context.queue.slice(0, freeSlots(context)).map((runId) => ({ type: "RunDequeued", runId }))

/** A run that ended gives back what it has: its slot, or its place in the queue, and never twice. */
const releaseRun = (context: WorkflowContext, { runId, status }: Command<"ReleaseRun">): Decided => {
  if (context.queue.includes(runId)) return accept({ type: "RunWithdrawn", runId, reason: "ended" })
  if (!context.active.includes(runId)) return unchanged
  const isProven = context.circuit === "halfOpen" && status !== "crashed"
  const circuit = isProven ? "closed" : context.circuit
  const active = context.active.filter((run) => run !== runId)
  const closed = isProven ? [{ type: "WorkflowCircuitClosed", by: "run" } as const] : []
  return accept({ type: "SlotFreed", runId, status }, ...closed, ...dequeued({ ...context, active, circuit }))
}

const registerWorkflow = (
  context: WorkflowContext,
  current: WorkflowSettings,
  settings: WorkflowSettings
): Decided => {
  const keys = Object.keys(settings) as ReadonlyArray<keyof WorkflowSettings>
  const isSame = keys.every((key) => settings[key] === current[key])
  if (isSame && context.drain?.reason !== "removed") return unchanged
  return accept({ type: "WorkflowReconfigured", settings }, ...dequeued({ ...context, settings }))
}

const removeWorkflow = (
  { queue }: WorkflowContext,
  settings: WorkflowSettings,
  { now }: WorkflowWorld
): Decided =>
  accept(
    ...queue.map((runId) => ({ type: "RunWithdrawn", runId, reason: "workflow_removed" }) as const),
    drainStart("removed", null, settings, now)
  )

const drainStart = (
  reason: DrainReason,
  hash: string | null,
  { drainTimeoutMs }: WorkflowSettings,
  now: number
): WorkflowEventOf<"WorkflowDrainStarted"> => ({
  type: "WorkflowDrainStarted",
  reason,
  deadlineAt: now + drainTimeoutMs,
  hash
})

/** New code that loads is a reason to trust the worker again. */
const startDrain = (
  { circuit, drain }: WorkflowContext,
  settings: WorkflowSettings,
  { reason, hash }: Command<"StartDrain">,
  { now }: WorkflowWorld
): Decided => {
  if (drain) return unchanged
  const closed = circuit === "closed" ? [] : [{ type: "WorkflowCircuitClosed", by: "reload" } as const]
  return accept(...closed, drainStart(reason, hash, settings, now))
}

const endDrain = (
  context: WorkflowContext,
  settings: WorkflowSettings,
  timedOut: boolean,
  world: WorkflowWorld
): Decided => (context.drain ? accept(...drainEnd(context, settings, timedOut, world)) : unchanged)

const drainEnd = (
  context: WorkflowContext,
  settings: WorkflowSettings,
  timedOut: boolean,
  { runs }: WorkflowWorld
): ReadonlyArray<WorkflowEvent> => {
  const reason = context.drain?.reason ?? "operator"
  const isRemoved = reason === "removed"
  const ended: WorkflowEventOf<"WorkflowDrainEnded"> = {
    type: "WorkflowDrainEnded",
    reason,
    timedOut,
    // Offered, retrying and held runs stay, unless their workflow does not.
    open: isRemoved ? context.active : context.active.filter((runId) => runs.isBusy(runId)),
    fate: isRemoved ? "interrupt" : settings.onReload
  }
  return isRemoved ? [ended] : [ended, ...dequeued({ ...context, drain: null })]
}

/** The fifth loss within a minute opens the circuit, and so does any while it is on trial. */
const recordLoss = (
  { name, context }: WorkflowState,
  command: Command<"RecordWorkerLoss">,
  { now }: WorkflowWorld
): Decided => {
  // A boot that finds nobody's worker has nothing to record.
  if (command.reason === "hub_lost" && !name.includes("worker.up.")) return unchanged
  const opens =
    counts(command.reason) &&
    (context.circuit === "halfOpen" ||
      (context.circuit === "closed" && opensCircuit(addLoss(context.losses, now))))
  return accept(
    { ...command, type: "WorkflowWorkerLost" },
    ...(opens ? [{ type: "WorkflowCircuitOpened", cause: "losses" } as const] : [])
  )
}
