import { describe, expect, it } from "@effect/vitest"
import type { PresenceContext } from "../../../src/actors/presence/PresenceContext.js"
import { did, given, type Happening, into, next } from "../../support/presences.js"

/** A row of the transition table: from a state, by an event, to a state, with this in the context. */
type Row = readonly [
  row: string,
  from: ReadonlyArray<Happening>,
  event: Happening,
  to: string,
  context?: Partial<PresenceContext>
]

const from = (state: keyof typeof into, ...more: ReadonlyArray<Happening>) => [
  ...(into[state] ?? []),
  ...more
]
const held = { death: true, heldUntil: 300_000 }
const always = [did.declared("always"), did.modeChosen("fresh", "S1", null), did.spawned(), did.ready()]

/** A session that takes a single message, with that in its queue. */
const once = (...more: ReadonlyArray<Happening>) => [
  did.declared("onDemand", "topic", "ephemeral"),
  did.accepted(),
  did.modeChosen("fresh", "S1", 600_000, 20_000),
  did.spawned(),
  did.ready(),
  ...more
]
const done = { reason: "ephemeral-done", disposition: "discarded" }

const rows: ReadonlyArray<Row> = [
  ["1", from("undeclared"), did.declared("always"), "waking.deciding"],
  ["1", from("undeclared"), did.declared(), "asleep.neverRun", { incarnation: 1 as never }],
  ["2", from("asleep.parked"), did.retired, "undeclared", { incarnation: null, memory: "neverRun" }],
  ["2", from("stopped"), did.retired, "undeclared"],
  ["2", from("restarting"), did.retired, "undeclared", { streak: 0 }],
  ["2", from("crashLoop"), did.retired, "undeclared", { deaths: [] }],
  ["2", from("waking.deciding"), did.retired, "undeclared"],
  ["3", from("asleep.neverRun"), did.accepted(), "waking.deciding"],
  ["3", from("asleep.parked"), did.declared("always"), "waking.deciding", { restart: "always" }],
  ["3", from("asleep.gone"), did.declared("onDemand", "never"), "asleep.gone", { resume: "never" }],
  ["4", from("asleep.gone"), did.wakeRequested({ topic: "t" }), "waking.deciding"],
  ["4", from("restarting"), did.wakeRequested(), "waking.deciding", { streak: 1 }],
  ["4", from("waking.deciding"), did.wakeRequested({ intent: "fresh" }), "waking.deciding"],
  [
    "4",
    from("crashLoop"),
    did.wakeRequested({ override: true }),
    "waking.deciding",
    { deaths: [], streak: 0 }
  ],
  ["5", from("asleep.parked"), did.stopped, "stopped", { memory: "parked" }],
  ["5", from("restarting"), did.stopped, "stopped"],
  ["5", from("crashLoop", did.accepted()), did.stopped, "stopped"],
  [
    "5",
    from("waking.deciding", did.wakeRequested({ trigger: "renew" })),
    did.stopped,
    "stopped",
    { eager: null }
  ],
  ["6", from("waking.deciding", did.accepted(), did.stopped), did.started, "waking.deciding"],
  ["6", from("stopped"), did.started, "asleep.neverRun", { stoppedAt: null }],
  ["6", from("asleep.parked", did.stopped), did.started, "asleep.parked"],
  ["6", from("asleep.gone", did.stopped), did.started, "asleep.gone"],
  ["7", from("waking.deciding"), did.modeChosen(), "waking.booting", { wake: null }],
  [
    "8",
    [did.declared("always")],
    did.wakeFailed("decide", { restartInMs: 60_000 }),
    "restarting",
    { restartAt: 60_000 }
  ],
  ["8", from("asleep.neverRun", did.accepted(), did.failed()), did.wakeFailed("decide"), "asleep.neverRun"],
  ["8", from("asleep.parked", did.wakeRequested()), did.wakeFailed("decide"), "asleep.parked"],
  ["8", from("asleep.gone", did.wakeRequested()), did.wakeFailed("decide"), "asleep.gone"],
  ["9", from("waking.booting"), did.spawned(), "waking.booting"],
  ["9", from("live.delivering"), did.attempted(), "live.delivering", { queue: [] }],
  ["10", from("waking.booting"), did.ready(), "live.waiting", { wakeFailures: 0 }],
  ["10", from("waking.booting", did.accepted()), did.ready(), "live.delivering"],
  ["11", from("waking.booting"), did.bootTimedOut, "ending"],
  ["12", from("waking.booting"), did.stopped, "ending", { stopRequested: true }],
  ["12", from("live.delivering"), did.stopped, "ending", { stopRequested: true }],
  ["12", from("live.examining"), did.endRequested("idle"), "ending", { stopRequested: false }],
  ["13", from("live.waiting"), did.accepted(), "live.delivering"],
  ["13", from("live.examining"), did.accepted(), "live.delivering"],
  ["13", from("live.delivering", did.attempted()), did.accepted("m2"), "live.delivering"],
  ["14", from("live.delivering", did.attempted()), did.confirmed(), "live.waiting", { inFlight: null }],
  [
    "14",
    from("live.delivering", did.accepted("m2"), did.attempted()),
    did.confirmed(),
    "live.delivering",
    { inFlight: null }
  ],
  ["14", from("live.delivering", did.attempted()), did.unconfirmed(true), "live.waiting", { inFlight: null }],
  ["14", from("live.delivering", did.attempted()), did.unconfirmed(), "live.delivering", { inFlight: null }],
  ["14", from("live.delivering"), did.failed(), "live.waiting", { queue: [] }],
  ["13", once(did.attempted(), did.confirmed()), did.accepted("m2"), "live.waiting"],
  ["13", once(did.attempted(), did.confirmed(), did.idleElapsed), did.accepted("m2"), "live.examining"],
  ["14", once(did.accepted("m2"), did.attempted()), did.confirmed(), "live.waiting"],
  ["14", once(did.accepted("m2"), did.attempted()), did.unconfirmed(true), "live.waiting"],
  ["14", once(did.attempted()), did.unconfirmed(), "live.delivering"],
  ["17e", once(did.attempted(), did.confirmed(), did.accepted("m2")), did.ended(done), "waking.deciding"],
  ["17h", once(did.attempted(), did.confirmed()), did.ended(done), "asleep.gone", { deaths: [] }],
  ["15", from("live.waiting"), did.idleElapsed, "live.examining"],
  ["15", from("restarting"), did.restartDue, "waking.deciding"],
  ["16", from("live.waiting"), did.active(5), "live.waiting"],
  ["16", from("live.examining"), did.active(5), "live.waiting"],
  ["16", from("live.delivering"), did.active(5), "live.delivering"],
  ["17a", from("live.waiting", did.endRequested("remove")), did.ended(), "undeclared", { incarnation: null }],
  [
    "17b",
    from("ending"),
    did.ended({ reason: "stop", disposition: "parked" }),
    "stopped",
    { memory: "parked" }
  ],
  ["17c", from("live.waiting", did.endRequested("renew")), did.ended(held), "waking.deciding"],
  ["17c", from("live.waiting", did.endRequested("self-fresh")), did.ended(), "waking.deciding"],
  ["17d", from("live.waiting"), did.ended(held), "crashLoop", { heldUntil: 300_000 }],
  ["17d", from("waking.booting"), did.wakeFailed("spawn", held), "crashLoop", { wakeFailures: 1 }],
  [
    "17e",
    from("live.examining", did.endRequested("idle"), did.accepted()),
    did.ended({ disposition: "parked" }),
    "waking.deciding",
    { memory: "parked" }
  ],
  ["17f", always, did.ended({ streak: 1 }), "restarting", { memory: "gone" }],
  ["17f", from("waking.booting", did.accepted()), did.wakeFailed("spawn"), "restarting"],
  ["17f", from("waking.booting", did.accepted(), did.bootTimedOut), did.ended({ death: true }), "restarting"],
  [
    "17g",
    from("live.examining", did.endRequested("idle")),
    did.ended({ disposition: "parked" }),
    "asleep.parked"
  ],
  [
    "17g",
    from("live.waiting", did.endRequested("shutdown"), did.accepted()),
    did.ended({ disposition: "parked" }),
    "asleep.parked"
  ],
  ["17h", from("live.waiting"), did.ended(), "asleep.gone", { memory: "gone", session: null }],
  ["17h", from("waking.booting"), did.wakeFailed("spawn"), "asleep.gone"],
  ["18", from("ending"), did.accepted(), "ending"],
  ["18", from("live.examining", did.endRequested("idle")), did.stopped, "ending", { stopRequested: true }],
  ["18", from("ending"), did.started, "ending", { stopRequested: false }],
  ["18", from("ending"), did.endRequested("remove"), "ending"],
  ["18", from("ending"), did.endRequested("renew"), "ending"],
  ["19", from("crashLoop", did.accepted()), did.cleared(), "waking.deciding"],
  ["19", from("crashLoop"), did.cleared(), "asleep.gone", { heldUntil: null }],
  ["19", from("crashLoop"), did.cleared("operator"), "asleep.gone", { deaths: [] }],
  ["20", from("restarting"), did.accepted(), "restarting"],
  ["20", from("crashLoop"), did.accepted(), "crashLoop"],
  ["20", from("waking.deciding"), did.accepted(), "waking.deciding"],
  ["20", from("waking.booting"), did.accepted(), "waking.booting"],
  ["21", from("stopped"), did.freshArmed, "stopped"],
  ["21", from("live.waiting"), did.declared("always"), "live.waiting", { restart: "always" }],
  ["21", from("restarting"), did.confirmed(), "restarting"],
  ["21", from("crashLoop", did.accepted()), did.failed(), "crashLoop", { queue: [] }],
  ["22", from("live.waiting"), did.attached, "live.waiting"],
  ["22", from("live.delivering"), did.interrupted, "live.delivering"],
  ["22", from("live.examining"), did.compacted, "live.examining"],
  ["22", from("live.delivering"), did.finished, "live.delivering"],
  ["22", from("live.examining"), did.finished, "live.waiting"]
]

