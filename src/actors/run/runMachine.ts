/**
 * The life of a run, from a request to one of seven ends (contracts: senses and workflows 3.3). A round is a role chosen and played;
 * an attempt is one call for it. What was recorded is never done again, and what is in doubt is shown as another attempt.
 */
import { assign, cancel, raise, setup } from "xstate"
import type { Offset } from "../../events/Event.js"
import { due, invocation, type Recorded } from "../fold.js"
import type { Executor, RunEvent, RunEventOf } from "./RunEvent.js"

/** A role that was chosen and has not been played yet. */
export interface Pending {
  readonly role: string
  readonly executor: Executor
  readonly inDoubt: "retry" | "hold"
  readonly maxAttempts: number
  readonly timeoutMs: number
  /** What an offered role was asked. */
  readonly ask: string | null
}

export interface RunContext {
  readonly workflow: string
  readonly maxRounds: number
  readonly depth: number
  /** Recorded steps, and the bytes of their contents. */
  readonly rounds: number
  readonly bytes: number
  readonly pending: Pending | null
  /** Calls for the pending role so far. */
  readonly attempt: number
  readonly attemptAt: number
  /** An attempt was begun of which no outcome is recorded. */
  readonly isInDoubt: boolean
  /** Of the event that began the current work: what reports on older work is refused. */
  readonly token: Offset | null
  /** The claim that offers the pending role, and who holds it. */
  readonly claim: string | null
  readonly peer: string | null
  /** Losses since the last step. */
  readonly stalls: number
  readonly resumes: number
  /** Why it was suspended last, which is why its attempt is in doubt. */
  readonly suspended: string
  readonly timeoutMs: number
  readonly retryInMs: number
  /** Why it is being stopped. */
  readonly stop: { readonly why: "kill" | "timeout"; readonly reason: string | null } | null
}

export type RunStateName =
  | "absent"
  | "requested"
  | "queued"
  | "running.selecting"
  | "running.selected"
  | "running.attempting"
  | "running.retrying"
  | "running.failing"
  | "running.offered"
  | "suspended.recovering"
  | "suspended.held"
  | "stopping"
  | EndState

export type EndState = "completed" | "failed" | "crashed" | "interrupted" | "killed" | "dropped"

const ends: ReadonlySet<string> = new Set<EndState>([
  "completed",
  "failed",
  "crashed",
  "interrupted",
  "killed",
  "dropped"
])
export const isOver = (state: string): state is EndState => ends.has(state)

const initialContext: RunContext = {
  workflow: "",
  maxRounds: 0,
  depth: 0,
  rounds: 0,
  bytes: 0,
  pending: null,
  attempt: 0,
  attemptAt: 0,
  isInDoubt: false,
  token: null,
  claim: null,
  peer: null,
  stalls: 0,
  resumes: 0,
  suspended: "",
  timeoutMs: 0,
  retryInMs: 0,
  stop: null
}

type MachineEvent = Recorded<RunEvent>
type Of<Type extends RunEvent["type"]> = Recorded<RunEventOf<Type>>

/** How much a step's content counts for the limit of its run. */
export const bytesOf = (content: Of<"RoleStepRecorded">["content"]): number =>
  typeof content === "string" ? Buffer.byteLength(content) : content.bytes

/** What a role's turn leaves behind when it is over. */
export const noRole = { pending: null, attempt: 0, isInDoubt: false, claim: null, peer: null }

const select = (event: Of<"RoleSelected">): Partial<RunContext> => {
  const { role, executor, inDoubt, maxAttempts, timeoutMs } = event
  return { ...noRole, pending: { role, executor, inDoubt, maxAttempts, timeoutMs, ask: null } }
}

const attempt = ({ attempt, at, offset }: Of<"RoleAttemptStarted">): Partial<RunContext> => ({
  attempt,
  attemptAt: at,
  isInDoubt: true,
  token: offset
})

