/**
 * What a command to a sense leads to: the scheduler, the tokens and the circuit of contracts: senses and workflows 3.1, as one pure
 * function from state and command to facts or a refusal.
 */
import { idOf, type Offset } from "../../events/Event.js"
import { type ActorKind, accept, type DecideContext, type Decision, refuse, unchanged } from "../ActorKind.js"
import type { ActorState } from "../fold.js"
import { addLoss, opensCircuit } from "../losses.js"
import { type Answer, maxDepth, type SenseCommand } from "./SenseCommand.js"
import type { SenseCause, SenseEvent, SenseSettings } from "./SenseEvent.js"
import type { SenseReason } from "./SenseRefusal.js"
import { dueAtFrom, type SenseContext, type Trigger } from "./senseContext.js"

export type SenseState = ActorState & { readonly context: SenseContext }
export type SenseKind = ActorKind<SenseCommand, SenseReason>

/** What the rules of senses look at besides the sense. */
export interface SenseRules {
  /** Whether a workflow of this name may be started. */
  readonly hasWorkflow: (name: string) => boolean
}

type Decided = Decision<SenseEvent, SenseReason>
type Command<Type extends SenseCommand["type"]> = Extract<SenseCommand, { readonly type: Type }>

type Schedule = "grace" | "idle" | "deferred" | "computing" | "aborting"
type Module = "loading" | "loaded" | "broken"
type Circuit = "closed" | "open" | "halfOpen"

/** Where a sense's three regions stand; undefined for one that is absent. */
export const regionsOf = ({
  name
}: ActorState):
  | { readonly schedule: Schedule; readonly module: Module; readonly circuit: Circuit }
  | undefined => {
  const [, schedule, module, circuit] =
    /^active\.schedule\.(\w+),active\.module\.(\w+),active\.circuit\.(\w+)$/.exec(name) ?? []
  return schedule === undefined
    ? undefined
    : { schedule: schedule as Schedule, module: module as Module, circuit: circuit as Circuit }
}

export const decideSense = (
  state: SenseState,
  command: SenseCommand,
  world: DecideContext & { readonly rules: SenseRules }
): Decided => {
  const regions = regionsOf(state)
  if (command.type === "RegisterSense") return registerSense(state, command)
  if (!regions) {
    return command.type === "RemoveSense" || command.type === "ArmSense"
      ? unchanged
      : refuse({ _tag: "UnknownSense", name: idOf(state.stream) })
  }
  switch (command.type) {
    case "RemoveSense":
      return accept({ type: "SenseRemoved" })
    case "ArmSense":
      return accept({ type: "SenseArmed", graceMs: state.context.settings.graceMs })
    case "TriggerSense":
      return triggerSense(state, command, world)
    case "StartCompute":
      return startCompute(state, world)
    case "RecordComputeResult":
      return withToken(state, command.token, "computing", () => recordResult(state, command, world))
    case "RecordComputeError": {
      const { token, error, durationMs } = command
      const failures = state.context.failures + 1
      return withToken(state, token, "computing", () =>
        accept({ type: "SenseComputeFailed", token, error, durationMs, failures })
      )
    }
    case "RecordComputeAborted":
      return withToken(state, command.token, "aborting", () =>
        accept({ type: "SenseComputeAborted", token: command.token })
      )
    case "RecordSenseLoad":
      return recordLoad(state, command)
    case "RecordSenseLoss":
      return recordLoss(state, command, world)
    case "ReloadSense":
      return reloadSense(state, command)
    case "MendSense":
      return mendSense(state)
    case "ResetSense":
      return regions.circuit === "closed" ? unchanged : accept(circuitClosed("operator"))
    case "RejectLaunch": {
      const { text, reason } = command
      return accept({ type: "SenseDirectiveRejected", text, reason })
    }
  }
}

const registerSense = (state: SenseState, { type: _, ...settings }: Command<"RegisterSense">): Decided => {
  if (!regionsOf(state)) return accept({ type: "SenseRegistered", ...settings })
  return isSame(state.context.settings, settings)
    ? unchanged
    : accept({ type: "SenseReconfigured", ...settings })
}

const isSame = (before: SenseSettings, after: SenseSettings): boolean =>
  (Object.keys(after) as Array<keyof SenseSettings>).every(
    (key) => JSON.stringify(before[key]) === JSON.stringify(after[key])
  )

/**
 * The first trigger says when the compute is due, the others join it. If it is due now and can run, it starts in the same batch. A tick
 * that joins others says nothing new.
 */
const triggerSense = (
  state: SenseState,
  { cause: asked, depth }: Command<"TriggerSense">,
  { now, by }: DecideContext
): Decided => {
  const { context } = state
  const { schedule, module, circuit } = regionsOf(state) as NonNullable<ReturnType<typeof regionsOf>>
  const name = idOf(state.stream)
  if (depth > maxDepth) return refuse({ _tag: "CausalDepth", depth })
  if (circuit === "open") return refuse({ _tag: "CircuitOpen", name, until: context.circuitUntil ?? now })
  if (module === "broken") return refuse({ _tag: "SenseBroken", name, error: context.error ?? "" })

  const cause: SenseCause = { ...asked, at: asked.at ?? now, ...(asked.kind === "manual" && { by }) }
  const isJoining = context.causes.length + context.dirty.length > 0
  if (cause.kind === "interval" && isJoining) return unchanged
  const dueAt = context.dueAt ?? dueAtFrom(now, context)
  const triggered = { type: "SenseTriggered", cause, depth, dueAt } as const
  if (schedule !== "idle" || dueAt > now || context.workerId === null) return accept(triggered)
  return accept(triggered, computeStarted([{ cause, depth }], context.workerId))
}

