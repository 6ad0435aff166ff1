import { describe, expect, it } from "@effect/vitest"
import type { PresenceCommand } from "../../../src/actors/presence/PresenceCommand.js"
import { advance, decide, did, given, type Happening, into, outcome } from "../../support/presences.js"

const from = (state: keyof typeof into, ...more: ReadonlyArray<Happening>) => [
  ...(into[state] ?? []),
  ...more
]
const probed = (more: object = {}): PresenceCommand => ({
  type: "ReportProbe",
  sessionId: "S9",
  host: "process",
  canResume: true,
  isFound: true,
  freshArgv: ["fresh"],
  resumeArgv: ["resume"],
  cwd: "/",
  bootMs: 30_000,
  idleMs: 3_600_000,
  ...more
})
const ended = (code: number | null = 0, signal: string | null = null): PresenceCommand => ({
  type: "ReportSessionEnded",
  sessionId: "S1",
  code,
  signal,
  detectedBy: "exit",
  outputTail: "last words"
})
const send = (messageId = "m1", personality = "a"): PresenceCommand => ({
  type: "SendMessage",
  messageId,
  from: { personality, runtime: "process", intelligence: "artificial" },
  body: "hello"
})
const only = (decision: ReturnType<typeof decide>) => {
  const facts = outcome(decision)
  return Array.isArray(facts) ? facts.at(-1) : facts
}

/** Parked after a session that had delivered a message of topic `t`. */
const parked = [
  ...from("live.waiting", did.accepted("m1", "t"), did.attempted("m1", 1, "t"), did.confirmed()),
  did.idleElapsed,
  did.endRequested("idle"),
  did.ended({ reason: "idle", disposition: "parked" })
]

describe("a wake's mode", () => {
  const cases: ReadonlyArray<
    readonly [cause: string, mode: string, path: ReadonlyArray<Happening>, found?: object, peer?: object]
  > = [
    ["renew", "fresh", [...parked, did.wakeRequested({ trigger: "renew", intent: "fresh" })]],
    ["eager-fresh", "fresh", from("live.waiting", did.endRequested("self-fresh"), did.ended())],
    ["operator-fresh", "fresh", [...parked, did.wakeRequested({ intent: "fresh", topic: "t" })]],
    ["attach", "resume", [...parked, did.wakeRequested({ intent: "resume" })]],
    ["soft-reload", "fresh", [...parked, did.freshArmed, did.accepted("m2", "t")]],
    ["crash-or-self-close", "fresh", from("asleep.gone", did.accepted("m2", "t"))],
    ["first-wake", "fresh", from("asleep.neverRun", did.accepted())],
    ["idle-reaped-human", "resume", [...parked, did.declared("onDemand", "always"), did.accepted("m2")]],
    [
      "idle-reaped-human-no-resume",
      "fresh",
      [...parked, did.declared("onDemand", "always"), did.accepted("m2")],
      { isFound: false }
    ],
    [
      "idle-reaped-no-resume",
      "fresh",
      [...parked, did.declared("onDemand", "never"), did.accepted("m2", "t")]
    ],
    ["idle-reaped-no-resume", "fresh", [...parked, did.accepted("m2", "t")], { canResume: false }],
    ["idle-reaped-no-resume", "fresh", [...parked, did.accepted("m2", "t")], { isFound: false }],
    ["idle-reaped-no-topic", "fresh", [...parked, did.accepted("m2")]],
    ["idle-reaped-new-topic", "fresh", [...parked, did.accepted("m2", "other")]],
    ["idle-reaped-resume", "resume", [...parked, did.accepted("m2", "t")]]
  ]
  for (const [cause, mode, path, found] of cases) {
    it(`is ${mode} for ${cause}${found ? ` with ${JSON.stringify(found)}` : ""}`, () => {
      const chosen = only(decide(given(...path), probed(found)))
      const resumeRef = mode === "resume" ? "S1" : null
      expect(chosen).toMatchObject({ type: "WakeModeChosen", mode, cause, resumeRef, argv: [mode] })
    })
  }

  it("names the events it was decided from", () => {
    const path = [...parked, did.accepted("m2", "t")]
    const state = given(...path)
    const { lastEnd, lineage, queue } = state.context
    const basis = [lastEnd?.offset, queue[0]?.offset, lineage.topics[0]?.offset, lineage.resumeRef?.offset]
    expect(only(decide(state, probed()))).toMatchObject({ basis })
  })

  it("fails when going on was asked for, nothing waits and there is nothing to go on with", () => {
    const state = given(...parked, did.wakeRequested({ intent: "resume" }))
    const facts = outcome(decide(state, probed({ isFound: false })))
    expect(facts).toMatchObject([{ type: "WakeFailed", phase: "decide", reason: "nothing-to-resume" }])
  })

  it("fails all that wait when nothing can be started, without a death", () => {
    const state = given(...from("asleep.neverRun", did.accepted("m1"), did.accepted("m2")))
    const problem = { reason: "cwd-missing", detail: "/gone" }
    expect(outcome(decide(state, probed({ problem })))).toMatchObject([
      { type: "MessageFailed", messageId: "m1", reason: "cwd-missing" },
      { type: "MessageFailed", messageId: "m2", reason: "cwd-missing" },
      { type: "WakeFailed", phase: "decide", death: false, heldUntil: null, restartInMs: 60_000 }
    ])
  })
})