const offer = (
  { pending }: RunContext,
  { attempt, at, offset, claim, ask }: Of<"RoleOffered">
): Partial<RunContext> => ({
  attempt,
  attemptAt: at,
  token: offset,
  claim,
  peer: null,
  pending: pending && { ...pending, ask }
})

const step = (context: RunContext, { content, offset }: Of<"RoleStepRecorded">): Partial<RunContext> => ({
  ...noRole,
  rounds: context.rounds + 1,
  bytes: context.bytes + bytesOf(content),
  stalls: 0,
  token: offset
})

const suspend = ({ stalls }: RunContext, { reason, offset }: Of<"RunSuspended">): Partial<RunContext> => ({
  stalls: reason === "worker_lost" ? stalls + 1 : stalls,
  suspended: reason,
  token: offset
})

/** Its workflow changed or died under it; what it was doing is in doubt when it comes back. */
const end = ({ reason }: { readonly reason: string }): Partial<RunContext> => ({ suspended: reason })

/** Begins or goes on; `token` is of this event, since the state that it enters is. */
const begin = ({ timeoutMs, offset }: Of<"RunStarted">): Partial<RunContext> => ({ timeoutMs, token: offset })
const resume = ({ resumes }: RunContext, { offset }: Of<"RunResumed">): Partial<RunContext> => ({
  resumes: resumes + 1,
  token: offset
})

const stopFor = (
  why: "kill" | "timeout",
  { offset }: { readonly offset: Offset },
  reason: string | null = null
): Partial<RunContext> => ({ stop: { why, reason }, token: offset })

