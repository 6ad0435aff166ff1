/**
 * The life of a sense: configured or not; and if it is, when it computes (schedule), whether its code is loaded (module), and whether
 * it may be (circuit), each for itself (contracts: senses and workflows 3.1).
 */
import { assign, cancel, raise, setup } from "xstate"
import type { Offset } from "../../events/Event.js"
import { due, invocation } from "../fold.js"
import { addLoss, circuitOpenMs } from "../losses.js"
import type { SenseCause, SenseEventOf } from "./SenseEvent.js"
import {
  arm,
  complete,
  finish,
  initialContext,
  type MachineEvent,
  noWorker,
  reconfigure,
  redo,
  register,
  type SenseContext,
  soil,
  start,
  wait
} from "./senseContext.js"

/** Time to answer an abort. */
export const abortMs = 5_000

export const senseMachine = setup({
  types: { context: {} as SenseContext, events: {} as MachineEvent },
  actors: {
    groupMember: invocation<{ readonly group: string; readonly isLeftOut: boolean }>(),
    intervals: invocation<
      Pick<SenseContext, "armedAt" | "armedGraceMs" | "plannedFrom"> & {
        readonly intervalsMs: ReadonlyArray<number>
      }
    >(),
    awaitStart: invocation<{ readonly dueAt: number }>(),
    compute: invocation<{
      readonly causes: ReadonlyArray<SenseCause>
      readonly startedAt: number
      readonly state: unknown
      readonly on: ReadonlyArray<string>
    }>(),
    abortCompute: invocation<{ readonly token: Offset }>()
  },
  guards: {
    hasGrace: ({ event }) =>
      (event.type === "SenseArmed" || event.type === "SenseRegistered") && event.graceMs > 0,
    /** Something waits, or will as soon as what ran counts as not done. */
    hasWork: ({ context: { causes, running, dirty } }) => causes.length + running.length + dirty.length > 0,
    hasCauses: ({ context }) => context.causes.length > 0,
    isDirty: ({ context }) => context.dirty.length > 0,
    isLoaded: ({ context }) => context.workerId !== null,
    isMoved: ({ context, event }) =>
      event.type === "SenseReconfigured" && event.group !== context.settings.group,
    isCurrent: ({ context, event }) => "token" in event && event.token === context.token
  },
  delays: {
    grace: ({ context }) => context.armedGraceMs,
    timeout: ({ context }) => context.settings.timeoutMs,
    abort: abortMs,
    circuit: circuitOpenMs
  },
  actions: {
    /** Noted in the journal; nothing changes. */
    note: () => {},
    armGrace: raise(due<SenseEventOf<"SenseGraceEnded">>({ type: "SenseGraceEnded" }), {
      id: "grace",
      delay: "grace"
    }),
    cancelGrace: cancel("grace"),
    armTimeout: raise(
      ({ context }) =>
        due<SenseEventOf<"SenseComputeTimedOut">>({
          type: "SenseComputeTimedOut",
          token: context.token as Offset,
          failures: context.failures + 1
        }),
      { id: "timeout", delay: "timeout" }
    ),
    cancelTimeout: cancel("timeout"),
    armAbort: raise(
      ({ context }) =>
        due<SenseEventOf<"SenseComputeAbandoned">>({
          type: "SenseComputeAbandoned",
          token: context.token as Offset
        }),
      { id: "abort", delay: "abort" }
    ),
    cancelAbort: cancel("abort"),
    armCircuit: raise(due<SenseEventOf<"SenseCircuitHalfOpened">>({ type: "SenseCircuitHalfOpened" }), {
      id: "circuit",
      delay: "circuit"
    }),
    cancelCircuit: cancel("circuit")
  }
}).createMachine({
  id: "sense",
  context: initialContext,
  initial: "absent",
  states: {
    absent: {
      description: "not configured; its database and its state stay",
      on: {
        SenseRegistered: [
          {
            guard: "hasGrace",
            target: "active",
            actions: assign(({ context, event }) => register(context, event))
          },
          {
            target: "#sense.active.schedule.idle",
            actions: assign(({ context, event }) => register(context, event))
          }
        ]
      }
    },
    active: {
      description: "configured: its group's process is kept alive, its intervals tick",
      type: "parallel",
      invoke: [
        {
          id: "groupMember",
          src: "groupMember",
          input: ({ context }) => ({ group: context.settings.group, isLeftOut: context.isCircuitOpen })
        },
        {
          id: "intervals",
          src: "intervals",
          input: ({ context: { settings, armedAt, armedGraceMs, plannedFrom } }) => ({
            intervalsMs: settings.intervalsMs,
            armedAt,
            armedGraceMs,
            plannedFrom
          })
        }
      ],
      on: {
        SenseReconfigured: { actions: assign(({ context, event }) => reconfigure(context, event)) },
        SenseRemoved: {
          target: "absent",
          actions: assign({ ...noWorker, causes: [], running: [], dirty: [], dueAt: null })
        },
        SignalEmitted: {
          actions: assign(({ event }) => ({ lastSignal: event.offset, signals: event.sequence }))
        },
        SenseLaunched: { actions: "note" },
        SenseDirectiveRejected: { actions: "note" }
      },
      states: {
        schedule: {
          description: "when it computes",
          initial: "grace",
          on: {
            SenseArmed: [
              {
                guard: "hasGrace",
                target: ".grace",
                actions: assign(({ context, event }) => arm(context, event))
              },
              {
                guard: "hasWork",
                target: ".deferred",
                actions: assign(({ context, event }) => arm(context, event))
              },
              {
                target: ".idle",
                actions: assign(({ context, event }) => arm(context, event))
              }
            ]
          },
          states: {
            grace: {
              description: "too early after the start",
              entry: "armGrace",
              exit: "cancelGrace",
              on: {
                SenseTriggered: { actions: assign(({ context, event }) => wait(context, event)) },
                SenseGraceEnded: [{ guard: "hasCauses", target: "deferred" }, { target: "idle" }]
              }
            },
            idle: {
              description: "nothing waits",
              on: {
                SenseTriggered: {
                  target: "deferred",
                  actions: assign(({ context, event }) => wait(context, event))
                }
              }
            },
            deferred: {
              description: "a compute waits for its time and for its code",
              invoke: {
                id: "awaitStart",
                src: "awaitStart",
                input: ({ context }) => ({ dueAt: context.dueAt ?? 0 })
              },
              on: {
                SenseTriggered: { actions: assign(({ context, event }) => wait(context, event)) },
                SenseComputeStarted: {
                  guard: "isLoaded",
                  target: "computing",
                  actions: assign(({ context, event }) => start(context, event))
                }
              }
            },
            computing: {
              description: "its compute function runs",
              entry: "armTimeout",
              exit: "cancelTimeout",
              invoke: {
                id: "compute",
                src: "compute",
                input: ({ context }) => ({
                  causes: context.running.map(({ cause }) => cause),
                  startedAt: context.lastStart ?? 0,
                  state: context.state,
                  on: context.settings.on
                })
              },
              on: {
                SenseTriggered: { actions: assign(({ context, event }) => soil(context, event)) },
                SenseComputeCompleted: [
                  {
                    guard: "isDirty",
                    target: "deferred",
                    actions: assign(({ context, event }) => complete(context, event))
                  },
                  { target: "idle", actions: assign(({ context, event }) => complete(context, event)) }
                ],
                SenseComputeFailed: [
                  {
                    guard: "isDirty",
                    target: "deferred",
                    actions: assign(({ context, event }) => ({
                      ...finish(context, event.at),
                      failures: event.failures
                    }))
                  },
                  {
                    target: "idle",
                    actions: assign(({ context, event }) => ({
                      ...finish(context, event.at),
                      failures: event.failures
                    }))
                  }
                ],
                SenseComputeTimedOut: {
                  guard: "isCurrent",
                  target: "aborting",
                  actions: assign(({ event }) => ({ running: [], failures: event.failures }))
                },
                SenseWorkerLost: {
                  target: "deferred",
                  actions: assign(({ context, event }) => redo(context, event.at))
                }
              }
            },
            aborting: {
              description: "its time is over; it is told so, and its process is killed if it does not end",
              entry: "armAbort",
              exit: "cancelAbort",
              invoke: {
                id: "abortCompute",
                src: "abortCompute",
                input: ({ context }) => ({ token: context.token as Offset })
              },
              on: {
                SenseTriggered: { actions: assign(({ context, event }) => soil(context, event)) },
                SenseComputeAborted: [
                  {
                    guard: "isDirty",
                    target: "deferred",
                    actions: assign(({ context, event }) => finish(context, event.at))
                  },
                  { target: "idle", actions: assign(({ context, event }) => finish(context, event.at)) }
                ],
                // Its process is about to be killed: nothing may start in it any more.
                SenseComputeAbandoned: [
                  {
                    guard: "isDirty",
                    target: "deferred",
                    actions: assign(({ context, event }) => ({
                      ...finish(context, event.at),
                      ...noWorker
                    }))
                  },
                  {
                    target: "idle",
                    actions: assign(({ context, event }) => ({
                      ...finish(context, event.at),
                      ...noWorker
                    }))
                  }
                ],
                SenseWorkerLost: [
                  {
                    guard: "isDirty",
                    target: "deferred",
                    actions: assign(({ context, event }) => finish(context, event.at))
                  },
                  { target: "idle", actions: assign(({ context, event }) => finish(context, event.at)) }
                ]
              }
            }
          }
        },
        module: {
          description: "whether its code is in a process",
          initial: "loading",
          on: {
            SenseArmed: { target: ".loading", actions: assign(noWorker) },
            SenseReloading: { target: ".loading", actions: assign(noWorker) },
            // Where a region handles an event, what the whole has to say of it is not heard: it is said here too.
            SenseReconfigured: {
              guard: "isMoved",
              target: ".loading",
              actions: assign(({ context, event }) => reconfigure(context, event))
            },
            SenseWorkerLost: {
              target: ".loading",
              actions: assign(({ context, event }) => ({
                ...noWorker,
                ...(event.blamed && { losses: addLoss(context.losses, event.at) })
              }))
            }
          },
          states: {
            loading: {
              description: "its process is being started, or loads it",
              on: {
                SenseLoaded: {
                  target: "loaded",
                  actions: assign(({ event }) => ({ workerId: event.workerId }))
                },
                SenseLoadFailed: {
                  target: "broken",
                  actions: assign(({ event }) => ({ error: event.error }))
                }
              }
            },
            loaded: { description: "it can compute" },
            broken: { description: "its code or its migrations fail; until they are changed, or it is reset" }
          }
        },
        circuit: {
          description: "whether it may be in its group's process",
          initial: "closed",
          on: {
            SenseCircuitOpened: {
              target: ".open",
              actions: assign(({ event }) => ({
                isCircuitOpen: true,
                circuitUntil: event.at + circuitOpenMs
              }))
            },
            SenseCircuitClosed: {
              target: ".closed",
              actions: assign({ isCircuitOpen: false, circuitUntil: null, losses: [] })
            }
          },
          states: {
            closed: { description: "it may" },
            open: {
              description: "it took its process down too often: the group runs without it",
              entry: "armCircuit",
              exit: "cancelCircuit",
              on: {
                SenseCircuitHalfOpened: {
                  target: "halfOpen",
                  actions: assign({ isCircuitOpen: false, circuitUntil: null })
                }
              }
            },
            halfOpen: { description: "one more loss opens it again, a completed compute closes it" }
          }
        }
      }
    }
  }
})
