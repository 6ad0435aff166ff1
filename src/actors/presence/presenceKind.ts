/** The actor kind `presence`: one peer on one runtime, its sessions and its messages, in one stream `presence/<identity>`. */
import { idOf, type StreamId } from "../../events/Event.js"
import type { ActorHistory, ActorKind, InvocationDefinition } from "../ActorKind.js"
import { parseIdentity, peerStream, reservedNames } from "../peer/Identity.js"
import { decidePresence, type PresenceRules } from "./decidePresence.js"
import type { PresenceCommand } from "./PresenceCommand.js"
import { type PresenceEvent, presenceUpcasters } from "./PresenceEvent.js"
import { PresenceIndex, type PresenceState } from "./PresenceIndex.js"
import type { PresenceReason } from "./PresenceRefusal.js"
import { presenceFold } from "./presenceFold.js"

export type PresenceKind = ActorKind<PresenceCommand, PresenceReason> & { readonly index: PresenceIndex }

export type PresenceInvocations = {
  readonly [Src in "probe" | "bringUp" | "attend" | "drain" | "examine" | "endSession"]: InvocationDefinition
}

/** Every one may begin with the declaration of a new registration. */
const yields: { readonly [Type in PresenceCommand["type"]]: ReadonlyArray<PresenceEvent["type"]> } = {
  DeclarePresence: ["PresenceDeclared"],
  RetirePresence: ["MessageFailed", "PresenceRetired", "SessionEndRequested"],
  WakePresence: ["PresenceDeclared", "WakeRequested"],
  StopPresence: ["PresenceDeclared", "PresenceStopped"],
  StartPresence: ["PresenceDeclared", "PresenceStarted"],
  RenewPresence: ["PresenceDeclared", "PresenceStarted", "WakeRequested", "SessionEndRequested"],
  RefreshPresence: ["PresenceDeclared", "FreshNextArmed"],
  ResetCrashLoop: ["PresenceDeclared", "CrashLoopCleared"],
  SendMessage: ["PresenceDeclared", "MessageAccepted"],
  ConfirmDelivery: ["PresenceDeclared", "DeliveryConfirmed"],
  SelfFresh: ["SessionEndRequested"],
  SelfDone: ["WorkerFinished"],
  AttachSession: ["PresenceDeclared", "SessionAttached"],
  InterruptSession: ["PresenceDeclared", "SessionInterrupted"],
  CompactSession: ["PresenceDeclared", "SessionCompacted"],
  EndSession: ["SessionEndRequested"],
  ReportProbe: ["MessageFailed", "WakeModeChosen", "WakeFailed"],
  ReportSpawned: ["SessionSpawned"],
  ReportSpawnFailed: ["MessageFailed", "DeliveryUnconfirmed", "WakeFailed"],
  ReportReady: ["SessionReady"],
  ReportSessionEnded: ["MessageFailed", "DeliveryUnconfirmed", "SessionEnded"],
  ReportActivity: ["ActivityObserved"],
  ConsultSession: [],
  BeginDelivery: ["DeliveryAttempted"],
  ReportNoEvidence: ["DeliveryUnconfirmed"]
}

export const presenceHistory: ActorHistory = {
  name: "presence",
  version: 2,
  fold: presenceFold,
  upcasters: presenceUpcasters
}

/** Time that a boot or a sleeper is given after a restart at least: the hub was away, not they (contracts: peers 3.4). */
const graceMs = 60_000

export const makePresenceKind = (rules: PresenceRules, invocations: PresenceInvocations): PresenceKind => ({
  ...presenceHistory,
  yields,
  startsWork: new Set(["WakePresence", "RenewPresence"]),
  decide: (state: PresenceState, command, context) => decidePresence(state, command, { ...context, rules }),
  reads: readsOf,
  complete: (_state, { event }) => event,
  graceMs: (state: PresenceState) =>
    state.name === "waking.booting" || state.name === "live.waiting" ? graceMs : undefined,
  holdsDeadlines: true,
  index: new PresenceIndex(),
  invocations
})

/** Its peer, and the sender's of a message. */
const readsOf = (command: PresenceCommand, stream: StreamId | undefined): ReadonlyArray<StreamId> => {
  const own = stream === undefined ? undefined : parseIdentity(idOf(stream))
  const peers = own ? [peerStream(own.personality)] : []
  if (command.type !== "SendMessage" || reservedNames.has(command.from.personality)) return peers
  return [...peers, peerStream(command.from.personality)]
}
