/** Presences and peers as events leave them, for tests that decide and fold without a journal. */
import type { CommandShape, DecideContext, Decision } from "../../src/actors/ActorKind.js"
import type { ActorState } from "../../src/actors/fold.js"
import type { Registration } from "../../src/actors/peer/PeerEvent.js"
import type { PeerState } from "../../src/actors/peer/PeerIndex.js"
import { peerHistory } from "../../src/actors/peer/peerKind.js"
import { decidePresence, type PresenceRules } from "../../src/actors/presence/decidePresence.js"
import type { PresenceCommand } from "../../src/actors/presence/PresenceCommand.js"
import type { PresenceEvent, PresenceFact } from "../../src/actors/presence/PresenceEvent.js"
import type { PresenceState } from "../../src/actors/presence/PresenceIndex.js"
import type { PresenceReason } from "../../src/actors/presence/PresenceRefusal.js"
import { presenceHistory } from "../../src/actors/presence/presenceKind.js"
import { makeStreamId, type Offset, type StreamId, type Version } from "../../src/events/Event.js"

export const rules: PresenceRules = {
  maxQueued: 1_000,
  unarmedMs: 600_000,
  quietMs: 20_000,
  maxAttempts: 3,
  maxDeaths: 3,
  deathWindowMs: 300_000,
  firstRestartMs: 1_000,
  maxRestartMs: 60_000,
  healthyAfterMs: 60_000,
  canResume: () => true
}

export const registration = (personality: string, more: Partial<Registration> = {}): Registration => ({
  personality,
  cwd: "/",
  runtimes: ["process"],
  defaultRuntime: "process",
  intelligence: "artificial",
  description: "",
  restart: "onDemand",
  resume: "topic",
  wake: "shared",
  launch: {},
  seedPrompt: null,
  interfaces: null,
  ...more
})

/** Something that happened, as its own fields; `at` in ms, by default as before. */
export type Happening = PresenceFact & { readonly at?: number }

export const identity = "process-b"
const incarnation = 1 as Offset
const stream = makeStreamId("presence", identity)

const apply = (
  state: PresenceState,
  { at = state.at, ...fact }: Happening,
  offset: number
): PresenceState => {
  const { type, ...data } = fact
  const next = presenceHistory.fold.apply(state, {
    stream,
    version: (state.version + 1) as Version,
    offset: offset as Offset,
    at,
    type,
    by: type.endsWith("Elapsed") || type.endsWith("Due") ? "deadline" : "test",
    causation: null,
    correlation: null,
    data: { incarnation, ...data }
  })
  if (!next) throw new Error(`no ${type} in ${state.name}`)
  return next as PresenceState
}

/** The state after these. The first has offset 2, after the peer's registration at 1. */
export const given = (...happened: ReadonlyArray<Happening>): PresenceState =>
  happened.reduce(
    (state, fact) => apply(state, fact, Math.max(2, state.offset + 1)),
    presenceHistory.fold.initial(stream) as PresenceState
  )

/** The next state, or undefined when the machine refuses. */
export const next = (state: PresenceState, fact: Happening): PresenceState | undefined => {
  try {
    return apply(state, fact, state.offset + 1)
  } catch {
    return undefined
  }
}

export const peerState = (personality: string, more?: Partial<Registration>): PeerState => {
  const initial = peerHistory.fold.initial(makeStreamId("peer", personality)) as PeerState
  if (!more) return initial
  const place = { stream: initial.stream, version: 1 as Version, offset: incarnation, at: 0 }
  const event = { by: "test", causation: null, correlation: null, type: "PeerRegistered" }
  const data = { ...registration(personality, more) }
  return peerHistory.fold.apply(initial, { ...place, ...event, data }) as PeerState
}

export interface Deciding {
  readonly now?: number
  /** The peer's own registration; others are known with the default one. */
  readonly peer?: Partial<Registration> | null
  readonly rules?: Partial<PresenceRules>
}

