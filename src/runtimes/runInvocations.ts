/** What runs while a run is in a state: its moderator, its role, its recovery, its end (contracts: senses and workflows 3.3). */
import { Cause, Effect } from "effect"
import type { InvocationCall, InvocationDefinition } from "../actors/ActorKind.js"
import type { Invocation } from "../actors/fold.js"
import type { Next, RunCommand } from "../actors/run/RunCommand.js"
import type { RunInvocations } from "../actors/run/runKind.js"
import { idOf } from "../events/Event.js"
import { outboxOf, readAnswer } from "./outbox.js"
import type { CallLost } from "./WorkflowConnection.js"
import type { Unrunnable } from "./WorkflowPool.js"
import type { WorkflowLimits, WorkflowRuntime } from "./workflowInvocations.js"
import type { CallAnswer } from "./workflowProtocol.js"

/** Whoever ended a worker on purpose says what becomes of its runs; a run that nobody speaks of goes on after this. */
const unspokenMs = 5_000

type Failed = Extract<CallAnswer, { readonly type: "Failed" }>
type Tell = (command: RunCommand) => Effect.Effect<void>
interface Input {
  readonly workflow: string
  readonly role: string
  readonly round: number
  readonly attempt: number
  readonly isInDoubt: boolean
}

export const makeRunInvocations = (runtime: () => WorkflowRuntime): RunInvocations => {
  const definition = (
    body: (runtime: WorkflowRuntime, work: Work, tell: Tell) => Effect.Effect<void, CallLost | Unrunnable>,
    lost: (token: Invocation["since"], error: { readonly message: string }) => RunCommand
  ): InvocationDefinition => ({
    run: (call) =>
      Effect.suspend(() => {
        const tell: Tell = (command) => Effect.ignore(call.send(command))
        const work = workOf(call)
        return Effect.catchAll(body(runtime(), work, tell), (failure) => suspend(work, failure, tell))
      }),
    lost: (cause, { since }) =>
      lost(since, { message: `a defect in the hub: ${Cause.pretty(cause)}`.slice(0, 2_048) })
  })
  return {
    moderator: definition(askModerator, (token, error) => ({
      type: "FailRun",
      token,
      reason: "moderator_error",
      error
    })),
    roleAttempt: definition(playRole, (token, error) => ({
      type: "FailRun",
      token,
      reason: "role_error",
      error
    })),
    recoverRun: {
      ...definition(recoverRun, (token, error) => ({
        type: "FailRun",
        token,
        reason: "corrupt_history",
        error
      })),
      isStanding: true
    },
    stopAttempt: definition(stopAttempt, (token) => ({ type: "FinishStop", token }))
  }
}

/** The work of one invocation. Its token tells it from all that came before. */
interface Work extends Input {
  readonly runId: string
  readonly token: Invocation["since"]
}

const workOf = ({ stream, invocation: { input, since } }: InvocationCall): Work => ({
  ...(input as Input),
  runId: idOf(stream),
  token: since
})

const askModerator = ({ pool, limits }: WorkflowRuntime, { workflow, runId, token }: Work, tell: Tell) =>
  Effect.gen(function* () {
    const connection = yield* pool.connection(workflow)
    const answer = yield* inTime(connection.choose({ runId, token }, limits.moderatorMs))
    if (answer?.type === "Chosen") {
      const { choice } = answer
      return yield* tell({ type: "SelectRole", token, choice, definitionHash: connection.definitionHash })
    }
    if (answer?.type === "Failed") return yield* tell(failRun(token, "moderator_error", answer))
    const error = tooSlow(limits)
    // The end of the run ends this fiber: the worker that hangs is ended first.
    yield* Effect.uninterruptible(
      Effect.zipRight(connection.kill, tell({ type: "FailRun", token, reason: "moderator_error", error }))
    )
  })

/** Undefined when the time is over. */
const inTime = (asking: Effect.Effect<CallAnswer, CallLost | undefined>) =>
  Effect.catchIf(
    asking,
    (failure) => failure === undefined,
    () => Effect.succeed(undefined)
  )

const tooSlow = ({ moderatorMs }: WorkflowLimits) => ({
  message: `the moderator did not answer within ${moderatorMs / 1_000} s`
})

const failRun = (
  token: Work["token"],
  reason: "moderator_error" | "role_error",
  { error, isHistory }: Failed
): RunCommand => ({ type: "FailRun", token, reason: isHistory ? "corrupt_history" : reason, error })

/** A step is recorded together with what the moderator says to it: the next round begins in the commit that ends this one. */
const playRole = ({ pool, limits }: WorkflowRuntime, work: Work, tell: Tell) =>
  Effect.gen(function* () {
    const { workflow, runId, token, role, round, attempt } = work
    const connection = yield* pool.connection(workflow)
    const { answer, next } = yield* connection.play({ runId, token }, { role, round, attempt })
    switch (answer.type) {
      case "Played": {
        const played = { type: "RecordRoleOutput", token, round, attempt, ...answer.output } as const
        const said = yield* inTime(next(limits.moderatorMs))
        if (said) return yield* tell({ ...played, next: nextOf(said, connection.definitionHash) })
        return yield* Effect.uninterruptible(
          Effect.zipRight(connection.kill, tell({ ...played, next: { error: tooSlow(limits) } }))
        )
      }
      case "Failed": {
        const { error, retryable, isHistory } = answer
        return yield* tell(
          isHistory
            ? failRun(token, "role_error", answer)
            : { type: "RecordRoleError", token, round, attempt, error, retryable }
        )
      }
      case "Chosen":
        return yield* Effect.dieMessage("a role was answered with a choice")
    }
  })

const nextOf = (said: CallAnswer, definitionHash: string): Next => {
  switch (said.type) {
    case "Chosen":
      return { choice: said.choice, definitionHash }
    case "Failed":
      return { error: said.error }
    case "Played":
      throw new Error("a moderator was answered with a role's answer")
  }
}

/** Its worker is gone, or there is none to be had: the run waits, or it is over. */
const suspend = ({ token }: Work, failure: CallLost | Unrunnable, tell: Tell): Effect.Effect<void> => {
  if (failure._tag === "CallLost") {
    const { how } = failure
    const suspended = tell({
      type: "SuspendRun",
      reason: how === "lost" ? "worker_lost" : "collateral",
      token
    })
    return how === "ended" ? Effect.delay(suspended, unspokenMs) : suspended
  }
  return failure.why === "hub_stop"
    ? tell({ type: "SuspendRun", reason: "hub_stop", token })
    : tell({ type: "CrashRun", reason: failure.why, token })
}

const recoverRun = ({ pool, stateDir }: WorkflowRuntime, work: Work, tell: Tell) =>
  Effect.gen(function* () {
    const { workflow, runId, token, round, attempt, isInDoubt } = work
    const { workerId, definitionHash } = yield* pool.connection(workflow)
    const answer = isInDoubt ? readAnswer(outboxOf(stateDir), runId, round, attempt) : undefined
    yield* tell({
      type: "RecoverRun",
      token,
      workerId,
      definitionHash,
      ...(answer && { outbox: { ...answer, attempt } })
    })
  })

/** A call that heeds its abort is waited for; a deaf one is killed, and its worker with it. */
const stopAttempt = (
  { pool, limits }: WorkflowRuntime,
  { workflow, runId, token, isInDoubt }: Work,
  tell: Tell
) =>
  Effect.gen(function* () {
    const connection = isInDoubt ? pool.current(workflow) : undefined
    if (connection && !(yield* connection.abort(runId, limits.abortMs))) yield* connection.kill
    yield* tell({ type: "FinishStop", token })
  })
