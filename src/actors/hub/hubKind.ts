/** The actor kind `hub`: the one stream without an id, on which a workspace's boots are recorded. */
import {
  type ActorHistory,
  type ActorKind,
  accept,
  type DecideContext,
  type Decision,
  type InvocationDefinition,
  refuse,
  unchanged
} from "../ActorKind.js"
import { type ActorState, makeFold } from "../fold.js"
import type { HubCommand } from "./HubCommand.js"
import { type HubEvent, hubUpcasters, type OpenWork, type Outstanding } from "./HubEvent.js"
import type { HubReason } from "./HubRefusal.js"
import { type HubContext, type HubStateName, hubMachine, keyOf } from "./hubMachine.js"

export type HubState = ActorState & { readonly context: HubContext; readonly name: HubStateName }
export type HubKind = ActorKind<HubCommand, HubReason>

/** What the hub's rules look at outside its own stream. */
export interface HubWorld {
  readonly drainTimeoutMs: number
  /** Claims and runs that a plain stop must not pull the floor from under (contracts: hub 3.6). */
  readonly activeWork: () => {
    readonly claims: ReadonlyArray<{ id: string; peer: string }>
    readonly runs: ReadonlyArray<string>
  }
  /** What a drain still waits for. */
  readonly outstanding: () => ReadonlyArray<Outstanding>
  readonly invocations: { readonly [Src in "recover" | "serve" | "drain" | "close"]: InvocationDefinition }
}

/** How many of each a refusal or an event names. */
const namedWork = 20
const namedOutstanding = 50

type Decided = Decision<HubEvent, HubReason>
type Command<Type extends HubCommand["type"]> = Extract<HubCommand, { readonly type: Type }>

export const hubHistory: ActorHistory = {
  name: "hub",
  version: 3,
  fold: makeFold(hubMachine),
  upcasters: hubUpcasters
}

export const makeHubKind = (world: HubWorld): HubKind => ({
  ...hubHistory,
  yields: {
    StartHub: ["HubLossDetected", "HubStarted"],
    BindHub: ["HubPortReassigned", "HubBound"],
    CompleteRecovery: ["HubReady"],
    FailStart: ["HubStartFailed"],
    DrainHub: ["HubDrainStarted"],
    CutDrainShort: ["HubDrainCutShort"],
    CompleteDrain: ["HubDrained"],
    StopHub: ["HubStopped"],
    RecordClockJump: ["ClockJumpDetected"],
    RecordDefect: ["DefectRecorded"],
    ResumeWrites: ["JournalWritesResumed"],
    RecordRebuild: ["ProjectionDiverged", "ProjectionRebuilt"],
    RecordRestore: ["JournalRestored"],
    RecordConfig: ["ConfigLoaded"],
    RecordConfigReload: ["ConfigReloaded"],
    RecordConfigRejection: ["ConfigRejected"],
    RaiseComponent: ["ComponentDegraded"],
    ClearComponent: ["ComponentRecovered"],
    RecordBackup: ["BackupTaken"],
    RecordImport: ["LedgerImported"],
    RecordArchive: ["JournalArchived"]
  },
  startsWork: new Set(),
  decide: (state: HubState, command, context) => decideHub(state, command, context, world),
  complete: (_state, { event }) => (event.type === "HubDrainCutShort" ? cutShort("timeout", world) : event),
  invocations: world.invocations
})

