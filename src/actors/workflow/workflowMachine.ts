/**
 * The life of a workflow: who of its runs may work and who waits, how its one worker process fares, and whether it has died too
 * often (contracts: senses and workflows 3.2).
 */
import { assign, cancel, raise, setup } from "xstate"
import { due, invocation, type Recorded } from "../fold.js"
import { addLoss, circuitOpenMs, respawnDelayMs } from "../losses.js"
import type {
  DrainReason,
  Failing,
  LossReason,
  WorkflowEvent,
  WorkflowEventOf,
  WorkflowSettings
} from "./WorkflowEvent.js"

/** The process that has said that it is ready. */
export interface ReadyWorker {
  readonly workerId: string
  readonly pid: number
  readonly definitionHash: string
  readonly roles: ReadonlyArray<string>
}

export interface WorkflowContext {
  /** Null while absent. */
  readonly settings: WorkflowSettings | null
  /** Runs that have a slot, suspended ones included, and those that wait for one, the next first. */
  readonly active: ReadonlyArray<string>
  readonly queue: ReadonlyArray<string>
  readonly turnedAway: number
  /** As the region of that name is: what may be admitted depends on it. */
  readonly circuit: "closed" | "open" | "halfOpen"
  /** Why the circuit was opened last. */
  readonly openedBy: "losses" | "load_failed" | null
  /** Times of the losses that count, within the window. */
  readonly losses: ReadonlyArray<number>
  readonly worker: ReadyWorker | null
  /** Why the newest code could not be loaded. */
  readonly error: Failing | null
  /** While nothing is admitted. */
  readonly drain: { readonly reason: DrainReason; readonly hash: string | null } | null
}

const initialContext: WorkflowContext = {
  settings: null,
  active: [],
  queue: [],
  turnedAway: 0,
  circuit: "closed",
  openedBy: null,
  losses: [],
  worker: null,
  error: null,
  drain: null
}

type MachineEvent = Recorded<WorkflowEvent>
type Of<Type extends WorkflowEvent["type"]> = Recorded<WorkflowEventOf<Type>>

/** A worker that nobody needs is kept for so long. */
const idleMs = 30_000

/** How many more runs may begin now. */
export const freeSlots = ({ settings, active, circuit, drain }: WorkflowContext): number => {
  if (!settings || drain) return 0
  if (circuit === "closed") return Math.max(0, settings.concurrency - active.length)
  return circuit === "halfOpen" && active.length === 0 ? 1 : 0
}

/** Whether a loss is one that somebody is to blame for. */
export const counts = (reason: LossReason): boolean => reason !== "hub_lost" && reason !== "killed"

const without = (runs: ReadonlyArray<string>, gone: string) => runs.filter((run) => run !== gone)

const enqueue = ({ queue }: WorkflowContext, { runId, atHead }: Of<"RunEnqueued">) => ({
  queue: atHead ? [runId, ...queue] : [...queue, runId]
})

const ready = ({ workerId, pid, definitionHash, roles }: Of<"WorkflowWorkerReady">) => ({
  worker: { workerId, pid, definitionHash, roles },
  error: null
})

const drained: Partial<WorkflowContext> = { drain: null, error: null }

