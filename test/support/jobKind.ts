/** A small kind that uses all that the driver offers: an invocation, a deadline, a re-entry, a loss. */
import { Cause, Effect, type Scope } from "effect"
import { assign, cancel, raise, setup } from "xstate"
import {
  type ActorKind,
  accept,
  type CommandShape,
  type InvocationCall,
  refuse,
  unchanged
} from "../../src/actors/ActorKind.js"
import { type ActorState, due, invocation, makeFold, type Recorded } from "../../src/actors/fold.js"
import { makeStreamId } from "../../src/events/Event.js"

export type JobEvent =
  | { readonly type: "JobStarted"; readonly n: number; readonly delayMs: number }
  | { readonly type: "JobRestarted" }
  | { readonly type: "JobFinished" }
  | { readonly type: "JobLost"; readonly why: string }
  | { readonly type: "JobAcknowledged" }
  | { readonly type: "JobTimedOut"; readonly n: number; readonly lateMs: number }
  | { readonly type: "JobStopped" }

export type JobCommand =
  | { readonly type: "Start"; readonly n: number; readonly delayMs?: number }
  | { readonly type: "StartTwo"; readonly n: number; readonly other: string }
  | { readonly type: "Restart" | "Finish" | "Acknowledge" | "Stop" | "Illegal" | "Throw" }
  | { readonly type: "Lose"; readonly why: string }
  | { readonly type: "NextIdle" }

export interface JobContext {
  readonly n: number
  readonly delayMs: number
  readonly startedAt: number
}

export type JobState = ActorState & { readonly context: JobContext }
type MachineEvent = Recorded<JobEvent>

export const jobMachine = setup({
  types: { context: {} as JobContext, events: {} as MachineEvent },
  actors: { work: invocation<{ readonly n: number }>() },
  delays: { patience: ({ context }) => context.delayMs },
  actions: {
    arm: raise(
      ({ context }) =>
        due<Extract<JobEvent, { type: "JobTimedOut" }>>({ type: "JobTimedOut", n: context.n, lateMs: 0 }),
      { id: "patience", delay: "patience" }
    ),
    disarm: cancel("patience")
  }
}).createMachine({
  id: "job",
  context: { n: 0, delayMs: 0, startedAt: 0 },
  initial: "idle",
  states: {
    idle: {
      on: {
        JobStarted: {
          target: "working",
          actions: assign(({ event }) => ({ n: event.n, delayMs: event.delayMs, startedAt: event.at }))
        }
      }
    },
    working: {
      invoke: { id: "work", src: "work", input: ({ context }) => ({ n: context.n }) },
      on: {
        JobRestarted: { target: "working", reenter: true },
        JobFinished: "waiting",
        JobLost: "failed",
        JobStopped: "idle"
      }
    },
    waiting: {
      entry: "arm",
      exit: "disarm",
      on: {
        JobAcknowledged: "idle",
        JobRestarted: { target: "waiting", reenter: true },
        JobTimedOut: "overdue"
      }
    },
    overdue: { on: { JobStopped: "idle" } },
    failed: { on: { JobStopped: "idle" } }
  }
})

export interface JobKindOptions {
  /** What runs while a job works. */
  readonly work?: (call: InvocationCall) => Effect.Effect<void, never, Scope.Scope>
  readonly graceMs?: number
}

export type JobKind = ActorKind<JobCommand, { readonly _tag: "NotIdle" } | { readonly _tag: "NoneIdle" }>

/** Jobs by state, as an index over all of them. */
export class JobIndex {
  readonly idle = new Set<string>()

  update(_before: ActorState, after: ActorState): void {
    if (after.version > 0 && after.name === "idle") this.idle.add(after.stream.slice("job/".length))
    else this.idle.delete(after.stream.slice("job/".length))
  }
}

export const makeJobKind = ({
  work = () => Effect.never,
  graceMs
}: JobKindOptions = {}): JobKind & {
  readonly index: JobIndex
} => {
  const index = new JobIndex()
  const events = [
    "JobStarted",
    "JobRestarted",
    "JobFinished",
    "JobLost",
    "JobAcknowledged",
    "JobTimedOut",
    "JobStopped"
  ]
  return {
    name: "job",
    version: 1,
    fold: makeFold(jobMachine),
    upcasters: Object.fromEntries(events.map((event) => [event, []])),
    yields: {
      Start: ["JobStarted"],
      StartTwo: ["JobStarted"],
      Restart: ["JobRestarted"],
      Finish: ["JobFinished"],
      Acknowledge: ["JobAcknowledged"],
      Stop: ["JobStopped"],
      Lose: ["JobLost"],
      Illegal: ["JobAcknowledged"],
      Throw: [],
      NextIdle: ["JobStarted"]
    },
    startsWork: new Set(["Start", "StartTwo", "NextIdle"]),
    index,
    decide: (state, command) => {
      switch (command.type) {
        case "Start":
          if (state.name === "working") return unchanged
          if (state.name !== "idle") return refuse({ _tag: "NotIdle" })
          return accept({ type: "JobStarted", n: command.n, delayMs: command.delayMs ?? 1_000 })
        case "StartTwo": {
          const started = { type: "JobStarted", n: command.n, delayMs: 1_000 } as const
          return { ...accept(started), admits: { kind: "job", id: command.other, events: [started] } }
        }
        case "NextIdle":
          return accept({ type: "JobStarted", n: 0, delayMs: 1_000 })
        case "Lose":
          return accept({ type: "JobLost", why: command.why })
        case "Illegal":
          return accept({ type: "JobAcknowledged" })
        case "Throw":
          throw new Error("thrown in decide")
        default: {
          const facts = {
            Restart: "JobRestarted",
            Finish: "JobFinished",
            Acknowledge: "JobAcknowledged",
            Stop: "JobStopped"
          }
          return accept({ type: facts[command.type] })
        }
      }
    },
    choose: () => {
      const [id] = index.idle
      return id === undefined ? { _tag: "Wait", reason: { _tag: "NoneIdle" } } : { _tag: "Choose", id }
    },
    wakes: (command, state) => command.type === "NextIdle" && state.name === "idle",
    complete: (_state, { event, dueAt }, { now }) => ({ ...event, lateMs: now - dueAt }),
    ...(graceMs !== undefined && { graceMs: () => graceMs }),
    invocations: {
      work: {
        run: (call) => Effect.scoped(work(call)),
        lost: (cause): CommandShape & JobCommand => ({ type: "Lose", why: String(Cause.squash(cause)) })
      }
    }
  }
}

export const jobStream = (id: string) => makeStreamId("job", id)