/** Everything that can happen, with the variations that guards tell apart. */
const happenings: { readonly [name: string]: Happening } = {
  declared: did.declared(),
  retired: did.retired,
  stopped: did.stopped,
  started: did.started,
  wake: did.wakeRequested(),
  "wake!": did.wakeRequested({ override: true }),
  chosen: did.modeChosen("fresh", "S2"),
  "failed:decide": did.wakeFailed("decide"),
  "failed:spawn": did.wakeFailed("spawn"),
  spawned: did.spawned(),
  ready: did.ready(),
  bootTimedOut: did.bootTimedOut,
  idleElapsed: did.idleElapsed,
  active: did.active(9),
  attached: did.attached,
  interrupted: did.interrupted,
  compacted: did.compacted,
  finished: did.finished,
  "end:idle": did.endRequested("idle"),
  "end:remove": did.endRequested("remove"),
  ended: did.ended(),
  restartDue: did.restartDue,
  cleared: did.cleared(),
  freshArmed: did.freshArmed,
  accepted: did.accepted("m9"),
  attempted: did.attempted(),
  confirmed: did.confirmed("m0"),
  unconfirmed: did.unconfirmed(),
  "message failed": did.failed("m0")
}
const anywhere = "declared freshArmed confirmed message\u00a0failed"
const admitted: { readonly [state: string]: string } = {
  undeclared: "declared",
  "asleep.neverRun": "accepted wake wake! stopped retired",
  "asleep.parked": "accepted wake wake! stopped retired",
  "asleep.gone": "accepted wake wake! stopped retired",
  stopped: "started retired",
  "waking.deciding": "accepted wake wake! stopped retired chosen failed:decide",
  "waking.booting": "accepted spawned ready bootTimedOut stopped end:idle end:remove ended failed:spawn",
  "live.waiting":
    "attached interrupted compacted finished accepted idleElapsed active stopped end:idle end:remove ended",
  "live.delivering":
    "attached interrupted compacted finished accepted attempted active stopped end:idle end:remove ended",
  "live.examining":
    "attached interrupted compacted finished accepted active stopped end:idle end:remove ended",
  ending: "accepted stopped started end:remove ended",
  restarting: "accepted restartDue wake wake! stopped retired",
  crashLoop: "accepted cleared wake! stopped retired"
}

