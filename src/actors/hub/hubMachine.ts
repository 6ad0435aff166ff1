/** One workspace's hub over all its boots: started, recovering, ready, draining, stopped (contracts: hub 3.1). */
import { assign, cancel, raise, setup } from "xstate"
import { due, invocation, type Recorded } from "../fold.js"
import type { HubEvent, PortSource } from "./HubEvent.js"

export interface HubContext {
  readonly bootId: string | null
  readonly pid: number
  readonly version: string
  readonly boots: number
  readonly safe: boolean
  readonly startedAt: number
  readonly readyAt: number | null
  readonly url: string | null
  readonly port: number | null
  readonly portSource: PortSource | null
  /** Path of the Unix socket, if it has one. */
  readonly socket: string | null
  /** The port that the next boot tries first: the newest one that was not chosen for one boot only. */
  readonly stickyPort: number | null
  readonly lastBoot: "clean" | "cut" | "lost" | "failed" | null
  /** Why the last boot failed, if it did. */
  readonly failure: string | null
  /** How often the journal was restored: stream tokens of an older history are told so. */
  readonly restores: number
  /** What a probe has found too high or too low, by `component/reason/subject`, and since when. */
  readonly raised: { readonly [key: string]: number }
  readonly lastBackup: { readonly at: number; readonly offset: number; readonly dir: string } | null
  /** The content of each old ledger that was imported, by its path. */
  readonly imported: { readonly [path: string]: string }
  /** The last offset that is in a segment; it only rises. */
  readonly archivedTo: number
  /** When a drain ends at the latest, and whether it was cut short. */
  readonly deadlineAt: number | null
  readonly isCut: boolean
}

export type HubStateName =
  | "stopped"
  | "starting"
  | "recovering"
  | "ready"
  | "draining.waiting"
  | "draining.closing"

const initialContext: HubContext = {
  bootId: null,
  pid: 0,
  version: "",
  boots: 0,
  safe: false,
  startedAt: 0,
  readyAt: null,
  url: null,
  port: null,
  portSource: null,
  socket: null,
  stickyPort: null,
  lastBoot: null,
  failure: null,
  restores: 0,
  raised: {},
  lastBackup: null,
  imported: {},
  archivedTo: 0,
  deadlineAt: null,
  isCut: false
}

type MachineEvent = Recorded<HubEvent>
type Of<Type extends HubEvent["type"]> = Extract<MachineEvent, { readonly type: Type }>

const start = (
  context: HubContext,
  { bootId, pid, version, safe, at }: Of<"HubStarted">
): Partial<HubContext> => ({
  bootId,
  pid,
  version,
  safe,
  boots: context.boots + 1,
  startedAt: at,
  readyAt: null,
  url: null,
  port: null,
  portSource: null,
  socket: null,
  deadlineAt: null,
  isCut: false
})

const bind = (
  { stickyPort }: HubContext,
  { url, port, portSource, socket }: Of<"HubBound">
): Partial<HubContext> => ({
  url,
  port,
  portSource,
  socket,
  stickyPort: portSource === "ephemeral" ? stickyPort : port
})

/** Over, in this way: no boot goes on. */
const over = (lastBoot: HubContext["lastBoot"], failure: string | null = null): Partial<HubContext> => ({
  bootId: null,
  lastBoot,
  failure
})

/** Names a reason for which a component may be raised. */
export const keyOf = ({
  component,
  reason,
  subject
}: {
  readonly component: string
  readonly reason: string
  readonly subject: string
}): string => `${component}/${reason}/${subject}`

const without = <Value>(
  values: { readonly [key: string]: Value },
  key: string
): { readonly [key: string]: Value } =>
  Object.fromEntries(Object.entries(values).filter(([each]) => each !== key))