const decideHub = (
  state: HubState,
  command: HubCommand,
  { now }: DecideContext,
  world: HubWorld
): Decided => {
  const { context, name } = state
  switch (command.type) {
    case "StartHub":
      return startHub(context, command)
    case "BindHub": {
      const { type: _, reassigned, ...bound } = command
      const moved = reassigned ? [{ type: "HubPortReassigned", ...reassigned } as const] : []
      return accept(...moved, { type: "HubBound", ...bound })
    }
    case "CompleteRecovery":
      return accept({ ...command, type: "HubReady", bootId: context.bootId ?? "", safe: context.safe })
    case "FailStart":
      return accept({ ...command, type: "HubStartFailed" })
    case "DrainHub":
      return drainHub(state, command, now, world)
    case "CutDrainShort":
      return name === "draining.waiting"
        ? accept(cutShort(command.cause, world))
        : refuse({ _tag: "NotDraining" })
    case "CompleteDrain":
      return accept({ type: "HubDrained", tookMs: now - state.at })
    case "StopHub":
      return accept({ type: "HubStopped", clean: !context.isCut, uptimeMs: now - context.startedAt })
    case "RecordClockJump":
      return accept({ ...command, type: "ClockJumpDetected" })
    case "RecordDefect":
      return accept({ ...command, type: "DefectRecorded" })
    case "ResumeWrites":
      return accept({ ...command, type: "JournalWritesResumed" })
    case "RecordRestore":
      return accept({ ...command, type: "JournalRestored" })
    case "RecordConfig":
      return accept({ ...command, type: "ConfigLoaded" })
    case "RecordConfigReload":
      return accept({ ...command, type: "ConfigReloaded" })
    case "RecordConfigRejection":
      return accept({ ...command, type: "ConfigRejected" })
    case "RaiseComponent":
      return keyOf(command) in context.raised ? unchanged : accept({ ...command, type: "ComponentDegraded" })
    case "ClearComponent": {
      const since = context.raised[keyOf(command)]
      return since === undefined
        ? unchanged
        : accept({ ...command, type: "ComponentRecovered", tookMs: now - since })
    }
    case "RecordBackup":
      return accept({ ...command, type: "BackupTaken" })
    case "RecordImport":
      return accept({ ...command, type: "LedgerImported" })
    case "RecordArchive":
      return accept({ ...command, type: "JournalArchived" })
    case "RecordRebuild": {
      const { type: _, liveDigest, ...rebuilt } = command
      const { name, offset, digest } = rebuilt
      const differs = liveDigest !== null && digest !== null && liveDigest !== digest
      const diverged = {
        type: "ProjectionDiverged",
        name,
        offset,
        liveDigest: liveDigest ?? "",
        rebuiltDigest: digest ?? ""
      }
      return accept(...(differs ? [diverged as Extract<HubEvent, { type: "ProjectionDiverged" }>] : []), {
        type: "ProjectionRebuilt",
        ...rebuilt
      })
    }
  }
}

/** A boot that the journal does not know the end of was lost: that is the first thing the next one records. */
const startHub = ({ bootId }: HubContext, { head, ...started }: Command<"StartHub">): Decided => {
  const start = { ...started, type: "HubStarted" } as const
  if (bootId === null) return accept(start)
  const loss = {
    type: "HubLossDetected",
    previousBootId: bootId,
    lastOffset: head.offset,
    lastAt: head.at
  } as const
  return accept(loss, start)
}

const drainHub = (
  { name }: HubState,
  { force = false, reason = "stop", drainTimeoutMs = undefined }: Command<"DrainHub">,
  now: number,
  world: HubWorld
): Decided => {
  if (name.startsWith("draining.") || name === "stopped") return unchanged
  const { claims, runs } = world.activeWork()
  const total = claims.length + runs.length
  if (total > 0 && !force) {
    const named = { claims: claims.slice(0, namedWork), runs: runs.slice(0, namedWork) }
    return refuse({ _tag: "ActiveWork", ...named, total })
  }
  const open: OpenWork = { claims: claims.length, runs: runs.length, invocations: world.outstanding().length }
  const deadlineAt = now + (drainTimeoutMs ?? world.drainTimeoutMs)
  return accept({ type: "HubDrainStarted", reason, force, deadlineAt, open })
}

const cutShort = (cause: "timeout" | "signal", { outstanding }: HubWorld) => {
  const left = outstanding()
  return {
    type: "HubDrainCutShort",
    cause,
    outstanding: left.slice(0, namedOutstanding),
    total: left.length
  } as const
}
