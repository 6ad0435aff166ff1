/** What a command to a peer leads to (contracts: peers 2, 3.1, 5), as a pure function from state and command to facts or a refusal. */
import { idOf } from "../../events/Event.js"
import { accept, type Decision, refuse, unchanged } from "../ActorKind.js"
import { formatIdentity, intelligenceOf, reservedNames, toIntelligence } from "./Identity.js"
import { maxDescription, type PeerCommand, type Wanted } from "./PeerCommand.js"
import type { Changes, PeerEvent, Registration } from "./PeerEvent.js"
import type { PeerIndex, PeerState } from "./PeerIndex.js"
import type { PeerReason } from "./PeerRefusal.js"

/** What the rules of peers look at besides the peer itself. */
export interface PeerRules {
  readonly runtime: (
    name: string
  ) => { readonly hasCommand: boolean; readonly resumesByFolder: boolean } | undefined
  /** The state of an identity's presence, if it is not at rest. */
  readonly upState: (identity: string) => string | undefined
}

interface World {
  readonly rules: PeerRules
  readonly index: PeerIndex
}

type Decided = Decision<PeerEvent, PeerReason>

export const decidePeer = (state: PeerState, command: PeerCommand, world: World): Decided => {
  const personality = idOf(state.stream)
  const { registration } = state.context
  if (state.name === "removing" && command.type !== "CompleteRemoval" && command.type !== "RemovePeer") {
    return refuse({ _tag: "Removing", personality })
  }
  switch (command.type) {
    case "RegisterPeer": {
      const { type: _, cwd, ...wanted } = command
      if (reservedNames.has(personality)) return refuse({ _tag: "NameReserved", personality })
      if (!registration) return registerPeer(personality, cwd, wanted, world)
      if (registration.cwd !== cwd) {
        return refuse({ _tag: "CwdConflict", cwd, registered: registration.cwd })
      }
      return amendPeer(registration, merged(registration, wanted), world)
    }
    case "AmendPeer": {
      const { type: _, ...wanted } = command
      if (!registration) return refuse({ _tag: "UnknownPeer", personality })
      return amendPeer(registration, wanted, world)
    }
    case "RemovePeer":
      return removePeer(state, command.force ?? false, world)
    case "CompleteRemoval":
      return state.name === "removing" ? accept({ ...command, type: "PeerRemoved" }) : unchanged
  }
}

const registerPeer = (personality: string, cwd: string, wanted: Wanted, world: World): Decided => {
  const runtimes = [...new Set(wanted.runtimes ?? [wanted.defaultRuntime ?? "process"])]
  const defaultRuntime = wanted.defaultRuntime ?? (runtimes[0] as string)
  const intelligence = wanted.intelligence
    ? toIntelligence(wanted.intelligence)
    : intelligenceOf(defaultRuntime)
  const registration: Registration = {
    personality,
    cwd,
    runtimes: runtimes.includes(defaultRuntime) ? runtimes : [...runtimes, defaultRuntime],
    defaultRuntime,
    intelligence,
    description: cut(wanted.description ?? ""),
    restart: wanted.restart ?? "onDemand",
    resume: wanted.resume ?? (intelligence === "natural" ? "always" : "topic"),
    wake: wanted.wake ?? "shared",
    launch: launchOf({}, wanted),
    seedPrompt: wanted.seedPrompt ?? null,
    interfaces: wanted.interfaces ?? null
  }
  const problem = problemOf(registration, world)
  return problem ? refuse(problem) : accept({ type: "PeerRegistered", ...registration })
}

/** A repeated registration adds: a blank description keeps the old one, runtimes are united, what is left out stays. */
const merged = ({ runtimes, description }: Registration, wanted: Wanted): Wanted => ({
  ...wanted,
  ...(wanted.runtimes && { runtimes: [...new Set([...runtimes, ...wanted.runtimes])] }),
  description: wanted.description?.trim() ? wanted.description : description
})

const amendPeer = (registration: Registration, wanted: Wanted, world: World): Decided => {
  const { personality, cwd } = registration
  const given = {
    ...wanted,
    ...(wanted.intelligence && { intelligence: toIntelligence(wanted.intelligence) }),
    ...(wanted.description !== undefined && { description: cut(wanted.description) }),
    ...(wanted.launch && { launch: launchOf(registration.launch, wanted) })
  }
  const after = { ...registration, ...given, personality, cwd } as Registration
  const dropped = registration.runtimes.filter((runtime) => !after.runtimes.includes(runtime))
  const inUse = dropped.find((runtime) => world.rules.upState(formatIdentity({ runtime, personality })))
  if (inUse !== undefined) {
    const state = world.rules.upState(formatIdentity({ runtime: inUse, personality })) ?? ""
    return refuse({ _tag: "RuntimeInUse", runtime: inUse, state })
  }
  const amended = after.runtimes.includes(after.defaultRuntime)
    ? after
    : { ...after, defaultRuntime: after.runtimes[0] as string }
  const problem = problemOf(amended, world)
  if (problem) return refuse(problem)
  const changes = changesBetween(registration, amended)
  return Object.keys(changes).length === 0 ? unchanged : accept({ type: "PeerAmended", changes })
}

const changesBetween = (before: Registration, after: Registration): Changes =>
  Object.fromEntries(
    Object.entries(after).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key as keyof Registration])
    )
  )

const removePeer = (state: PeerState, force: boolean, { rules }: World): Decided => {
  const { registration } = state.context
  if (!registration || state.name === "removing") return unchanged
  const { personality, runtimes } = registration
  for (const runtime of force ? [] : runtimes) {
    const identity = formatIdentity({ runtime, personality })
    const up = rules.upState(identity)
    if (up !== undefined) return refuse({ _tag: "RefusedLive", identity, state: up })
  }
  return accept({ type: "PeerRemovalBegun", force })
}

/** Why a registration cannot stand, if so. */
const problemOf = (
  { personality, cwd, runtimes, launch }: Registration,
  { rules, index }: World
): PeerReason | undefined => {
  for (const runtime of runtimes) {
    const known = rules.runtime(runtime)
    if (!known) return { _tag: "UnknownRuntime", runtime }
    if (!known.hasCommand && !launch[runtime]?.args.length) return { _tag: "NoCommand", runtime }
  }
  const resumesByFolder = (names: ReadonlyArray<string>) =>
    names.some((name) => rules.runtime(name)?.resumesByFolder)
  if (!resumesByFolder(runtimes)) return undefined
  const other = index
    .inFolder(cwd)
    .find((peer) => peer.personality !== personality && resumesByFolder(peer.runtimes))
  return other && { _tag: "CwdTaken", cwd, by: other.personality }
}

const launchOf = (before: Registration["launch"], { launch = {} }: Wanted): Registration["launch"] => ({
  ...before,
  ...Object.fromEntries(
    Object.entries(launch).map(([runtime, { args, env }]) => [
      runtime,
      { args: args ?? before[runtime]?.args ?? [], env: env ?? before[runtime]?.env ?? {} }
    ])
  )
})

/** Never in the middle of a surrogate pair. */
const cut = (description: string): string =>
  description.length <= maxDescription
    ? description
    : description.slice(0, maxDescription).replace(/[\ud800-\udbff]$/, "")