export const hubMachine = setup({
  types: { context: {} as HubContext, events: {} as MachineEvent },
  actors: { recover: invocation(), serve: invocation(), drain: invocation(), close: invocation() },
  guards: {
    isUp: ({ context }) => context.bootId !== null,
    isRaised: ({ context, event }) => "component" in event && keyOf(event) in context.raised,
    isNotRaised: ({ context, event }) => "component" in event && !(keyOf(event) in context.raised),
    isNext: ({ context, event }) =>
      event.type === "JournalArchived" && event.fromOffset === context.archivedTo + 1,
    isThisBoot: ({ context, event }) =>
      event.type === "HubLossDetected" && event.previousBootId === context.bootId
  },
  delays: {
    untilDeadline: ({ event }) => (event.type === "HubDrainStarted" ? event.deadlineAt - event.at : 0)
  },
  actions: {
    /** Noted in the journal; nothing changes. */
    note: () => {},
    armDrainTimeout: raise(
      due<Extract<HubEvent, { readonly type: "HubDrainCutShort" }>>({
        type: "HubDrainCutShort",
        cause: "timeout",
        outstanding: [],
        total: 0
      }),
      { id: "drainTimeout", delay: "untilDeadline" }
    ),
    cancelDrainTimeout: cancel("drainTimeout")
  }
}).createMachine({
  id: "hub",
  context: initialContext,
  initial: "stopped",
  on: {
    HubLossDetected: { guard: "isThisBoot", target: ".stopped", actions: assign(over("lost")) },
    ClockJumpDetected: { guard: "isUp", actions: "note" },
    DefectRecorded: { guard: "isUp", actions: "note" },
    JournalWritesResumed: { guard: "isUp", actions: "note" },
    ProjectionRebuilt: { guard: "isUp", actions: "note" },
    ProjectionDiverged: { guard: "isUp", actions: "note" },
    ConfigLoaded: { guard: "isUp", actions: "note" },
    ConfigReloaded: { guard: "isUp", actions: "note" },
    ConfigRejected: { guard: "isUp", actions: "note" },
    JournalRestored: { actions: assign({ restores: ({ context }) => context.restores + 1 }) },
    ComponentDegraded: {
      guard: "isNotRaised",
      actions: assign({ raised: ({ context, event }) => ({ ...context.raised, [keyOf(event)]: event.at }) })
    },
    ComponentRecovered: {
      guard: "isRaised",
      actions: assign({ raised: ({ context, event }) => without(context.raised, keyOf(event)) })
    },
    LedgerImported: {
      guard: "isUp",
      actions: assign({
        imported: ({ context, event }) => ({ ...context.imported, [event.path]: event.sha256 })
      })
    },
    JournalArchived: { guard: "isNext", actions: assign({ archivedTo: ({ event }) => event.toOffset }) },
    BackupTaken: {
      actions: assign({ lastBackup: ({ event: { at, offset, dir } }) => ({ at, offset, dir }) })
    }
  },
  states: {
    stopped: {
      description: "no process",
      on: {
        HubStarted: { target: "starting", actions: assign(({ context, event }) => start(context, event)) }
      }
    },
    starting: {
      description: "the journal is open and locked; the port is not bound yet",
      on: {
        HubPortReassigned: { actions: "note" },
        HubBound: { target: "recovering", actions: assign(({ context, event }) => bind(context, event)) },
        HubStartFailed: { target: "stopped", actions: assign(({ event }) => over("failed", event.message)) },
        HubStopped: { target: "stopped", actions: assign(({ event }) => over(event.clean ? "clean" : "cut")) }
      }
    },
    recovering: {
      description: "what was under way is taken up again; every command is told to wait",
      invoke: { id: "recover", src: "recover" },
      on: {
        HubStartFailed: { target: "stopped", actions: assign(({ event }) => over("failed", event.message)) },
        HubReady: { target: "ready", actions: assign(({ event }) => ({ readyAt: event.at })) },
        HubDrainStarted: {
          target: "draining",
          actions: assign(({ event }) => ({ deadlineAt: event.deadlineAt }))
        }
      }
    },
    ready: {
      description: "all commands are taken",
      invoke: { id: "serve", src: "serve" },
      on: {
        HubDrainStarted: {
          target: "draining",
          actions: assign(({ event }) => ({ deadlineAt: event.deadlineAt }))
        }
      }
    },
    draining: {
      description: "no work is started; what is under way comes to its end",
      initial: "waiting",
      states: {
        waiting: {
          description: "until nothing is under way, or the deadline",
          entry: "armDrainTimeout",
          exit: "cancelDrainTimeout",
          invoke: { id: "drain", src: "drain" },
          on: {
            HubDrained: "closing",
            HubDrainCutShort: { target: "closing", actions: assign({ isCut: true }) }
          }
        },
        closing: {
          description: "what is left is interrupted, followers and sockets are closed",
          invoke: { id: "close", src: "close" },
          on: {
            HubStopped: {
              target: "#hub.stopped",
              actions: assign(({ event }) => over(event.clean ? "clean" : "cut"))
            }
          }
        }
      }
    }
  }
})