export const workflowMachine = setup({
  types: { context: {} as WorkflowContext, events: {} as MachineEvent },
  actors: { worker: invocation(), drainRuns: invocation() },
  guards: {
    hasSlot: ({ context }) => freeSlots(context) > 0,
    isNextInQueue: ({ context, event }) =>
      event.type === "RunDequeued" && freeSlots(context) > 0 && context.queue[0] === event.runId,
    isActive: ({ context, event }) => "runId" in event && context.active.includes(event.runId),
    isQueued: ({ context, event }) => "runId" in event && context.queue.includes(event.runId),
    isNew: ({ context, event }) =>
      "runId" in event && !context.active.includes(event.runId) && !context.queue.includes(event.runId),
    hasRuns: ({ context }) => context.active.length > 0,
    isIdle: ({ context }) => context.active.length === 0,
    isRemoved: ({ context }) => context.drain?.reason === "removed",
    isExcusedWithRuns: ({ context, event }) =>
      event.type === "WorkflowWorkerLost" && !counts(event.reason) && context.active.length > 0,
    isExcused: ({ event }) => event.type === "WorkflowWorkerLost" && !counts(event.reason)
  },
  delays: {
    /** While it has runs its worker is never idle. */
    idle: ({ context }) => (context.active.length === 0 ? idleMs : Number.POSITIVE_INFINITY),
    backOff: ({ context }) => respawnDelayMs(context.losses.length),
    circuitOpen: () => circuitOpenMs,
    untilDeadline: ({ event }) => (event.type === "WorkflowDrainStarted" ? event.deadlineAt - event.at : 0)
  },
  actions: {
    armIdle: raise(due<WorkflowEventOf<"WorkflowWorkerIdled">>({ type: "WorkflowWorkerIdled" }), {
      id: "idle",
      delay: "idle"
    }),
    cancelIdle: cancel("idle"),
    armBackOff: raise(due<WorkflowEventOf<"WorkflowWorkerRetried">>({ type: "WorkflowWorkerRetried" }), {
      id: "backOff",
      delay: "backOff"
    }),
    cancelBackOff: cancel("backOff"),
    armHalfOpen: raise(
      due<WorkflowEventOf<"WorkflowCircuitHalfOpened">>({ type: "WorkflowCircuitHalfOpened" }),
      { id: "halfOpen", delay: "circuitOpen" }
    ),
    cancelHalfOpen: cancel("halfOpen"),
    /** Which runs it leaves is known only when it comes due. */
    armDrainTimeout: raise(
      due<WorkflowEventOf<"WorkflowDrainEnded">>({
        type: "WorkflowDrainEnded",
        reason: "operator",
        timedOut: true,
        open: [],
        fate: "interrupt"
      }),
      { id: "drainTimeout", delay: "untilDeadline" }
    ),
    cancelDrainTimeout: cancel("drainTimeout")
  }
}).createMachine({
  id: "workflow",
  context: initialContext,
  initial: "absent",
  states: {
    absent: {
      description: "not in the configuration; nothing can be started",
      on: {
        WorkflowRegistered: {
          target: "active",
          actions: assign(({ event }) => ({ ...initialContext, settings: event.settings }))
        }
      }
    },
    active: {
      description: "in the configuration",
      type: "parallel",
      states: {
        admission: {
          initial: "open",
          on: {
            WorkflowReconfigured: {
              actions: assign(({ context: { drain }, event }) => ({
                settings: event.settings,
                // It was taken out of the configuration and is in it again.
                drain: drain?.reason === "removed" ? { ...drain, reason: "operator" as const } : drain
              }))
            },
            RunAdmitted: {
              guard: "hasSlot",
              actions: assign(({ context, event }) => ({ active: [...context.active, event.runId] }))
            },
            RunDequeued: {
              guard: "isNextInQueue",
              actions: assign(({ context, event }) => ({
                active: [...context.active, event.runId],
                queue: without(context.queue, event.runId)
              }))
            },
            RunEnqueued: {
              guard: "isNew",
              actions: assign(({ context, event }) => enqueue(context, event))
            },
            RunEvicted: {
              guard: "isQueued",
              actions: assign(({ context, event }) => ({ queue: without(context.queue, event.runId) }))
            },
            RunWithdrawn: {
              guard: "isQueued",
              actions: assign(({ context, event }) => ({ queue: without(context.queue, event.runId) }))
            },
            RunTurnedAway: {
              actions: assign(({ context }) => ({ turnedAway: context.turnedAway + 1 }))
            },
            SlotFreed: {
              guard: "isActive",
              actions: assign(({ context, event }) => ({ active: without(context.active, event.runId) }))
            },
            WorkflowReloadFailed: { actions: assign(({ event }) => ({ error: event.error })) }
          },
          states: {
            open: {
              description: "runs are admitted as far as there are slots",
              on: {
                WorkflowDrainStarted: {
                  target: "draining",
                  actions: assign(({ event }) => ({ drain: { reason: event.reason, hash: event.hash } }))
                }
              }
            },
            draining: {
              description: "nothing is admitted; active runs go on with the code that they have",
              entry: "armDrainTimeout",
              exit: "cancelDrainTimeout",
              invoke: { id: "drainRuns", src: "drainRuns" },
              on: {
                WorkflowDrainStarted: {
                  target: "draining",
                  reenter: true,
                  actions: assign(({ event }) => ({ drain: { reason: event.reason, hash: event.hash } }))
                },
                WorkflowDrainEnded: [
                  { guard: "isRemoved", target: "#workflow.absent", actions: assign(initialContext) },
                  { target: "open", actions: assign(drained) }
                ]
              }
            }
          }
        },
        worker: {
          initial: "absent",
          on: {
            // The old process has been ended when a new one starts: it is another entry into the same state.
            WorkflowDrainEnded: [
              { guard: "isIdle", target: ".absent", actions: assign({ worker: null }) },
              { target: ".up", actions: assign({ worker: null }) }
            ]
          },
          states: {
            absent: {
              description: "no process",
              on: {
                RunAdmitted: { guard: "hasSlot", target: "up" },
                RunDequeued: { guard: "isNextInQueue", target: "up" },
                // A held run has kept its slot through it all.
                WorkflowCircuitHalfOpened: { guard: "hasRuns", target: "up" },
                WorkflowCircuitClosed: { guard: "hasRuns", target: "up" }
              }
            },
            up: {
              description: "one process serves all runs",
              invoke: { id: "worker", src: "worker" },
              initial: "starting",
              on: {
                WorkflowWorkerLost: [
                  {
                    guard: "isExcusedWithRuns",
                    target: "up",
                    reenter: true,
                    actions: assign({ worker: null })
                  },
                  { guard: "isExcused", target: "absent", actions: assign({ worker: null }) },
                  {
                    target: "backoff",
                    actions: assign(({ context, event }) => ({
                      worker: null,
                      losses: addLoss(context.losses, event.at)
                    }))
                  }
                ]
              },
              states: {
                starting: {
                  description: "the process loads the workflow's module",
                  on: {
                    WorkflowWorkerReady: { target: "ready", actions: assign(({ event }) => ready(event)) },
                    WorkflowLoadFailed: {
                      target: "#workflow.active.worker.absent",
                      actions: assign(({ event }) => ({ error: event.error }))
                    }
                  }
                },
                ready: {
                  description: "the process takes calls",
                  entry: "armIdle",
                  exit: "cancelIdle",
                  on: {
                    SlotFreed: { guard: "isActive", actions: "armIdle" },
                    RunAdmitted: { guard: "hasSlot", actions: "cancelIdle" },
                    RunDequeued: { guard: "isNextInQueue", actions: "cancelIdle" },
                    WorkflowWorkerIdled: {
                      target: "#workflow.active.worker.absent",
                      actions: assign({ worker: null })
                    }
                  }
                }
              }
            },
            backoff: {
              description: "the process died; the next one is started after a while",
              entry: "armBackOff",
              exit: "cancelBackOff",
              on: {
                WorkflowWorkerRetried: [{ guard: "hasRuns", target: "up" }, { target: "absent" }]
              }
            }
          }
        },
        circuit: {
          initial: "closed",
          on: {
            WorkflowCircuitOpened: {
              target: ".open",
              actions: assign(({ event }) => ({
                circuit: "open" as const,
                openedBy: event.cause,
                losses: []
              }))
            },
            WorkflowCircuitClosed: {
              target: ".closed",
              actions: assign({ circuit: "closed" as const, losses: [] })
            }
          },
          states: {
            closed: { description: "the worker is trusted" },
            open: {
              description: "it died too often, or does not load: nothing is admitted",
              entry: "armHalfOpen",
              exit: "cancelHalfOpen",
              on: {
                WorkflowCircuitHalfOpened: {
                  target: "halfOpen",
                  actions: assign({ circuit: "halfOpen" as const, losses: [] })
                }
              }
            },
            halfOpen: { description: "one run may try it" }
          }
        }
      }
    }
  }
})
