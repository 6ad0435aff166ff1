/**
 * A peer on one runtime: asleep, waking, live, ending, and what lies between two sessions (contracts: peers 3.2; the numbers in
 * comments are its rows). Always-on is a policy of it, not a state.
 */
import { assign, cancel, raise, setup } from "xstate"
import { invocation } from "../fold.js"
import {
  attempt,
  beActive,
  becomeReady,
  beginEnd,
  chooseMode,
  clearHold,
  confirm,
  declare,
  doubt,
  end,
  enqueue,
  failMessage,
  failToDecide,
  finish,
  requestWake,
  spawn,
  start,
  stop,
  touch
} from "./changePresence.js"
import { emptyContext, type MachineEvent, type Of, type PresenceContext } from "./PresenceContext.js"
import { bootTimesOut, holdEnds, idlePeriodElapses, restartFallsDue } from "./presenceDeadlines.js"
import { presenceGuards } from "./presenceGuards.js"
import {
  type ExamineInput,
  examineInput,
  launchInput,
  type ProbeInput,
  type SessionInput,
  sessionInput
} from "./presenceInputs.js"

export type PresenceStateName =
  | "undeclared"
  | "asleep.neverRun"
  | "asleep.parked"
  | "asleep.gone"
  | "stopped"
  | "waking.deciding"
  | "waking.booting"
  | "live.waiting"
  | "live.delivering"
  | "live.examining"
  | "ending"
  | "restarting"
  | "crashLoop"

/** A change of the context by events of one type. */
const by =
  <Type extends MachineEvent["type"]>(
    type: Type,
    change: (context: PresenceContext, event: Of<Type>) => Partial<PresenceContext>
  ) =>
  ({ context, event }: { readonly context: PresenceContext; readonly event: MachineEvent }) =>
    event.type === type ? change(context, event as Of<Type>) : {}

/** Asleep, as what is left of the last session says. */
const asleepAsRemembered = (actions: ReadonlyArray<PresenceAction>) =>
  [
    { guard: "wasNeverRun", target: "#presence.asleep.neverRun", actions },
    { guard: "wasParked", target: "#presence.asleep.parked", actions },
    { target: "#presence.asleep.gone", actions }
  ] as const

/** Row 17: the first that fits. */
const afterEnd = [
  { guard: "endsRemoved", target: "#presence.undeclared", actions: "reset" },
  { guard: "endsStopped", target: "#presence.stopped", actions: "end" },
  { guard: "endsRenewed", target: "#presence.waking.deciding", actions: "end" },
  { guard: "endsHeld", target: "#presence.crashLoop", actions: "end" },
  { guard: "endsAskedAndOwed", target: "#presence.waking.deciding", actions: "end" },
  { guard: "endsUnaskedAndOwed", target: "#presence.restarting", actions: "end" },
  { guard: "endsParked", target: "#presence.asleep.parked", actions: "end" },
  { target: "#presence.asleep.gone", actions: "end" }
] as const

type PresenceAction = "stop" | "start" | "failToDecide"

