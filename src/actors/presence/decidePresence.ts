/**
 * What a command to a presence leads to (contracts: peers 3, 5), as a pure function from state, command and the peer's registration to
 * facts or a refusal. What its invocations report is in `decideReport`.
 */
import { idOf, type Offset, type Version } from "../../events/Event.js"
import { type DecideContext, type Decision, refuse, unchanged } from "../ActorKind.js"
import { type Identity, parseIdentity, peerStream } from "../peer/Identity.js"
import type { PeerState } from "../peer/PeerIndex.js"
import { type EndRules, failAll } from "./decideEnd.js"
import { acceptMessage, confirmDelivery } from "./decideMessage.js"
import { decideReport, isReport, type Report } from "./decideReport.js"
import { endRequested, finishWork, noteSession, selfFresh } from "./decideSession.js"
import type { PresenceCommand, PresenceCommandOf } from "./PresenceCommand.js"
import type { PresenceEvent, PresenceFact } from "./PresenceEvent.js"
import { isAtRest, type PresenceState } from "./PresenceIndex.js"
import type { PresenceReason } from "./PresenceRefusal.js"
import { presenceFold } from "./presenceFold.js"

export interface PresenceRules extends EndRules {
  readonly maxQueued: number
  /** Idle time of a session that takes a single message, until it is done with that. */
  readonly unarmedMs: number
  /** And from then on. */
  readonly quietMs: number
  /** Whether the runtime is configured to resume sessions. */
  readonly canResume: (runtime: string) => boolean
}

export interface PresenceWorld extends DecideContext {
  readonly rules: PresenceRules
}

export type Facts =
  | ReadonlyArray<PresenceFact>
  | typeof unchanged
  | { readonly _tag: "Refuse"; readonly reason: PresenceReason }

type Decided = Decision<PresenceEvent, PresenceReason>

export const decidePresence = (
  state: PresenceState,
  command: PresenceCommand,
  world: PresenceWorld
): Decided => {
  if (isReport(command)) return recorded(decideReport(state, command, world), state.context.incarnation)
  const identity = identityOf(state)
  const peer = world.read(peerStream(identity.personality)) as PeerState
  if (command.type === "RetirePresence") {
    const isWanted = peer.name === "registered" && isDeclared(peer, identity)
    return recorded(isWanted ? unchanged : retire(state), state.context.incarnation)
  }
  const denied = denyUndeclared(peer, identity)
  if (denied) return refuse(denied)
  const declaration = declarationOf(peer)
  if (command.type === "DeclarePresence") {
    const isSame =
      (["incarnation", "restart", "resume"] as const).every(
        (field) => state.context[field] === declaration[field]
      ) && state.context.wakePolicy === declaration.wake
    return recorded(isSame ? unchanged : [declaration], declaration.incarnation)
  }
  const isDeclaredHere = state.context.incarnation === declaration.incarnation
  const current = isDeclaredHere ? state : lookAhead(state, declaration, world)
  const facts = decideCaller(current, command, identity, world)
  if (isDeclaredHere || !isList(facts)) return recorded(facts, declaration.incarnation)
  return recorded([declaration, ...facts], declaration.incarnation)
}

type Caller = Exclude<PresenceCommand, Report | { readonly type: "RetirePresence" | "DeclarePresence" }>

const decideCaller = (
  state: PresenceState,
  command: Caller,
  identity: Identity,
  world: PresenceWorld
): Facts => {
  const { name, context } = state
  switch (command.type) {
    case "WakePresence":
      return wake(state, command, identity, world)
    case "StopPresence":
      return name === "stopped" || context.stopRequested ? unchanged : [{ type: "PresenceStopped" }]
    case "StartPresence":
      return name === "stopped" || context.stopRequested ? [{ type: "PresenceStarted" }] : unchanged
    case "RenewPresence":
      return renew(state, command)
    case "RefreshPresence":
      return context.freshNext !== null || !world.rules.canResume(identity.runtime)
        ? unchanged
        : [{ type: "FreshNextArmed" }]
    case "ResetCrashLoop":
      return name === "crashLoop" ? [{ type: "CrashLoopCleared", by: "operator" }] : unchanged
    case "SendMessage":
      return acceptMessage(state, command, identity, world)
    case "ConfirmDelivery":
      return confirmDelivery(state, command, world)
    case "SelfFresh":
      return selfFresh(state, command)
    case "SelfDone":
      return finishWork(state, command)
    case "AttachSession":
    case "InterruptSession":
    case "CompactSession":
      return noteSession(state, command)
  }
}