const computeStarted = (triggers: ReadonlyArray<Trigger>, workerId: string) =>
  ({
    type: "SenseComputeStarted",
    causes: triggers.map(({ cause }) => cause),
    depth: depthOf(triggers),
    workerId
  }) as const

const depthOf = (triggers: ReadonlyArray<Trigger>): number =>
  Math.max(0, ...triggers.map(({ depth }) => depth))

/** Asked when it may be time: whether it is, is decided here. */
const startCompute = (state: SenseState, { now }: DecideContext): Decided => {
  const { dueAt, causes, workerId } = state.context
  const isReady = regionsOf(state)?.schedule === "deferred" && workerId !== null
  return isReady && (dueAt ?? 0) <= now ? accept(computeStarted(causes, workerId)) : unchanged
}

const withToken = (state: SenseState, token: Offset, schedule: Schedule, then: () => Decided): Decided =>
  regionsOf(state)?.schedule === schedule && state.context.token === token
    ? then()
    : refuse({ _tag: "StaleToken", given: token, current: state.context.token, state: state.name })

const recordResult = (
  state: SenseState,
  command: Command<"RecordComputeResult">,
  { rules }: { readonly rules: SenseRules }
): Decided => {
  const { token, durationMs, answer } = command
  const depth = depthOf(state.context.running)
  const { outcome, facts } = consequences(answer, depth, state.context.signals + 1, rules)
  const completed = {
    type: "SenseComputeCompleted",
    token,
    outcome,
    durationMs,
    ...(Object.hasOwn(command, "state") && { state: command.state })
  } as const
  const isMended = regionsOf(state)?.circuit === "halfOpen"
  return accept(completed, ...facts, ...(isMended ? [circuitClosed("compute")] : []))
}

const circuitClosed = (by: "compute" | "operator" | "reload") => ({ type: "SenseCircuitClosed", by }) as const

type Outcome = Extract<SenseEvent, { readonly type: "SenseComputeCompleted" }>["outcome"]

/** What follows from an answer (the table of contracts: 2.4), once it is known which workflows there are. */
const consequences = (
  answer: Answer,
  depth: number,
  sequence: number,
  { hasWorkflow }: SenseRules
): { readonly outcome: Outcome; readonly facts: ReadonlyArray<SenseEvent> } => {
  switch (answer.outcome) {
    case "silent":
      return { outcome: "silent", facts: [] }
    case "signal": {
      const { payload, rejected } = answer
      const signal = { type: "SignalEmitted", payload, depth, sequence } as const
      const rejection = rejected ? [{ type: "SenseDirectiveRejected", ...rejected } as const] : []
      return { outcome: "signal", facts: [signal, ...rejection] }
    }
    case "launch": {
      const { outcome, ...launch } = answer
      if (hasWorkflow(launch.workflow)) {
        return { outcome, facts: [{ type: "SenseLaunched", ...launch, depth: depth + 1 }] }
      }
      const text = `${launch.workflow}|${launch.maxRounds}|${launch.prompt}`.slice(0, maxRejectedText)
      const reason = "unknown_workflow"
      return { outcome: "rejected", facts: [{ type: "SenseDirectiveRejected", text, reason }] }
    }
  }
}

const maxRejectedText = 500

const recordLoad = (state: SenseState, { loaded, error }: Command<"RecordSenseLoad">): Decided => {
  if (regionsOf(state)?.module !== "loading") return unchanged
  return loaded
    ? accept({ type: "SenseLoaded", ...loaded })
    : accept({ type: "SenseLoadFailed", error: error ?? "" })
}

/** A loss that it is blamed for counts; too many, or one while it is on probation, open the circuit. */
const recordLoss = (
  state: SenseState,
  { type: _, ...loss }: Command<"RecordSenseLoss">,
  { now }: DecideContext
): Decided => {
  const lost = { type: "SenseWorkerLost", ...loss } as const
  if (!loss.blamed) return accept(lost)
  const losses = addLoss(state.context.losses, now)
  const { circuit } = regionsOf(state) as NonNullable<ReturnType<typeof regionsOf>>
  const opens = circuit !== "open" && (circuit === "halfOpen" || opensCircuit(losses))
  return accept(lost, ...(opens ? [{ type: "SenseCircuitOpened", losses: losses.length } as const] : []))
}

/** Its code is not taken away while it computes: whoever asks, asks again when it has ended. */
const reloadSense = (state: SenseState, { reason }: Command<"ReloadSense">): Decided => {
  const schedule = regionsOf(state)?.schedule
  return schedule === "computing" || schedule === "aborting"
    ? refuse({ _tag: "IllegalInState", state: state.name, event: "SenseReloading" })
    : accept({ type: "SenseReloading", reason })
}

/** Other code deserves another try. */
const mendSense = (state: SenseState): Decided =>
  regionsOf(state)?.circuit === "open"
    ? accept({ type: "SenseReloading", reason: "changed" }, circuitClosed("reload"))
    : unchanged