export const presenceMachine = setup({
  types: { context: {} as PresenceContext, events: {} as MachineEvent },
  actors: {
    probe: invocation<ProbeInput>(),
    bringUp: invocation<SessionInput>(),
    attend: invocation<SessionInput>(),
    drain: invocation<SessionInput>(),
    examine: invocation<ExamineInput>(),
    endSession: invocation<SessionInput>()
  },
  guards: presenceGuards,
  delays: {
    boot: ({ context }) => context.session?.bootMs ?? 0,
    /** From the newest activity on; an always-on presence is never parked. */
    idle: ({ context: { session }, event }) =>
      session?.idleMs == null
        ? Number.POSITIVE_INFINITY
        : Math.max(0, session.activeAt + session.idleMs - event.at),
    restart: ({ context, event }) => Math.max(0, (context.restartAt ?? event.at) - event.at),
    hold: ({ context, event }) => Math.max(0, (context.heldUntil ?? event.at) - event.at)
  },
  actions: {
    armBoot: raise(({ context }) => bootTimesOut(context), { id: "boot", delay: "boot" }),
    cancelBoot: cancel("boot"),
    armIdle: raise(({ context }) => idlePeriodElapses(context), { id: "idle", delay: "idle" }),
    cancelIdle: cancel("idle"),
    armRestart: raise(({ context }) => restartFallsDue(context), { id: "restart", delay: "restart" }),
    cancelRestart: cancel("restart"),
    armHold: raise(({ context }) => holdEnds(context), { id: "hold", delay: "hold" }),
    cancelHold: cancel("hold"),
    reset: assign(emptyContext),
    declare: assign(by("PresenceDeclared", declare)),
    requestWake: assign(by("WakeRequested", requestWake)),
    stop: assign(by("PresenceStopped", stop)),
    start: assign(start),
    chooseMode: assign(by("WakeModeChosen", chooseMode)),
    failToDecide: assign(by("WakeFailed", failToDecide)),
    spawn: assign(by("SessionSpawned", spawn)),
    becomeReady: assign(by("SessionReady", becomeReady)),
    beActive: assign(by("ActivityObserved", beActive)),
    enqueue: assign(by("MessageAccepted", enqueue)),
    attempt: assign(by("DeliveryAttempted", attempt)),
    confirm: assign(by("DeliveryConfirmed", confirm)),
    doubt: assign(by("DeliveryUnconfirmed", doubt)),
    failMessage: assign(by("MessageFailed", failMessage)),
    stopSoon: assign(by("PresenceStopped", beginEnd)),
    startAfterAll: assign({ stopRequested: false, stoppedAt: null }),
    beginEnd: assign(by("SessionEndRequested", beginEnd)),
    giveUpBoot: assign(by("BootTimedOut", beginEnd)),
    end: assign(({ context, event }) =>
      event.type === "SessionEnded" || event.type === "WakeFailed" ? end(context, event) : {}
    ),
    armFreshNext: assign(({ event }) => ({ freshNext: event.offset })),
    clearHold: assign(by("CrashLoopCleared", clearHold)),
    touch: assign(({ context, event }) =>
      event.type === "SessionAttached" ||
      event.type === "SessionInterrupted" ||
      event.type === "SessionCompacted"
        ? touch(context, event)
        : {}
    ),
    finish: assign(by("WorkerFinished", finish))
  }
}).createMachine({
  id: "presence",
  context: emptyContext,
  initial: "undeclared",
  // Row 21: what may come whatever the presence does; some states have more to say of it.
  on: {
    PresenceDeclared: { guard: "isDeclared", actions: "declare" },
    FreshNextArmed: { guard: "isDeclared", actions: "armFreshNext" },
    DeliveryConfirmed: { guard: "isDeclared", actions: "confirm" },
    MessageFailed: { guard: "isDeclared", actions: "failMessage" }
  },
  states: {
    undeclared: {
      description: "its peer is not registered, or not for this runtime",
      on: {
        PresenceDeclared: [
          { guard: "declaresAlways", target: "waking", actions: "declare" },
          { target: "asleep", actions: "declare" }
        ]
      }
    },
    asleep: {
      description: "no process, and none is owed",
      initial: "neverRun",
      on: {
        PresenceDeclared: { guard: "declaresAlways", target: "waking", actions: "declare" },
        MessageAccepted: { target: "waking", actions: "enqueue" },
        WakeRequested: { target: "waking", actions: "requestWake" },
        PresenceStopped: { target: "stopped", actions: "stop" },
        PresenceRetired: { target: "undeclared", actions: "reset" }
      },
      states: {
        neverRun: { description: "it has had no session yet" },
        parked: { description: "its last session may be gone on with" },
        gone: { description: "its last session ended and cannot be gone on with" }
      }
    },
    stopped: {
      description: "kept down until somebody starts it",
      on: {
        PresenceStarted: [
          { guard: "isOwed", target: "waking", actions: "start" },
          ...asleepAsRemembered(["start"])
        ],
        PresenceRetired: { target: "undeclared", actions: "reset" }
      }
    },
    waking: {
      description: "on the way to a session",
      initial: "deciding",
      on: { MessageAccepted: { actions: "enqueue" } },
      states: {
        deciding: {
          description: "whether it can be started, and fresh or resumed",
          invoke: {
            id: "probe",
            src: "probe",
            input: ({ context }) => ({ resumeRef: context.lineage.resumeRef?.sessionId ?? null })
          },
          on: {
            WakeRequested: { actions: "requestWake" },
            PresenceStopped: { target: "#presence.stopped", actions: "stop" },
            PresenceRetired: { target: "#presence.undeclared", actions: "reset" },
            WakeModeChosen: { target: "booting", actions: "chooseMode" },
            WakeFailed: [
              { guard: "failsDecisionAlwaysOn", target: "#presence.restarting", actions: "failToDecide" },
              {
                guard: "failsDecisionNeverRun",
                target: "#presence.asleep.neverRun",
                actions: "failToDecide"
              },
              { guard: "failsDecisionParked", target: "#presence.asleep.parked", actions: "failToDecide" },
              { guard: "failsDecision", target: "#presence.asleep.gone", actions: "failToDecide" }
            ]
          }
        },
        booting: {
          description: "its process is being started, or started and not ready",
          invoke: { id: "bringUp", src: "bringUp", input: launchInput },
          entry: "armBoot",
          exit: "cancelBoot",
          on: {
            SessionSpawned: { actions: "spawn" },
            SessionReady: [
              { guard: "hasQueue", target: "#presence.live.delivering", actions: "becomeReady" },
              { target: "#presence.live.waiting", actions: "becomeReady" }
            ],
            BootTimedOut: { target: "#presence.ending", actions: "giveUpBoot" },
            PresenceStopped: { target: "#presence.ending", actions: "stopSoon" },
            SessionEndRequested: { target: "#presence.ending", actions: "beginEnd" },
            SessionEnded: afterEnd,
            WakeFailed: [
              { guard: "failsToSpawnHeld", target: "#presence.crashLoop", actions: "end" },
              { guard: "failsToSpawnOwed", target: "#presence.restarting", actions: "end" },
              { guard: "failsToSpawn", target: "#presence.asleep.gone", actions: "end" }
            ]
          }
        }
      }
    },
    live: {
      description: "its process runs and takes messages",
      initial: "waiting",
      invoke: { id: "attend", src: "attend", input: sessionInput },
      on: {
        ActivityObserved: { actions: "beActive" },
        SessionAttached: { actions: "touch" },
        SessionInterrupted: { actions: "touch" },
        SessionCompacted: { actions: "touch" },
        WorkerFinished: { actions: "finish" },
        PresenceStopped: { target: "ending", actions: "stopSoon" },
        SessionEndRequested: { target: "ending", actions: "beginEnd" },
        SessionEnded: afterEnd
      },
      states: {
        waiting: {
          description: "nothing to deliver",
          entry: "armIdle",
          exit: "cancelIdle",
          on: {
            MessageAccepted: [
              { guard: "isServed", actions: "enqueue" },
              { target: "delivering", actions: "enqueue" }
            ],
            IdlePeriodElapsed: "examining",
            ActivityObserved: { target: "waiting", reenter: true, actions: "beActive" },
            WorkerFinished: { target: "waiting", reenter: true, actions: "finish" }
          }
        },
        delivering: {
          description: "one message after the other is handed over, in order",
          invoke: { id: "drain", src: "drain", input: sessionInput },
          on: {
            MessageAccepted: { actions: "enqueue" },
            DeliveryAttempted: { guard: "hasNoneInFlight", actions: "attempt" },
            DeliveryConfirmed: [
              { guard: "servesNoMore", target: "waiting", actions: "confirm" },
              { guard: "isLastSettled", target: "waiting", actions: "confirm" },
              { guard: "isAboutInFlight", target: "delivering", reenter: true, actions: "confirm" },
              { actions: "confirm" }
            ],
            DeliveryUnconfirmed: [
              { guard: "servesNoMore", target: "waiting", actions: "doubt" },
              { guard: "isLastSettled", target: "waiting", actions: "doubt" },
              { guard: "isAboutInFlight", target: "delivering", reenter: true, actions: "doubt" }
            ],
            MessageFailed: [
              { guard: "isLastSettled", target: "waiting", actions: "failMessage" },
              { guard: "isAboutInFlight", target: "delivering", reenter: true, actions: "failMessage" },
              { actions: "failMessage" }
            ]
          }
        },
        examining: {
          description: "is there activity that no event shows?",
          invoke: { id: "examine", src: "examine", input: examineInput },
          on: {
            MessageAccepted: [
              { guard: "isServed", actions: "enqueue" },
              { target: "delivering", actions: "enqueue" }
            ],
            ActivityObserved: { target: "waiting", actions: "beActive" },
            WorkerFinished: { target: "waiting", actions: "finish" }
          }
        }
      }
    },
    ending: {
      description: "its process group is being ended",
      invoke: { id: "endSession", src: "endSession", input: sessionInput },
      on: {
        MessageAccepted: { actions: "enqueue" },
        DeliveryUnconfirmed: { guard: "isAboutInFlight", actions: "doubt" },
        PresenceStopped: { actions: "stopSoon" },
        PresenceStarted: { actions: "startAfterAll" },
        SessionEndRequested: { guard: "isRemovalOrRenewal", actions: "beginEnd" },
        SessionEnded: afterEnd
      }
    },
    restarting: {
      description: "owed, and waiting for the next try",
      entry: "armRestart",
      exit: "cancelRestart",
      on: {
        RestartFellDue: "waking",
        WakeRequested: { target: "waking", actions: "requestWake" },
        MessageAccepted: { actions: "enqueue" },
        PresenceStopped: { target: "stopped", actions: "stop" },
        PresenceRetired: { target: "undeclared", actions: "reset" }
      }
    },
    crashLoop: {
      description: "held: it died too often",
      entry: "armHold",
      exit: "cancelHold",
      on: {
        CrashLoopCleared: [
          { guard: "isOwed", target: "waking", actions: "clearHold" },
          { target: "asleep.gone", actions: "clearHold" }
        ],
        WakeRequested: { guard: "isOverride", target: "waking", actions: "requestWake" },
        MessageAccepted: { actions: "enqueue" },
        PresenceStopped: { target: "stopped", actions: "stop" },
        PresenceRetired: { target: "undeclared", actions: "reset" }
      }
    }
  }
})