/** The offset of a declaration that is decided and not appended yet. */
const lookedAhead = 0 as Offset

const declarationOf = ({ context }: PeerState) => {
  const { incarnation, registration } = context
  if (incarnation === null || !registration) throw new Error("the peer is not registered")
  const { restart, resume, wake } = registration
  return { type: "PresenceDeclared", incarnation, restart, resume, wake } as const
}

/** The state that the declaration leads to, which the same batch begins with. */
const lookAhead = (
  state: PresenceState,
  { type, ...data }: ReturnType<typeof declarationOf>,
  { now, by }: PresenceWorld
): PresenceState => {
  const version = (state.version + 1) as Version
  const place = { stream: state.stream, version, offset: lookedAhead, at: now }
  const next = presenceFold.apply(state, { ...place, type, by, causation: null, correlation: null, data })
  if (!next) throw new Error(`${state.stream} is ${state.name} and belongs to an earlier registration`)
  return next as PresenceState
}

const identityOf = ({ stream }: PresenceState): Identity => {
  const identity = parseIdentity(idOf(stream))
  if (!identity) throw new Error(`${stream} names no identity`)
  return identity
}

const isDeclared = ({ context }: PeerState, { runtime }: Identity): boolean =>
  context.registration?.runtimes.includes(runtime) ?? false

const denyUndeclared = (peer: PeerState, identity: Identity): PresenceReason | undefined => {
  const { personality, runtime } = identity
  if (peer.name === "removing") return { _tag: "Removing", personality }
  if (peer.name !== "registered") return { _tag: "UnknownPeer", personality }
  return isDeclared(peer, identity) ? undefined : { _tag: "UndeclaredRuntime", personality, runtime }
}

const retire = ({ name, context }: PresenceState): Facts => {
  if (name === "undeclared" || context.ending?.reason === "remove") return unchanged
  if (isAtRest(name) || name === "waking.deciding") {
    return [...failAll(context, "removed"), { type: "PresenceRetired" }]
  }
  return [endRequested(context.session?.id ?? "", "remove")]
}

const wake = (
  { name, context }: PresenceState,
  command: PresenceCommandOf<"WakePresence">,
  identity: Identity,
  { rules }: PresenceWorld
): Facts => {
  const { intent = "natural", override = false, trigger = "operator" } = command
  const text = `${identity.runtime}-${identity.personality}`
  if (name === "stopped" || context.stopRequested) {
    return refuse({ _tag: "Stopped", identity: text, since: context.stoppedAt as Offset })
  }
  if (name === "crashLoop" && !override) {
    const deaths = context.deaths.map(({ offset }) => offset).slice(-rules.maxDeaths)
    return refuse({ _tag: "CrashLoop", identity: text, heldUntil: context.heldUntil ?? 0, deaths })
  }
  if (name.startsWith("waking.") || name.startsWith("live.")) return unchanged
  const isResumable = context.lineage.resumeRef !== null && rules.canResume(identity.runtime)
  if (intent === "resume" && !isResumable) {
    return refuse({ _tag: "NothingToResume", identity: text, lastEnd: context.lastEnd?.offset ?? null })
  }
  return [{ type: "WakeRequested", trigger, intent, topic: command.topic ?? null, override }]
}

/** A fresh start that is promised, whatever the presence does now. */
const renew = ({ name, context }: PresenceState, { topic }: PresenceCommandOf<"RenewPresence">): Facts => {
  const started: ReadonlyArray<PresenceFact> =
    name === "stopped" || context.stopRequested ? [{ type: "PresenceStarted" }] : []
  const isUp = name === "waking.booting" || name.startsWith("live.") || name === "ending"
  if (isUp) return [...started, endRequested(context.session?.id ?? "", "renew")]
  return [
    ...started,
    { type: "WakeRequested", trigger: "renew", intent: "fresh", topic: topic ?? null, override: true }
  ]
}

const isList = (facts: Facts): facts is ReadonlyArray<PresenceFact> => Array.isArray(facts)

/** Every event says of which registration it is. */
const recorded = (facts: Facts, incarnation: Offset | null): Decided => {
  if (!isList(facts)) return facts
  if (facts.length === 0) return unchanged
  return {
    _tag: "Accept",
    events: facts.map((fact) => ({ ...fact, incarnation: incarnation as Offset }) as PresenceEvent)
  }
}
