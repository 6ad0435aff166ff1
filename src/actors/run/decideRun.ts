/**
 * What a command to a run leads to (contracts: senses and workflows 3.3, 4): one pure function from state and command to facts or a
 * refusal. Whoever reports on work that is no longer current is refused here; the machine has the last word on everything.
 */
import { idOf, type Offset } from "../../events/Event.js"
import { accept, type DecideContext, type Decision, refuse, unchanged } from "../ActorKind.js"
import type { WorkflowIndex } from "../workflow/WorkflowIndex.js"
import type { Choice, Next, RunCommand } from "./RunCommand.js"
import type { RunEvent, RunEventOf } from "./RunEvent.js"
import type { RunState } from "./RunIndex.js"
import type { RunReason } from "./RunRefusal.js"
import { bytesOf, isOver, noRole, type Pending, type RunContext, type RunStateName } from "./runMachine.js"

/** What a decision looks at besides the run itself. */
export interface RunWorld extends DecideContext {
  readonly workflows: WorkflowIndex
  /** The hub is stopping: a run stops at the next step's boundary. */
  readonly isDraining: () => boolean
}

type Decided = Decision<RunEvent, RunReason>
type Command<Type extends RunCommand["type"]> = Extract<RunCommand, { readonly type: Type }>

/** Exit codes of the old system, kept for scripts (contracts: senses and workflows 3.3). */
export const exitCodes = {
  failed: 1,
  max_rounds: 2,
  killed: 137,
  timeout: 142,
  interrupted: 143,
  crashed: 255
}

/** Limits and back-off of contracts: senses and workflows 2.2, 2.3, 3.3. */
const maxRunBytes = 64 * 1_048_576
const firstRetryMs = 1_000
const maxRetryMs = 60_000
const maxStalls = 10

export const decideRun = (state: RunState, command: RunCommand, world: RunWorld): Decided => {
  const { context, name, stream } = state
  if (state.version === 0) return refuse({ _tag: "UnknownRun", runId: idOf(stream) })
  switch (command.type) {
    case "KillRun":
      return killRun(state, command.reason ?? null)
    case "ResumeRun":
      return resumeRun(state, command, world)
    case "StartRun": {
      const workflow = world.workflows.find(context.workflow)
      if (!workflow && name === "queued") return accept({ type: "RunDropped", reason: "workflow_removed" })
      const definitionHash = workflow?.worker?.definitionHash
      return accept({
        type: "RunStarted",
        timeoutMs: workflow?.timeoutMs ?? 0,
        ...(definitionHash !== undefined && { definitionHash })
      })
    }
    case "DropRun":
      return isOver(name) ? unchanged : accept({ ...command, type: "RunDropped" })
    case "SelectRole":
      return whileCurrent(state, command.token, ["running.selecting"], () =>
        accept(...follow(state, command.choice, command.definitionHash, world))
      )
    case "FailRun": {
      const { token, reason, error } = command
      return whileCurrent(
        state,
        token,
        ["running.selecting", "running.attempting", "suspended.recovering"],
        () => accept({ type: "RunFailed", reason, error, exitCode: exitCodes.failed })
      )
    }
    case "RecordRoleOutput":
      return whileCurrentAttempt(state, command, () => recordOutput(state, command, world))
    case "RecordRoleError":
      return whileCurrentAttempt(state, command, () => recordError(state, command))
    case "RecordRoleClaim": {
      const { claim, peer, grant } = command
      // A grant of an offer that is over is somebody's who will learn it from the claim itself.
      return name === "running.offered" && context.claim === claim
        ? accept({ type: "RoleClaimed", claim, peer, token: grant })
        : unchanged
    }
    case "SuspendRun":
      return suspendRun(state, command)
    case "RecoverRun":
      return whileCurrent(state, command.token, ["suspended.recovering"], () =>
        recoverRun(state, command, world)
      )
    case "InterruptRun":
      if (isOver(name) || name === "stopping") return unchanged
      return name === "queued"
        ? accept({ type: "RunDropped", reason: "workflow_removed" })
        : accept({ type: "RunInterrupted", reason: command.reason })
    case "CrashRun":
      return whileCurrent(
        state,
        command.token,
        ["running.selecting", "running.attempting", "suspended.recovering"],
        () => accept({ type: "RunCrashed", reason: command.reason })
      )
    case "FinishStop":
      return whileCurrent(state, command.token, ["stopping"], () => accept(...endOfStop(context)))
  }
}

/** The facts of a deadline that came due. Where nothing of a run works, it ends at once. */
export const completeRun = (
  { name, context }: RunState,
  event: RunEvent,
  { workflows }: RunWorld
): ReadonlyArray<RunEvent> => {
  switch (event.type) {
    case "RoleAttemptStarted":
      return [{ ...event, workerId: workerIdOf(context, workflows) }]
    case "RunTimedOut":
    case "RoleAttemptTimedOut": {
      const stop = { why: "timeout", reason: null } as const
      return name === "running.attempting" ? [event] : [event, ...endOfStop({ ...context, stop })]
    }
    default:
      return [event]
  }
}

