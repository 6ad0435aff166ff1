/** What a sense's machine remembers, and what each of its events makes of that: when a compute is due, and what it answers to. */
import type { Offset } from "../../events/Event.js"
import type { Recorded } from "../fold.js"
import type { SenseCause, SenseEvent, SenseEventOf, SenseSettings } from "./SenseEvent.js"

/** A cause with the number of signals and runs that led to it. */
export interface Trigger {
  readonly cause: SenseCause
  readonly depth: number
}

export interface SenseContext {
  readonly settings: SenseSettings
  /** What its computes have recorded; it outlives a removal. */
  readonly state: unknown
  readonly armedAt: number
  readonly armedGraceMs: number
  /** Waiting for the next compute. */
  readonly causes: ReadonlyArray<Trigger>
  /** Of the compute that runs. */
  readonly running: ReadonlyArray<Trigger>
  /** Came while it ran: they make the next one. */
  readonly dirty: ReadonlyArray<Trigger>
  readonly dueAt: number | null
  readonly lastStart: number | null
  /** Offset of the newest start: what a report must show. */
  readonly token: Offset | null
  readonly failures: number
  /** The worker that its code is loaded in; null while it is in none that can compute. */
  readonly workerId: string | null
  readonly error: string | null
  /** Times of the losses that it is blamed for, within the window. */
  readonly losses: ReadonlyArray<number>
  readonly isCircuitOpen: boolean
  readonly circuitUntil: number | null
  /** Last recorded tick of each interval. */
  readonly ticks: { readonly [everyMs: string]: number }
  /** The ticks as they were when the intervals were last planned anew. */
  readonly plannedFrom: { readonly [everyMs: string]: number }
  readonly signals: number
  readonly lastSignal: Offset | null
}

const noSettings: SenseSettings = {
  group: "default",
  throttleMs: 0,
  timeoutMs: 30_000,
  graceMs: 0,
  intervalsMs: [],
  on: []
}

export const initialContext: SenseContext = {
  settings: noSettings,
  state: null,
  armedAt: 0,
  armedGraceMs: 0,
  causes: [],
  running: [],
  dirty: [],
  dueAt: null,
  lastStart: null,
  token: null,
  failures: 0,
  workerId: null,
  error: null,
  losses: [],
  isCircuitOpen: false,
  circuitUntil: null,
  ticks: {},
  plannedFrom: {},
  signals: 0,
  lastSignal: null
}

export type MachineEvent = Recorded<SenseEvent>
type Of<Type extends SenseEvent["type"]> = Recorded<SenseEventOf<Type>>
type Changes = Partial<SenseContext>

/** When a compute may start at the earliest. */
export const dueAtFrom = (
  now: number,
  { settings, lastStart, armedAt, armedGraceMs }: SenseContext
): number =>
  Math.max(
    now,
    lastStart === null ? Number.NEGATIVE_INFINITY : lastStart + settings.throttleMs,
    armedAt + armedGraceMs
  )

const settingsOf = ({
  group,
  throttleMs,
  timeoutMs,
  graceMs,
  intervalsMs,
  on
}: SenseSettings): SenseSettings => ({
  group,
  throttleMs,
  timeoutMs,
  graceMs,
  intervalsMs,
  on
})

export const register = (context: SenseContext, event: Of<"SenseRegistered">): Changes => ({
  ...initialContext,
  state: context.state,
  ticks: context.ticks,
  plannedFrom: context.ticks,
  signals: context.signals,
  lastSignal: context.lastSignal,
  settings: settingsOf(event),
  armedAt: event.at,
  armedGraceMs: event.graceMs
})

export const reconfigure = (context: SenseContext, event: Of<"SenseReconfigured">): Changes => {
  const settings = settingsOf(event)
  const isMoved = settings.group !== context.settings.group
  const dueAt = context.dueAt === null ? null : dueAtFrom(event.at, { ...context, settings })
  return { settings, dueAt, plannedFrom: context.ticks, ...(isMoved && { workerId: null, error: null }) }
}

/** Nothing runs any more: what did is to be done again. */
export const arm = (context: SenseContext, { at, graceMs }: Of<"SenseArmed">): Changes => {
  const causes = [...context.causes, ...context.running, ...context.dirty]
  const armed = { ...context, armedAt: at, armedGraceMs: graceMs }
  return {
    armedAt: at,
    armedGraceMs: graceMs,
    causes,
    running: [],
    dirty: [],
    dueAt: causes.length > 0 ? dueAtFrom(at, armed) : null,
    plannedFrom: context.ticks
  }
}

const tickOf = (context: SenseContext, { everyMs, at }: SenseCause): Changes =>
  everyMs === undefined ? {} : { ticks: { ...context.ticks, [everyMs]: at } }

/** A trigger that waits: the first one says when it is due. */
export const wait = (context: SenseContext, event: Of<"SenseTriggered">): Changes => ({
  causes: [...context.causes, { cause: event.cause, depth: event.depth }],
  dueAt: context.dueAt ?? event.dueAt,
  ...tickOf(context, event.cause)
})

export const soil = (context: SenseContext, event: Of<"SenseTriggered">): Changes => ({
  dirty: [...context.dirty, { cause: event.cause, depth: event.depth }],
  ...tickOf(context, event.cause)
})

export const start = (context: SenseContext, { at, offset }: Of<"SenseComputeStarted">): Changes => ({
  running: context.causes,
  causes: [],
  dueAt: null,
  lastStart: at,
  token: offset
})

/** The compute is over; what came meanwhile waits for the next one. */
export const finish = (context: SenseContext, at: number): Changes => ({
  running: [],
  dirty: [],
  causes: context.dirty,
  dueAt: context.dirty.length > 0 ? dueAtFrom(at, context) : null
})

/** It was lost half-way: it is done again, with what came meanwhile. */
export const redo = (context: SenseContext, at: number): Changes => ({
  running: [],
  dirty: [],
  causes: [...context.running, ...context.dirty],
  dueAt: dueAtFrom(at, context)
})

export const noWorker: Changes = { workerId: null, error: null }

export const complete = (context: SenseContext, event: Of<"SenseComputeCompleted">): Changes => {
  const state = Object.hasOwn(event, "state") ? { state: event.state } : {}
  return { ...finish(context, event.at), failures: 0, ...state }
}