describe("an end", () => {
  const deaths: ReadonlyArray<
    readonly [what: string, path: ReadonlyArray<Happening>, how: PresenceCommand, death: boolean]
  > = [
    ["exit 0 of a ready session", from("live.waiting"), ended(0), false],
    ["exit 0 before it was ready", from("waking.booting"), ended(0), true],
    ["exit 1", from("live.waiting"), ended(1), true],
    ["a signal", from("live.waiting"), ended(null, "SIGKILL"), true],
    ["an exit that nobody saw", from("live.waiting"), ended(null), true],
    ["exit 0 with a message in hand", from("live.delivering", did.attempted()), ended(0), true],
    ["a boot that took too long", from("waking.booting", did.bootTimedOut), ended(null, "SIGTERM"), true],
    ["a stop", from("ending"), ended(null, "SIGTERM"), false],
    ["a stop with a message in hand", from("live.delivering", did.attempted(), did.stopped), ended(1), false],
    ["an idle end", from("live.examining", did.endRequested("idle")), ended(null, "SIGKILL"), false],
    ["a renewal", from("live.waiting", did.endRequested("renew")), ended(1), false],
    ["a self-fresh", from("live.waiting", did.endRequested("self-fresh")), ended(1), false],
    ["a shutdown", from("live.waiting", did.endRequested("shutdown")), ended(1), false]
  ]
  for (const [what, path, how, death] of deaths) {
    it(`is ${death ? "a" : "no"} death by ${what}`, () => {
      expect(only(decide(given(...path), how))).toMatchObject({ type: "SessionEnded", death })
    })
  }

  it("says who wanted it", () => {
    const initiator = (...path: ReadonlyArray<Happening>) =>
      (only(decide(given(...path), ended(null, null))) as { readonly initiator?: string }).initiator
    expect(initiator(...from("live.examining", did.endRequested("idle")))).toBe("hub")
    expect(initiator(...from("ending"))).toBe("operator")
    expect(initiator(...from("live.waiting", did.endRequested("self-fresh")))).toBe("self")
    expect(initiator(...from("live.waiting"))).toBe("unknown")
    expect(only(decide(given(...from("live.waiting")), ended(7)))).toMatchObject({ initiator: "self" })
  })

  it("parks only a session that was ready or resumed", () => {
    const disposition = (...path: ReadonlyArray<Happening>) =>
      (only(decide(given(...path), ended())) as { readonly disposition?: string }).disposition
    expect(disposition(...from("ending"))).toBe("parked")
    expect(disposition(...from("waking.booting", did.stopped))).toBe("discarded")
    expect(disposition(...parked, did.wakeRequested(), did.modeChosen("resume"), did.stopped)).toBe("parked")
    expect(disposition(...from("live.waiting", did.endRequested("renew")))).toBe("discarded")
  })

  it("is recorded once: about a session that is over nothing is said", () => {
    const state = advance(given(...from("live.waiting")), ended(0))
    expect(outcome(decide(state, ended(0)))).toBe("unchanged")
  })

  it("puts a message in hand back as one in doubt, and gives up after the last attempt", () => {
    const facts = (attempt: number) =>
      outcome(
        decide(
          given(...from("live.delivering", ...again(attempt - 1), did.attempted("m1", attempt))),
          ended(1)
        )
      )
    expect(facts(1)).toMatchObject([
      { type: "DeliveryUnconfirmed", attempt: 1, final: false },
      { type: "SessionEnded" }
    ])
    expect(facts(3)).toMatchObject([
      { type: "DeliveryUnconfirmed", attempt: 3, final: true },
      { type: "SessionEnded" }
    ])
  })

  it("holds an on-demand presence at the third death in the window, until the first has left it", () => {
    let state = given(...from("asleep.neverRun"))
    for (const [index, now] of [10_000, 20_000, 30_000].entries()) {
      state = advance(state, { type: "WakePresence" }, { now })
      state = advance(state, probed({ sessionId: "S1" }), { now })
      state = advance(state, ended(7), { now })
      expect(state.name).toBe(index < 2 ? "asleep.gone" : "crashLoop")
    }
    expect(state.context.heldUntil).toBe(310_000)
    const refused = outcome(decide(state, { type: "WakePresence" }))
    expect(refused).toMatchObject({ _tag: "CrashLoop", heldUntil: 310_000 })
    expect((refused as { readonly deaths: ReadonlyArray<number> }).deaths).toHaveLength(3)
  })

  it("does not count deaths that have left the window", () => {
    let state = given(...from("asleep.neverRun"))
    for (const now of [0, 200_000, 300_001, 400_000]) {
      state = advance(state, { type: "WakePresence" }, { now })
      state = advance(state, probed({ sessionId: "S1" }), { now })
      state = advance(state, ended(7), { now })
    }
    expect(state.context.heldUntil).toBe(500_000)
  })

  it("never holds an always-on presence: it waits twice as long each time, a minute at most", () => {
    const peer = { restart: "always" } as const
    let state = advance(given(), { type: "DeclarePresence" }, { peer })
    const waits: Array<number> = []
    for (let n = 0; n < 8; n++) {
      state = advance(state, probed({ sessionId: "S1" }), { peer })
      state = advance(state, ended(7), { peer })
      expect(state.name).toBe("restarting")
      waits.push((state.context.restartAt ?? 0) - state.at)
      state = advance(state, { type: "WakePresence" }, { peer })
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  it("begins anew after a session that lived long enough", () => {
    const state = given(
      ...from("restarting"),
      did.restartDue,
      did.modeChosen("fresh", "S1", null),
      did.ready()
    )
    expect(only(decide(state, ended(0), { now: 60_000 }))).toMatchObject({ streak: 0, restartInMs: 1_000 })
    expect(only(decide(state, ended(0), { now: 59_999 }))).toMatchObject({ streak: 2, restartInMs: 2_000 })
  })

  it("fails all that wait with the third wake in a row that comes to nothing", () => {
    const failing = [did.wakeFailed("spawn"), did.restartDue, did.modeChosen()]
    const path = from("waking.booting", did.accepted("m1"), did.accepted("m2"))
    const report = { type: "ReportSpawnFailed", sessionId: "S1", reason: "spawn-error", detail: "" } as const
    expect(outcome(decide(given(...path, ...failing), report))).toMatchObject([{ type: "WakeFailed" }])
    expect(outcome(decide(given(...path, ...failing, ...failing), report))).toMatchObject([
      { type: "MessageFailed", messageId: "m1", reason: "wake-failed" },
      { type: "MessageFailed", messageId: "m2", reason: "wake-failed" },
      { type: "WakeFailed", phase: "spawn", death: true }
    ])
  })
})

describe("a message", () => {
  it("is accepted in every state but stopped, also by a presence that nobody declared", () => {
    const states = Object.keys(into).filter((state) => state !== "stopped" && state !== "ending")
    for (const state of states) {
      const peer = state === "restarting" ? ({ restart: "always" } as const) : {}
      expect(only(decide(given(...from(state)), send("m9"), { peer })), state).toMatchObject({
        type: "MessageAccepted",
        from: { personality: "a" },
        to: "process-b"
      })
    }
    expect(outcome(decide(given(), send()))).toMatchObject([
      { type: "PresenceDeclared" },
      { type: "MessageAccepted" }
    ])
  })

  const refusals: ReadonlyArray<
    readonly [reason: string, path: ReadonlyArray<Happening>, command: PresenceCommand, deciding?: object]
  > = [
    ["Stopped", from("stopped"), send()],
    ["Stopped", from("ending"), send()],
    ["UnknownSender", from("asleep.neverRun"), send("m1", "nobody")],
    ["Self", from("asleep.neverRun"), send("m1", "b")],
    ["UnknownPeer", from("asleep.neverRun"), send(), { peer: null }],
    ["UndeclaredRuntime", from("asleep.neverRun"), send(), { peer: { runtimes: ["claude"] } }],
    ["QueueFull", from("crashLoop", did.accepted("m2")), send(), { rules: { maxQueued: 1 } }]
  ]
  for (const [reason, path, command, deciding] of refusals) {
    it(`is refused with ${reason} when ${given(...path).name}`, () => {
      expect(outcome(decide(given(...path), command, deciding))).toMatchObject({ _tag: reason })
    })
  }

  it("is taken in hand one at a time, in order of acceptance", () => {
    const begin = { type: "BeginDelivery", sessionId: "S1" } as const
    const state = given(...from("live.delivering", did.accepted("m2")))
    const first = advance(state, begin)
    expect(first.context.inFlight).toMatchObject({ messageId: "m1", attempts: 1 })
    expect(outcome(decide(first, begin))).toBe("unchanged")
    expect(
      advance(advance(first, { type: "ConfirmDelivery", messageId: "m1", evidence: "ack" }), begin).context
        .inFlight
    ).toMatchObject({ messageId: "m2" })
  })

  it("is tried again under the same id, and given up as unconfirmed after three attempts", () => {
    let state = given(...from("live.delivering"))
    for (const attempt of [1, 2, 3]) {
      state = advance(state, { type: "BeginDelivery", sessionId: "S1" })
      expect(state.context.inFlight).toMatchObject({ messageId: "m1", attempts: attempt })
      state = advance(state, {
        type: "ReportNoEvidence",
        sessionId: "S1",
        messageId: "m1",
        attempt,
        waitedMs: 9
      })
    }
    expect(state.name).toBe("live.waiting")
    expect(state.context.settled).toMatchObject([{ messageId: "m1", outcome: "unconfirmed" }])
  })

  it("is confirmed by late evidence, once, and not by evidence for nothing", () => {
    const confirm = { type: "ConfirmDelivery", messageId: "m1", evidence: "ack" } as const
    const doubted = given(...from("live.delivering", did.attempted(), did.unconfirmed(true)))
    expect(only(decide(doubted, confirm))).toMatchObject({ type: "DeliveryConfirmed", late: true })
    expect(outcome(decide(advance(doubted, confirm), confirm))).toBe("unchanged")
    expect(outcome(decide(given(...from("live.delivering")), confirm))).toMatchObject({
      _tag: "UnknownMessage"
    })
  })
})

describe("a command", () => {
  const leads = (path: ReadonlyArray<Happening>, command: PresenceCommand, deciding: object = {}) => {
    const facts = outcome(decide(given(...path), command, deciding))
    return Array.isArray(facts)
      ? facts.map(({ type }) => type)
      : typeof facts === "string"
        ? facts
        : facts._tag
  }
  const cases: ReadonlyArray<
    readonly [type: PresenceCommand["type"], state: keyof typeof into, leadsTo: unknown, more?: object]
  > = [
    ["StopPresence", "stopped", "unchanged"],
    ["StopPresence", "ending", "unchanged"],
    ["StopPresence", "live.waiting", ["PresenceStopped"]],
    ["StopPresence", "undeclared", ["PresenceDeclared", "PresenceStopped"]],
    ["StartPresence", "stopped", ["PresenceStarted"]],
    ["StartPresence", "ending", ["PresenceStarted"]],
    ["StartPresence", "asleep.gone", "unchanged"],
    ["WakePresence", "asleep.gone", ["WakeRequested"]],
    ["WakePresence", "stopped", "Stopped"],
    ["WakePresence", "crashLoop", "CrashLoop"],
    ["WakePresence", "crashLoop", ["WakeRequested"], { override: true }],
    ["WakePresence", "live.waiting", "unchanged"],
    ["WakePresence", "waking.booting", "unchanged"],
    ["WakePresence", "asleep.gone", ["WakeRequested"], { intent: "resume" }],
    ["WakePresence", "asleep.neverRun", "NothingToResume", { intent: "resume" }],
    ["RenewPresence", "asleep.gone", ["WakeRequested"]],
    ["RenewPresence", "crashLoop", ["WakeRequested"]],
    ["RenewPresence", "stopped", ["PresenceStarted", "WakeRequested"]],
    ["RenewPresence", "live.delivering", ["SessionEndRequested"]],
    ["RenewPresence", "ending", ["PresenceStarted", "SessionEndRequested"]],
    ["RefreshPresence", "asleep.parked", ["FreshNextArmed"]],
    ["ResetCrashLoop", "crashLoop", ["CrashLoopCleared"]],
    ["ResetCrashLoop", "asleep.gone", "unchanged"],
    ["SelfFresh", "live.waiting", ["SessionEndRequested"], { sessionId: "S1" }],
    ["SelfFresh", "live.waiting", "NoSession", { sessionId: "S0" }],
    ["SelfFresh", "asleep.gone", "NoSession", { sessionId: "S1" }],
    ["EndSession", "live.examining", ["SessionEndRequested"], { sessionId: "S1", reason: "idle" }],
    ["EndSession", "live.waiting", "unchanged", { sessionId: "S1", reason: "idle" }],
    ["EndSession", "live.delivering", ["SessionEndRequested"], { sessionId: "S1", reason: "shutdown" }]
  ]
  for (const [type, state, leadsTo, more = {}] of cases) {
    it(`${type} ${JSON.stringify(more)} in ${state} leads to ${leadsTo}`, () => {
      expect(leads(from(state), { type, ...more } as PresenceCommand)).toEqual(leadsTo)
    })
  }

  it("refreshes nothing where the runtime cannot resume", () => {
    expect(
      leads(from("asleep.parked"), { type: "RefreshPresence" }, { rules: { canResume: () => false } })
    ).toBe("unchanged")
  })

  it("declares a presence once, and again when its policy changed", () => {
    const peer = { restart: "always" } as const
    expect(leads([], { type: "DeclarePresence" })).toEqual(["PresenceDeclared"])
    expect(leads(from("asleep.gone"), { type: "DeclarePresence" })).toBe("unchanged")
    expect(leads(from("asleep.gone"), { type: "DeclarePresence" }, { peer })).toEqual(["PresenceDeclared"])
  })

  it("retires what its peer no longer declares: at once at rest, else by ending its session", () => {
    const peer = null
    const retire = { type: "RetirePresence" } as const
    expect(leads(from("crashLoop", did.accepted()), retire, { peer })).toEqual([
      "MessageFailed",
      "PresenceRetired"
    ])
    expect(leads(from("live.waiting"), retire, { peer })).toEqual(["SessionEndRequested"])
    expect(leads(from("live.waiting"), retire)).toBe("unchanged")
    const ending = given(
      ...from("live.delivering", did.accepted("m2"), did.attempted(), did.endRequested("remove"))
    )
    expect(outcome(decide(ending, ended(0)))).toMatchObject([
      { type: "MessageFailed", messageId: "m1", reason: "removed" },
      { type: "MessageFailed", messageId: "m2", reason: "removed" },
      { type: "SessionEnded", reason: "remove", death: false }
    ])
  })
})

/** Attempts that led to nothing. */
function again(count: number): ReadonlyArray<Happening> {
  return Array.from({ length: count }, (_, n) => [did.attempted("m1", n + 1), did.unconfirmed()]).flat()
}