export const decide = (
  state: PresenceState,
  command: PresenceCommand & CommandShape,
  { now = state.at, peer = {}, rules: more = {} }: Deciding = {}
): Decision<PresenceEvent, PresenceReason> => {
  const peers = new Map<StreamId, ActorState>([
    [makeStreamId("peer", "b"), peer === null ? peerState("b") : peerState("b", peer)],
    [makeStreamId("peer", "a"), peerState("a", {})]
  ])
  const context: DecideContext = {
    now,
    by: "test",
    floorAt: 0,
    read: (each) => peers.get(each) ?? peerState(each.slice("peer/".length))
  }
  return decidePresence(state, command, { ...context, rules: { ...rules, ...more } })
}

/** What a command leads to: the events' own fields, a refusal's reason, or `unchanged`. */
export const outcome = (decision: Decision<PresenceEvent, PresenceReason>) => {
  switch (decision._tag) {
    case "Accept":
      return decision.events.map(({ incarnation: _, ...fact }) => fact)
    case "Refuse":
      return decision.reason
    case "Unchanged":
      return "unchanged"
  }
}

/** The state after a command, for going on from it. */
export const advance = (
  state: PresenceState,
  command: PresenceCommand,
  deciding: Deciding = {}
): PresenceState => {
  const decision = decide(state, command, deciding)
  if (decision._tag === "Refuse") throw new Error(JSON.stringify(decision.reason))
  const events = decision._tag === "Accept" ? decision.events : []
  return events.reduce(
    (current, { incarnation: _, ...fact }) =>
      apply(
        current,
        { ...(fact as PresenceFact), at: deciding.now ?? state.at },
        Math.max(2, current.offset + 1)
      ),
    state
  )
}

const none = { death: false, heldUntil: null, streak: 0, restartInMs: 1_000 } as const

/** Facts with the fields that most tests do not care about. */
export const did = {
  declared: (
    restart: "onDemand" | "always" = "onDemand",
    resume: "topic" | "always" | "never" = "topic",
    wake: "shared" | "ephemeral" = "shared"
  ) => ({ type: "PresenceDeclared", restart, resume, wake }) as unknown as Happening,
  retired: { type: "PresenceRetired" } as Happening,
  stopped: { type: "PresenceStopped" } as Happening,
  started: { type: "PresenceStarted" } as Happening,
  wakeRequested: (more: Partial<Extract<PresenceEvent, { type: "WakeRequested" }>> = {}): Happening => ({
    type: "WakeRequested",
    trigger: "operator",
    intent: "natural",
    topic: null,
    override: false,
    ...more
  }),
  modeChosen: (
    mode: "fresh" | "resume" = "fresh",
    sessionId = "S1",
    idleMs: number | null = 3_600_000,
    quietMs: number | null = null
  ): Happening => ({
    type: "WakeModeChosen",
    sessionId,
    mode,
    cause: mode === "fresh" ? "first-wake" : "idle-reaped-resume",
    resumeRef: mode === "fresh" ? null : "S0",
    basis: [],
    trigger: "message",
    topic: null,
    host: "process",
    argv: ["node", "b.mjs"],
    cwd: "/",
    bootMs: 30_000,
    idleMs,
    quietMs
  }),
  attached: { type: "SessionAttached", sessionId: "S1" } as Happening,
  interrupted: { type: "SessionInterrupted", sessionId: "S1" } as Happening,
  compacted: { type: "SessionCompacted", sessionId: "S1", evidence: "control" } as Happening,
  finished: { type: "WorkerFinished", sessionId: "S1", by: "control" } as Happening,
  wakeFailed: (phase: "decide" | "spawn", more: object = {}): Happening => ({
    type: "WakeFailed",
    phase,
    reason: phase === "decide" ? "cwd-missing" : "spawn-error",
    detail: "",
    sessionId: null,
    ...none,
    death: phase === "spawn",
    ...more
  }),
  spawned: (sessionId = "S1"): Happening => ({
    type: "SessionSpawned",
    sessionId,
    pid: 42,
    startTime: "7",
    bootId: "boot",
    tokenSha256: "00"
  }),
  ready: (sessionId = "S1"): Happening => ({
    type: "SessionReady",
    sessionId,
    evidence: "alive",
    afterMs: 250,
    outputOffset: 0
  }),
  bootTimedOut: { type: "BootTimedOut", sessionId: "S1" } as Happening,
  idleElapsed: { type: "IdlePeriodElapsed", sessionId: "S1" } as Happening,
  active: (activeAt: number): Happening => ({
    type: "ActivityObserved",
    sessionId: "S1",
    kind: "output",
    activeAt,
    outputOffset: null
  }),
  endRequested: (
    reason: "idle" | "renew" | "self-fresh" | "remove" | "shutdown" | "hub-fault" = "idle"
  ): Happening => ({
    type: "SessionEndRequested",
    sessionId: "S1",
    reason,
    disposition: reason === "idle" || reason === "shutdown" ? "parked" : "discarded",
    idleForMs: null
  }),
  ended: (more: object = {}): Happening => ({
    type: "SessionEnded",
    sessionId: "S1",
    reason: "exit",
    initiator: "self",
    code: 0,
    signal: null,
    disposition: "gone",
    detectedBy: "exit",
    ready: true,
    liveMs: 0,
    idleForMs: null,
    outputTail: null,
    ...none,
    ...more
  }),
  restartDue: { type: "RestartFellDue" } as Happening,
  cleared: (by: "deadline" | "operator" = "deadline"): Happening => ({ type: "CrashLoopCleared", by }),
  freshArmed: { type: "FreshNextArmed" } as Happening,
  accepted: (messageId = "m1", topic: string | null = null): Happening => ({
    type: "MessageAccepted",
    messageId,
    from: { personality: "a", runtime: "process", intelligence: "artificial" },
    to: identity,
    body: "hello",
    topic,
    replyTo: null,
    attachments: [],
    sentAt: ""
  }),
  attempted: (messageId = "m1", attempt = 1, topic: string | null = null): Happening => ({
    type: "DeliveryAttempted",
    messageId,
    attempt,
    sessionId: "S1",
    topic
  }),
  confirmed: (messageId = "m1"): Happening => ({
    type: "DeliveryConfirmed",
    messageId,
    evidence: "ack",
    afterMs: 0,
    late: false,
    outputOffset: null
  }),
  unconfirmed: (final = false, messageId = "m1"): Happening => ({
    type: "DeliveryUnconfirmed",
    messageId,
    attempt: 1,
    waitedMs: 10,
    final
  }),
  failed: (messageId = "m1"): Happening => ({ type: "MessageFailed", messageId, reason: "wake-failed" })
}