export const runMachine = setup({
  types: { context: {} as RunContext, events: {} as MachineEvent },
  actors: {
    moderator: invocation<{ readonly workflow: string; readonly rounds: number }>(),
    roleAttempt: invocation<{
      readonly workflow: string
      readonly role: string
      readonly round: number
      readonly attempt: number
    }>(),
    recoverRun: invocation<{
      readonly workflow: string
      readonly round: number
      readonly attempt: number
      readonly isInDoubt: boolean
      readonly stalls: number
    }>(),
    stopAttempt: invocation<{ readonly workflow: string; readonly isInDoubt: boolean }>()
  },
  guards: {
    hasPending: ({ context }) => context.pending !== null,
    isNextRound: ({ context, event }) => "round" in event && event.round === context.rounds + 1,
    isNextAttempt: ({ context, event }) =>
      "attempt" in event && event.round === context.rounds + 1 && event.attempt === context.attempt + 1,
    isCurrent: ({ context, event }) =>
      "attempt" in event && event.round === context.rounds + 1 && event.attempt === context.attempt,
    isCurrentAndRetried: ({ context, event }) =>
      event.type === "RoleAttemptFailed" &&
      event.retryInMs !== null &&
      event.round === context.rounds + 1 &&
      event.attempt === context.attempt,
    isDoubted: ({ context, event }) =>
      "attempt" in event && context.isInDoubt && event.attempt === context.attempt,
    isOffered: ({ context, event }) => event.type === "RoleClaimed" && event.claim === context.claim
  },
  delays: {
    timeout: ({ context }) => context.timeoutMs,
    roleTimeout: ({ context }) => context.pending?.timeoutMs ?? Number.POSITIVE_INFINITY,
    retry: ({ context }) => context.retryInMs
  },
  actions: {
    armTimeout: raise(due<RunEventOf<"RunTimedOut">>({ type: "RunTimedOut" }), {
      id: "timeout",
      delay: "timeout"
    }),
    cancelTimeout: cancel("timeout"),
    armRoleTimeout: raise(
      ({ context }) =>
        due<RunEventOf<"RoleAttemptTimedOut">>({
          type: "RoleAttemptTimedOut",
          round: context.rounds + 1,
          attempt: context.attempt
        }),
      { id: "roleTimeout", delay: "roleTimeout" }
    ),
    cancelRoleTimeout: cancel("roleTimeout"),
    /** Which worker will be asked is known only when it comes due. */
    armRetry: raise(
      ({ context }) =>
        due<RunEventOf<"RoleAttemptStarted">>({
          type: "RoleAttemptStarted",
          round: context.rounds + 1,
          attempt: context.attempt + 1,
          workerId: null
        }),
      { id: "retry", delay: "retry" }
    ),
    cancelRetry: cancel("retry")
  }
}).createMachine({
  id: "run",
  context: initialContext,
  initial: "absent",
  states: {
    absent: {
      description: "nobody has asked for it",
      on: {
        RunRequested: {
          target: "requested",
          actions: assign(({ event: { workflow, maxRounds, depth } }) => ({ workflow, maxRounds, depth }))
        }
      }
    },
    requested: {
      description: "its fate follows in the same batch",
      on: {
        RunStarted: {
          target: "running",
          actions: [assign(({ event }) => begin(event)), "armTimeout"]
        },
        RunQueued: "queued",
        RunDropped: "dropped"
      }
    },
    queued: {
      description: "it waits for a slot",
      on: {
        RunStarted: [
          {
            guard: "hasPending",
            target: "suspended",
            actions: [assign(({ event }) => begin(event)), "armTimeout"]
          },
          { target: "running", actions: [assign(({ event }) => begin(event)), "armTimeout"] }
        ],
        RunDropped: "dropped",
        RunKilled: "killed"
      }
    },
    running: {
      description: "it has a slot and a next thing to do",
      initial: "selecting",
      on: {
        RunInterrupted: { target: "interrupted", actions: assign(({ event }) => end(event)) },
        RunKillRequested: {
          target: "stopping",
          actions: assign(({ event }) => stopFor("kill", event, event.reason))
        },
        RunTimedOut: { target: "stopping", actions: assign(({ event }) => stopFor("timeout", event)) }
      },
      states: {
        selecting: {
          description: "the moderator chooses who is next",
          invoke: {
            id: "moderator",
            src: "moderator",
            input: ({ context: { workflow, rounds } }) => ({ workflow, rounds })
          },
          on: {
            RoleSelected: {
              guard: "isNextRound",
              target: "selected",
              actions: assign(({ event }) => select(event))
            },
            RunCompleted: "#run.completed",
            RunFailed: "#run.failed",
            RunCrashed: { target: "#run.crashed", actions: assign(({ event }) => end(event)) },
            RunSuspended: {
              target: "#run.suspended",
              actions: assign(({ context, event }) => suspend(context, event))
            }
          }
        },
        selected: {
          description: "the call or the offer follows in the same batch",
          on: {
            RoleAttemptStarted: {
              guard: "isNextAttempt",
              target: "attempting",
              actions: assign(({ event }) => attempt(event))
            },
            RoleOffered: {
              guard: "isNextAttempt",
              target: "offered",
              actions: assign(({ context, event }) => offer(context, event))
            }
          }
        },
        attempting: {
          description: "the worker plays the role",
          entry: "armRoleTimeout",
          exit: "cancelRoleTimeout",
          invoke: {
            id: "roleAttempt",
            src: "roleAttempt",
            input: ({ context: { workflow, pending, rounds, attempt } }) => ({
              workflow,
              role: pending?.role ?? "",
              round: rounds + 1,
              attempt
            })
          },
          on: {
            RoleStepRecorded: {
              guard: "isCurrent",
              target: "selecting",
              actions: assign(({ context, event }) => step(context, event))
            },
            RoleAttemptFailed: [
              {
                guard: "isCurrentAndRetried",
                target: "retrying",
                actions: assign(({ event }) => ({ isInDoubt: false, retryInMs: event.retryInMs ?? 0 }))
              },
              { guard: "isCurrent", target: "failing", actions: assign({ isInDoubt: false }) }
            ],
            RoleAttemptTimedOut: {
              guard: "isCurrent",
              target: "#run.stopping",
              actions: assign(({ event }) => stopFor("timeout", event))
            },
            RunFailed: "#run.failed",
            RunCrashed: { target: "#run.crashed", actions: assign(({ event }) => end(event)) },
            RunSuspended: {
              target: "#run.suspended",
              actions: assign(({ context, event }) => suspend(context, event))
            }
          }
        },
        retrying: {
          description: "the role failed and wants to be tried again after a while",
          entry: "armRetry",
          exit: "cancelRetry",
          on: {
            RoleAttemptStarted: {
              guard: "isNextAttempt",
              target: "attempting",
              actions: assign(({ event }) => attempt(event))
            }
          }
        },
        failing: {
          description: "the end follows in the same batch",
          on: { RunFailed: "#run.failed" }
        },
        offered: {
          description: "whoever claims the role plays it",
          entry: "armRoleTimeout",
          exit: "cancelRoleTimeout",
          on: {
            RoleClaimed: { guard: "isOffered", actions: assign(({ event }) => ({ peer: event.peer })) },
            RoleStepRecorded: {
              guard: "isCurrent",
              target: "selecting",
              actions: assign(({ context, event }) => step(context, event))
            },
            RoleAttemptTimedOut: {
              guard: "isCurrent",
              target: "#run.stopping",
              actions: assign(({ event }) => stopFor("timeout", event))
            },
            RunFailed: "#run.failed"
          }
        }
      }
    },
    suspended: {
      description: "it lost its worker or its hub, and keeps its slot",
      initial: "recovering",
      on: {
        RunInterrupted: { target: "interrupted", actions: assign(({ event }) => end(event)) },
        RunKillRequested: {
          target: "stopping",
          actions: assign(({ event }) => stopFor("kill", event, event.reason))
        },
        RunTimedOut: { target: "stopping", actions: assign(({ event }) => stopFor("timeout", event)) },
        RoleStepRecorded: {
          guard: "isCurrent",
          actions: assign(({ context, event }) => step(context, event))
        },
        RunResumed: [
          {
            guard: "hasPending",
            target: "running.selected",
            actions: assign(({ context, event }) => resume(context, event))
          },
          { target: "running.selecting", actions: assign(({ context, event }) => resume(context, event)) }
        ]
      },
      states: {
        recovering: {
          description: "it goes on as soon as a worker is ready",
          invoke: {
            id: "recoverRun",
            src: "recoverRun",
            input: ({ context: { workflow, rounds, attempt, isInDoubt, stalls } }) => ({
              workflow,
              round: rounds + 1,
              attempt,
              isInDoubt,
              stalls
            })
          },
          on: {
            RoleAttemptAbandoned: { guard: "isDoubted", actions: assign({ isInDoubt: false }) },
            RunHeld: "held",
            RunCrashed: { target: "#run.crashed", actions: assign(({ event }) => end(event)) },
            RunFailed: "#run.failed"
          }
        },
        held: { description: "nobody knows what its last attempt did: a person must say how to go on" }
      }
    },
    stopping: {
      description: "it ends as soon as nothing of it works any more",
      invoke: {
        id: "stopAttempt",
        src: "stopAttempt",
        input: ({ context: { workflow, isInDoubt } }) => ({ workflow, isInDoubt })
      },
      on: {
        RoleAttemptAbandoned: { guard: "isDoubted", actions: assign({ isInDoubt: false }) },
        RunKilled: "killed",
        RunFailed: "failed"
      }
    },
    completed: { description: "its moderator said that it is done", entry: "cancelTimeout" },
    failed: {
      description: "a role or the moderator failed, or a limit was reached",
      entry: "cancelTimeout"
    },
    killed: { description: "somebody stopped it", entry: "cancelTimeout" },
    dropped: { description: "there was no room for it" },
    crashed: {
      description: "its worker died too often, or could not load",
      entry: "cancelTimeout",
      on: { RunRequeued: { target: "queued", actions: assign({ stalls: 0 }) } }
    },
    interrupted: {
      description: "its workflow was changed or taken away",
      entry: "cancelTimeout",
      on: { RunRequeued: { target: "queued", actions: assign({ stalls: 0 }) } }
    }
  }
})