const workerIdOf = ({ workflow }: RunContext, workflows: WorkflowIndex): string | null =>
  workflows.find(workflow)?.worker?.workerId ?? null

/** Work that is over reports to nobody. */
const whileCurrent = (
  state: RunState,
  token: Offset,
  states: ReadonlyArray<RunStateName>,
  decide: () => Decided
): Decided =>
  states.includes(state.name) && state.context.token === token ? decide() : staleToken(state, token)

const staleToken = ({ name, context }: Pick<RunState, "name" | "context">, given: Offset): Decided =>
  refuse({ _tag: "StaleToken", given, current: context.token, state: name })

/** A worker's report bears its token; whoever played an offered role names the offer by its round and attempt. */
const whileCurrentAttempt = (
  state: RunState,
  { token, round, attempt }: Pick<Command<"RecordRoleOutput">, "token" | "round" | "attempt">,
  decide: () => Decided
): Decided => {
  const { rounds, attempt: current } = state.context
  const isCurrent = round === rounds + 1 && attempt === current
  if (token === undefined) {
    return isCurrent && state.name === "running.offered" ? decide() : staleToken(state, 0 as Offset)
  }
  return isCurrent ? whileCurrent(state, token, ["running.attempting"], decide) : staleToken(state, token)
}

/** A run is called killed only when no process of it is left; where there is none that is at once. */
const killRun = ({ name, context }: RunState, reason: string | null): Decided => {
  if (name === "stopping" || name === "killed") return unchanged
  if (isOver(name)) return refuse({ _tag: "AlreadyEnded", status: name })
  if (name === "queued") return accept({ type: "RunKilled", reason })
  const requested = { type: "RunKillRequested", reason } as const
  if (name === "running.attempting") return accept(requested)
  return accept(requested, ...endOfStop({ ...context, stop: { why: "kill", reason } }))
}

/** Nothing of the run works any more. An attempt without an outcome is named before the end is. */
const endOfStop = (context: RunContext): ReadonlyArray<RunEvent> => {
  const { stop } = context
  const why = stop?.why ?? "kill"
  const end: RunEvent =
    why === "kill"
      ? { type: "RunKilled", reason: stop?.reason ?? null }
      : { type: "RunFailed", reason: "timeout", exitCode: exitCodes.timeout }
  return context.isInDoubt ? [abandoned(context, why), end] : [end]
}

const abandoned = ({ rounds, attempt }: RunContext, reason: string): RunEventOf<"RoleAttemptAbandoned"> => ({
  type: "RoleAttemptAbandoned",
  round: rounds + 1,
  attempt,
  reason
})

const resumeRun = (state: RunState, { output }: Command<"ResumeRun">, world: RunWorld): Decided => {
  const { name, context } = state
  const isEnded = name === "crashed" || name === "interrupted"
  if (name !== "suspended.held" && (!isEnded || output)) return refuse({ _tag: "NotResumable", state: name })
  const workflow = world.workflows.find(context.workflow)
  if (!workflow || workflow.isLeaving) return refuse({ _tag: "UnknownWorkflow", workflow: context.workflow })
  if (isEnded) return accept({ type: "RunRequeued", by: world.by })
  const { pending, attempt } = context
  const definitionHash = workflow.worker?.definitionHash
  const resumed = {
    type: "RunResumed",
    by: world.by,
    ...(definitionHash !== undefined && { definitionHash })
  } as const
  if (!output) return accept(resumed, ...begin(state, pending, world))
  const step = stepOf(context, { ...output, attempt }, world.now)
  return accept({ ...step, recoveredFrom: "operator" }, resumed)
}

/** What a moderator's choice leads to: the end, or the next round. */
const follow = (
  state: Pick<RunState, "context" | "stream">,
  choice: Choice,
  definitionHash: string,
  world: RunWorld
): ReadonlyArray<RunEvent> => {
  const { rounds, maxRounds } = state.context
  if ("end" in choice) return [{ type: "RunCompleted", rounds }]
  const { role, as } = choice
  if (rounds >= maxRounds)
    return [{ type: "RunFailed", reason: "max_rounds", exitCode: exitCodes.max_rounds }]
  if (!as) {
    const error = {
      message: `the moderator chose ${JSON.stringify(role)}, which is no role of this workflow`
    }
    return [{ type: "RunFailed", reason: "unknown_role", error, exitCode: exitCodes.failed }]
  }
  if (world.isDraining()) return [{ type: "RunSuspended", reason: "hub_stop" }]
  const { ask = null, ...given } = as
  const longest = world.workflows.find(state.context.workflow)?.roleTimeoutMs ?? 0
  const played = { ...given, timeoutMs: given.timeoutMs ?? longest }
  const selected = { type: "RoleSelected", round: rounds + 1, role, ...played, definitionHash } as const
  return [selected, ...begin(state, { role, ...played, ask }, world, 0)]
}