describe("presenceMachine", () => {
  for (const [row, path, event, to, context = {}] of rows) {
    it(`row ${row}: ${given(...path).name} --${event.type}--> ${to}`, () => {
      const state = next(given(...path), event)
      expect(state?.name).toBe(to)
      expect(state?.context).toMatchObject(context)
    })
  }

  for (const [state, path] of Object.entries(into)) {
    it(`refuses in ${state} whatever its rows do not name`, () => {
      const before = given(...path)
      expect(before.name).toBe(state)
      const accepted = Object.entries(happenings)
        .filter(([, event]) => next(before, event) !== undefined)
        .map(([name]) => name.replace(" ", "\u00a0"))
      const expected = `${admitted[state]} ${state === "undeclared" ? "" : anywhere}`
      expect(accepted.sort()).toEqual(expected.split(" ").filter(Boolean).sort())
    })
  }

  it("runs in each state exactly what its table says", () => {
    const running = Object.fromEntries(
      Object.entries(into).map(([state, path]) => [state, given(...path).invocations.map(({ src }) => src)])
    )
    expect(running).toEqual({
      undeclared: [],
      "asleep.neverRun": [],
      "asleep.parked": [],
      "asleep.gone": [],
      stopped: [],
      "waking.deciding": ["probe"],
      "waking.booting": ["bringUp"],
      "live.waiting": ["attend"],
      "live.delivering": ["attend", "drain"],
      "live.examining": ["attend", "examine"],
      ending: ["endSession"],
      restarting: [],
      crashLoop: []
    })
  })

  it("takes each message in hand by an invocation of its own, under one that attends all of them", () => {
    const first = given(...from("live.delivering", did.accepted("m2"), did.attempted()))
    const second = next(first, did.confirmed())
    const since = (state: typeof second, src: string) =>
      state?.invocations.find((each) => each.src === src)?.since
    expect(since(second, "drain")).toBe(second?.offset)
    expect(since(second, "attend")).toBe(since(first, "attend"))
  })

  it("leaves alone what runs while it boots, while messages come, and while the session does something", () => {
    const sinces = (state: ReturnType<typeof given>) =>
      state.invocations.map(({ src, since }) => `${src} ${since}`)
    const delivering = given(...from("live.delivering", did.attempted()))
    const busy = [did.accepted("m2"), did.active(9_000), did.attached, did.interrupted, did.finished]
    for (const [n, event] of busy.entries()) {
      const later = next(delivering, { ...event, at: 1_000 * (n + 1) })
      expect(later && sinces(later), event.type).toEqual(sinces(delivering))
    }
    const waiting = given(...from("live.waiting"))
    const noted = next(waiting, { ...did.active(9_000), at: 9_000 })
    expect(noted && sinces(noted)).toEqual(sinces(waiting))
    const booting = given(...from("waking.booting"))
    const spawned = next(booting, { ...did.spawned(), at: 500 })
    expect(spawned && sinces(spawned)).toEqual(sinces(booting))
  })

  it("gives a boot its time, from the choice on", () => {
    const state = given(did.declared(), did.wakeRequested(), { ...did.modeChosen(), at: 1_000 })
    expect(state.deadlines.map(({ id, dueAt }) => [id, dueAt])).toEqual([["boot", 31_000]])
    expect(next(state, did.ready())?.deadlines.map(({ id }) => id)).toEqual(["idle"])
  })

  it("counts idleness from the newest activity, not from its report", () => {
    const state = given(...from("live.waiting", { ...did.active(5_000), at: 9_000 }))
    expect(state.deadlines.map(({ dueAt }) => dueAt)).toEqual([3_605_000])
  })

  it("waits for one that is done with its message no longer than it takes to be sure of it", () => {
    const [unarmed] = given(...once(did.attempted(), did.confirmed())).deadlines
    expect(unarmed?.dueAt).toBe(600_000)
    const [quiet] = given(...once(did.attempted(), did.confirmed(), { ...did.finished, at: 5 })).deadlines
    expect(quiet?.dueAt).toBe(20_005)
  })

  it("never parks an always-on presence", () => {
    expect(given(...always).deadlines).toEqual([])
  })

  it("waits between two tries, and is held until its time", () => {
    const restarting = given(...always, { ...did.ended({ restartInMs: 4_000 }), at: 10_000 })
    expect(restarting.deadlines.map(({ id, dueAt }) => [id, dueAt])).toEqual([["restart", 14_000]])
    const crashed = given(...from("live.waiting"), { ...did.ended(held), at: 10_000 })
    expect(crashed.deadlines.map(({ id, dueAt }) => [id, dueAt])).toEqual([["hold", 300_000]])
  })

  it("keeps a promised fresh start until a fresh session was ready", () => {
    const promised = given(...from("live.waiting", did.endRequested("self-fresh"), did.ended()))
    const failed = given(
      ...from("live.waiting", did.endRequested("self-fresh"), did.ended()),
      did.modeChosen("fresh", "S2"),
      did.ended({ sessionId: "S2", ready: false, death: true })
    )
    expect(failed.name).toBe("restarting")
    expect(failed.context.eager).toEqual(promised.context.eager)
    const kept = next(
      next(next(failed, did.restartDue) ?? failed, did.modeChosen("fresh", "S3")) ?? failed,
      did.ready("S3")
    )
    expect(kept?.context.eager).toBeNull()
  })

  it("forgets everything of an earlier registration", () => {
    const removed = given(...from("crashLoop", did.accepted("m1", "t"), did.retired))
    expect(given().context).toEqual(removed.context)
  })

  it("keeps the lineage through a resumed session and begins another with a fresh one", () => {
    const parked = [
      ...from("live.waiting", did.accepted("m1", "t"), did.attempted("m1", 1, "t"), did.confirmed()),
      did.idleElapsed,
      did.endRequested("idle"),
      did.ended({ reason: "idle", disposition: "parked" }),
      did.wakeRequested()
    ]
    const topics = (state: ReturnType<typeof given>) => state.context.lineage.topics.map(({ topic }) => topic)
    expect(topics(given(...parked, did.modeChosen("resume", "S2")))).toEqual(["t"])
    expect(topics(given(...parked, did.modeChosen("fresh", "S2")))).toEqual([])
  })
})