/** The ways into each state. */
export const into: { readonly [state: string]: ReadonlyArray<Happening> } = {
  undeclared: [],
  "asleep.neverRun": [did.declared()],
  "asleep.parked": [
    did.declared(),
    did.wakeRequested(),
    did.modeChosen(),
    did.spawned(),
    did.ready(),
    did.idleElapsed,
    did.endRequested("idle"),
    did.ended({ reason: "idle", disposition: "parked" })
  ],
  "asleep.gone": [
    did.declared(),
    did.wakeRequested(),
    did.modeChosen(),
    did.spawned(),
    did.ready(),
    did.ended()
  ],
  stopped: [did.declared(), did.stopped],
  "waking.deciding": [did.declared(), did.wakeRequested()],
  "waking.booting": [did.declared(), did.wakeRequested(), did.modeChosen()],
  "live.waiting": [did.declared(), did.wakeRequested(), did.modeChosen(), did.spawned(), did.ready()],
  "live.delivering": [did.declared(), did.accepted(), did.modeChosen(), did.spawned(), did.ready()],
  "live.examining": [
    did.declared(),
    did.wakeRequested(),
    did.modeChosen(),
    did.spawned(),
    did.ready(),
    did.idleElapsed
  ],
  ending: [did.declared(), did.wakeRequested(), did.modeChosen(), did.spawned(), did.ready(), did.stopped],
  restarting: [
    did.declared("always"),
    did.modeChosen("fresh", "S1", null),
    did.spawned(),
    did.ready(),
    did.ended({ streak: 1 })
  ],
  crashLoop: [
    did.declared(),
    did.wakeRequested(),
    did.modeChosen(),
    did.ended({ ready: false, death: true, heldUntil: 300_000 })
  ]
}