/** The next attempt at a pending role: a call to the worker, or an offer. */
const begin = (
  { context, stream }: Pick<RunState, "context" | "stream">,
  pending: Pending | null,
  { workflows }: RunWorld,
  attempts = context.attempt
): ReadonlyArray<RunEvent> => {
  if (!pending) return []
  const round = context.rounds + 1
  const attempt = attempts + 1
  const { executor, ask } = pending
  if (executor.kind === "worker") {
    return [{ type: "RoleAttemptStarted", round, attempt, workerId: workerIdOf(context, workflows) }]
  }
  const claim = `role:${idOf(stream)}:${round}:${attempt}`
  return [{ type: "RoleOffered", round, attempt, claim, executor, ask: ask ?? "" }]
}

const stepOf = (
  { rounds, pending, attemptAt, peer }: RunContext,
  { attempt, content, meta }: Pick<Command<"RecordRoleOutput">, "attempt" | "content" | "meta">,
  now: number
): RunEventOf<"RoleStepRecorded"> => ({
  type: "RoleStepRecorded",
  round: rounds + 1,
  role: pending?.role ?? "",
  attempt,
  content,
  meta,
  durationMs: Math.max(0, now - attemptAt),
  ...(peer !== null && { peer })
})

const recordOutput = (
  { name, context, stream }: RunState,
  command: Command<"RecordRoleOutput">,
  world: RunWorld
): Decided => {
  const { round, attempt, content, next } = command
  // A turn that is one peer's is answered by nobody else, however quick.
  if (context.pending?.executor.kind === "peer" && context.peer === null) {
    return staleToken({ name, context }, 0 as Offset)
  }
  if (context.bytes + bytesOf(content) > maxRunBytes) {
    const error = { message: `all contents of a run together may have ${maxRunBytes} bytes` }
    return accept(
      ...(name === "running.attempting"
        ? [{ type: "RoleAttemptFailed", round, attempt, error, retryInMs: null } as const]
        : []),
      { type: "RunFailed", reason: "too_large", error, exitCode: exitCodes.failed }
    )
  }
  const step = stepOf(context, command, world.now)
  if (!next) return accept(step)
  return accept(
    step,
    ...continued({ stream, context: { ...context, ...noRole, rounds: round } }, next, world)
  )
}

/** The step and what follows from it are one batch: they share a commit, and a crash never comes between them. */
const continued = (
  after: Pick<RunState, "context" | "stream">,
  next: Next,
  world: RunWorld
): ReadonlyArray<RunEvent> =>
  "error" in next
    ? [{ type: "RunFailed", reason: "moderator_error", error: next.error, exitCode: exitCodes.failed }]
    : follow(after, next.choice, next.definitionHash, world)

/** A role that may be tried again is, after a while that doubles each time; else its error is the run's. */
const recordError = ({ name, context }: RunState, command: Command<"RecordRoleError">): Decided => {
  const { round, attempt, error, retryable } = command
  const failed = { type: "RunFailed", reason: "role_error", error, exitCode: exitCodes.failed } as const
  if (name === "running.offered") return accept(failed)
  const isRetried = retryable && attempt < (context.pending?.maxAttempts ?? 0)
  const retryInMs = isRetried ? Math.min(firstRetryMs * 2 ** (attempt - 1), maxRetryMs) : null
  const outcome = { type: "RoleAttemptFailed", round, attempt, error, retryInMs } as const
  return isRetried ? accept(outcome) : accept(outcome, failed)
}

const suspendRun = (state: RunState, { reason, token }: Command<"SuspendRun">): Decided => {
  const { name, context } = state
  if (token !== undefined && token !== context.token) return staleToken(state, token)
  return name === "running.selecting" || name === "running.attempting"
    ? accept({ type: "RunSuspended", reason })
    : unchanged
}

/** Goes on from what is recorded: an answer that was written down counts, a choice is not asked again, doubt is shown. */
const recoverRun = (state: RunState, command: Command<"RecoverRun">, world: RunWorld): Decided => {
  const { context } = state
  const { outbox, definitionHash } = command
  if (context.stalls > maxStalls) return accept({ type: "RunCrashed", reason: "resume_limit" })
  const resumed = { type: "RunResumed", by: "hub", definitionHash } as const
  if (!context.isInDoubt) return accept(resumed, ...begin(state, context.pending, world))
  if (outbox && outbox.attempt === context.attempt) {
    return accept({ ...stepOf(context, outbox, world.now), recoveredFrom: "outbox" }, resumed)
  }
  const doubt = abandoned(context, context.suspended)
  if (context.pending?.inDoubt === "hold") return accept(doubt, { type: "RunHeld" })
  return accept(doubt, resumed, ...begin(state, context.pending, world))
}
