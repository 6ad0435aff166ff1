import { describe, expect, it } from "@effect/vitest"
import type { DecideContext } from "../../../src/actors/ActorKind.js"
import { decideSense, type SenseState } from "../../../src/actors/sense/decideSense.js"
import type { SenseCommand } from "../../../src/actors/sense/SenseCommand.js"
import type { SenseEvent } from "../../../src/actors/sense/SenseEvent.js"
import { senseHistory } from "../../../src/actors/sense/senseKind.js"
import { makeStreamId, type Offset, type Version } from "../../../src/events/Event.js"
import { settings } from "../../support/senses.js"

/** An event at a second. */
type At = readonly [second: number, event: SenseEvent]

const stream = makeStreamId("sense", "a")
const token = (offset: number) => offset as Offset
const { fold } = senseHistory

/** The state that these events lead to: the nth has offset n. */
const given = (...events: ReadonlyArray<At>): SenseState => {
  let state = fold.initial(stream)
  for (const [index, [second, { type, ...data }]] of events.entries()) {
    const next = fold.apply(state, {
      stream,
      version: (index + 1) as Version,
      offset: (index + 1) as Offset,
      at: second * 1_000,
      type,
      by: "test",
      causation: null,
      correlation: null,
      data
    })
    if (!next) throw new Error(`${type} is not accepted in ${state.name}`)
    state = next
  }
  return state as SenseState
}

const accepts = (state: SenseState, event: SenseEvent): boolean => {
  const { type, ...data } = event
  const at = { offset: 99 as Offset, at: 99_000, version: 99 as Version }
  const origin = { stream, by: "test", causation: null, correlation: null }
  return fold.apply(state, { ...at, ...origin, type, data }) !== undefined
}

/** What a command leads to at a second: event types, or the refusal. */
const when = (state: SenseState, second: number, command: SenseCommand): unknown => {
  const context: DecideContext = { now: second * 1_000, by: "me", floorAt: 0, read: () => state }
  const rules = { hasWorkflow: (name: string) => name === "cleanup" }
  const decision = decideSense(state, command, { ...context, rules })
  return decision._tag === "Accept"
    ? decision.events
    : decision._tag === "Refuse"
      ? decision.reason
      : decision._tag
}
const types = (decided: unknown): unknown =>
  Array.isArray(decided) ? decided.map(({ type }: { type: string }) => type) : decided

const registered: At = [0, { type: "SenseRegistered", ...settings() }]
const loaded: At = [
  0,
  { type: "SenseLoaded", workerId: "w", pid: 1, pidStartedAt: null, hash: "h", migrations: [] }
]
const cause = { kind: "manual", at: 1_000, by: "me" } as const
const triggered = (second: number, depth = 0): At => [
  second,
  { type: "SenseTriggered", cause: { ...cause, at: second * 1_000 }, depth, dueAt: second * 1_000 }
]
const started = (second: number): At => [
  second,
  { type: "SenseComputeStarted", causes: [cause], depth: 0, workerId: "w" }
]
const lost = (second: number, blamed = true): At => [
  second,
  {
    type: "SenseWorkerLost",
    workerId: "w",
    code: 1,
    signal: null,
    reason: "exit",
    blamed,
    stderrTail: ""
  }
]
const loss = {
  type: "RecordSenseLoss",
  workerId: "w",
  code: 1,
  signal: null,
  reason: "exit",
  blamed: true,
  stderrTail: ""
} as const
const trigger: SenseCommand = { type: "TriggerSense", cause: { kind: "manual" }, depth: 0 }
const computing = [registered, loaded, triggered(1), started(1)] as const
const timedOut: At = [4, { type: "SenseComputeTimedOut", token: token(4), failures: 1 }]
const result = (answer: Extract<SenseCommand, { type: "RecordComputeResult" }>["answer"]): SenseCommand => ({
  type: "RecordComputeResult",
  token: token(4),
  answer,
  durationMs: 5
})

describe("a sense that is absent", () => {
  it("knows no command but its registration", () => {
    expect(when(given(), 1, trigger)).toEqual({ _tag: "UnknownSense", name: "a" })
    expect(when(given(), 1, { type: "RemoveSense" })).toBe("Unchanged")
    expect(types(when(given(), 1, { type: "RegisterSense", ...settings() }))).toEqual(["SenseRegistered"])
  })

  it("keeps its state, its ticks and the count of its signals over a removal", () => {
    const state = given(
      ...computing,
      [
        2,
        { type: "SenseComputeCompleted", token: token(4), outcome: "signal", state: { n: 1 }, durationMs: 1 }
      ],
      [2, { type: "SignalEmitted", payload: 1, depth: 0, sequence: 1 }],
      [3, { type: "SenseRemoved" }],
      [4, { type: "SenseRegistered", ...settings({ throttleMs: 5 }) }]
    )
    expect(state.context).toMatchObject({
      state: { n: 1 },
      signals: 1,
      lastSignal: 6,
      causes: [],
      lastStart: null
    })
    expect(state.name).toBe("active.schedule.idle,active.module.loading,active.circuit.closed")
  })
})

describe("a trigger", () => {
  it("starts a compute in the same batch when it is due and the code is loaded", () => {
    expect(when(given(registered, loaded), 1, trigger)).toEqual([
      { type: "SenseTriggered", cause, depth: 0, dueAt: 1_000 },
      { type: "SenseComputeStarted", causes: [cause], depth: 0, workerId: "w" }
    ])
  })

  it("waits for the code", () => {
    expect(types(when(given(registered), 1, trigger))).toEqual(["SenseTriggered"])
    expect(when(given(registered, triggered(1)), 2, { type: "StartCompute" })).toBe("Unchanged")
    const ready = given(registered, triggered(1), loaded)
    expect(types(when(ready, 2, { type: "StartCompute" }))).toEqual(["SenseComputeStarted"])
  })

  it("joins the one that waits, whose time stands", () => {
    const state = given(registered, triggered(1), triggered(2))
    expect(state.context).toMatchObject({ dueAt: 1_000, causes: [{ depth: 0 }, { depth: 0 }] })
  })

  it("makes another compute necessary while one runs", () => {
    const state = given(...computing, triggered(2))
    expect(state.context).toMatchObject({ dirty: [{ cause: { at: 2_000 } }], running: [{ depth: 0 }] })
    const after = given(...computing, triggered(2), [
      3,
      { type: "SenseComputeCompleted", token: token(4), outcome: "silent", durationMs: 1 }
    ])
    expect(after.name).toContain("schedule.deferred")
    expect(after.context).toMatchObject({ causes: [{ cause: { at: 2_000 } }], dirty: [], dueAt: 3_000 })
  })

  it("of a tick that joins others appends nothing", () => {
    const tick: SenseCommand = {
      type: "TriggerSense",
      cause: { kind: "interval", at: 2_000, everyMs: 5 },
      depth: 0
    }
    expect(when(given(registered, triggered(1)), 2, tick)).toBe("Unchanged")
    expect(when(given(...computing, triggered(2)), 2, tick)).toBe("Unchanged")
    expect(types(when(given(...computing), 2, tick))).toEqual(["SenseTriggered"])
  })

  it("is refused beyond depth 8, and where the sense cannot compute", () => {
    const deep: SenseCommand = { ...trigger, depth: 9 } as SenseCommand
    expect(when(given(registered), 1, deep)).toEqual({ _tag: "CausalDepth", depth: 9 })
    expect(types(when(given(registered), 1, { ...trigger, depth: 8 } as SenseCommand))).toEqual([
      "SenseTriggered"
    ])
    const broken = given(registered, [1, { type: "SenseLoadFailed", error: "SyntaxError: x" }])
    expect(when(broken, 2, trigger)).toEqual({ _tag: "SenseBroken", name: "a", error: "SyntaxError: x" })
    const open = given(registered, [1, { type: "SenseCircuitOpened", losses: 5 }])
    expect(when(open, 2, trigger)).toEqual({ _tag: "CircuitOpen", name: "a", until: 301_000 })
  })

  it("carries the greatest depth of its causes to what follows", () => {
    const state = given(registered, loaded, triggered(1, 2), triggered(1, 5), started(1))
    const command = { ...result({ outcome: "signal", payload: 1 }), token: token(5) } as SenseCommand
    expect(when(state, 2, command)).toMatchObject([{}, { type: "SignalEmitted", depth: 5 }])
    const launch = { outcome: "launch", workflow: "cleanup", maxRounds: 3, prompt: "go" } as const
    expect(when(state, 2, { ...command, answer: launch } as SenseCommand)).toMatchObject([
      { outcome: "launch" },
      { type: "SenseLaunched", depth: 6 }
    ])
  })
})

describe("a compute's result", () => {
  const state = given(...computing)

  it("is recorded with its state and what follows, in one batch", () => {
    const command = {
      ...result({ outcome: "signal", payload: { n: 1 } }),
      state: { last: 1 }
    } as SenseCommand
    expect(when(state, 2, command)).toEqual([
      { type: "SenseComputeCompleted", token: 4, outcome: "signal", durationMs: 5, state: { last: 1 } },
      { type: "SignalEmitted", payload: { n: 1 }, depth: 0, sequence: 1 }
    ])
    expect(types(when(state, 2, result({ outcome: "silent" })))).toEqual(["SenseComputeCompleted"])
  })

  it("with a directive that is no good is a signal and a rejection", () => {
    const rejected = { text: "x", reason: "bad_form" }
    expect(types(when(state, 2, result({ outcome: "signal", payload: {}, rejected })))).toEqual([
      "SenseComputeCompleted",
      "SignalEmitted",
      "SenseDirectiveRejected"
    ])
  })

  it("for a workflow that is not listed is neither signal nor run", () => {
    const launch = { outcome: "launch", workflow: "other", maxRounds: 3, prompt: "go" } as const
    expect(when(state, 2, result(launch))).toMatchObject([
      { type: "SenseComputeCompleted", outcome: "rejected" },
      { type: "SenseDirectiveRejected", text: "other|3|go", reason: "unknown_workflow" }
    ])
  })

  it("of another start, or that comes too late, is refused", () => {
    const stale = { ...result({ outcome: "silent" }), token: token(3) } as SenseCommand
    expect(when(state, 2, stale)).toMatchObject({ _tag: "StaleToken", given: 3, current: 4 })
    const late = given(...computing, timedOut)
    expect(when(late, 5, result({ outcome: "silent" }))).toMatchObject({ _tag: "StaleToken" })
  })

  it("that fails counts in a row, and one that completes ends the row", () => {
    const failed: At = [
      2,
      { type: "SenseComputeFailed", token: token(4), error: "x", durationMs: 1, failures: 1 }
    ]
    const again = given(...computing, failed, triggered(3), started(3))
    const error: SenseCommand = { type: "RecordComputeError", token: token(7), error: "y", durationMs: 1 }
    expect(when(again, 4, error)).toMatchObject([{ type: "SenseComputeFailed", failures: 2 }])
    const done: At = [4, { type: "SenseComputeCompleted", token: token(7), outcome: "silent", durationMs: 1 }]
    expect(given(...computing, failed, triggered(3), started(3), done).context.failures).toBe(0)
  })
})

describe("what a restart or a loss interrupts", () => {
  it("is computed again, with all its causes, once the sense is armed", () => {
    const state = given(...computing, triggered(2), [9, { type: "SenseArmed", graceMs: 0 }])
    expect(state.name).toBe("active.schedule.deferred,active.module.loading,active.circuit.closed")
    expect(state.context).toMatchObject({ running: [], dirty: [], dueAt: 9_000, workerId: null })
    expect(state.context.causes).toHaveLength(2)
    const inGrace = given(...computing, [9, { type: "SenseArmed", graceMs: 5_000 }])
    expect(inGrace.name).toContain("schedule.grace")
    expect(inGrace.deadlines).toMatchObject([{ id: "grace", dueAt: 14_000 }])
  })

  it("is computed again when its worker was lost", () => {
    const state = given(...computing, triggered(2), lost(3))
    expect(state.name).toContain("schedule.deferred,active.module.loading")
    expect(state.context.causes).toHaveLength(2)
  })

  it("is not computed again when its time was over already", () => {
    const state = given(...computing, timedOut, lost(5))
    expect(state.name).toContain("schedule.idle,active.module.loading")
    const dirty = given(...computing, triggered(2), timedOut, lost(5))
    expect(dirty.context.causes).toMatchObject([{ cause: { at: 2_000 } }])
  })

  it("starts nothing in a process that is about to be killed", () => {
    const abandoned: At = [9, { type: "SenseComputeAbandoned", token: token(4) }]
    const state = given(...computing, triggered(2), timedOut, abandoned)
    expect(state.name).toContain("schedule.deferred,active.module.loaded")
    expect(when(state, 10, { type: "StartCompute" })).toBe("Unchanged")
    expect(accepts(state, started(10)[1])).toBe(false)
  })
})

describe("the circuit", () => {
  const losses = (...seconds: ReadonlyArray<number>) => given(registered, ...seconds.map((at) => lost(at)))

  it("opens at the fifth blamed loss within sixty seconds, both ends included", () => {
    expect(types(when(losses(0, 1, 2, 3), 60, loss))).toEqual(["SenseWorkerLost", "SenseCircuitOpened"])
    expect(types(when(losses(0, 1, 2, 3), 61, loss))).toEqual(["SenseWorkerLost"])
  })

  it("does not count what others are blamed for", () => {
    const spared = given(registered, ...[0, 1, 2, 3].map((at) => lost(at, false)))
    expect(types(when(spared, 4, loss))).toEqual(["SenseWorkerLost"])
    expect(types(when(losses(0, 1, 2, 3), 4, { ...loss, blamed: false }))).toEqual(["SenseWorkerLost"])
  })

  const opened: At = [10, { type: "SenseCircuitOpened", losses: 5 }]
  const half: At = [310, { type: "SenseCircuitHalfOpened" }]

  it("leaves the sense out of its group while it is open, for five minutes", () => {
    const open = given(registered, opened)
    expect(open.deadlines).toMatchObject([{ id: "circuit", dueAt: 310_000 }])
    expect(open.invocations.find(({ id }) => id === "groupMember")?.input).toMatchObject({ isLeftOut: true })
    const again = given(registered, opened, half).invocations.find(({ id }) => id === "groupMember")
    expect(again).toMatchObject({ since: 3, input: { isLeftOut: false } })
  })

  it("half-open is opened by one loss and closed by one completed compute", () => {
    const probing = [registered, opened, half, [311, loaded[1]] as At] as const
    expect(types(when(given(...probing), 312, loss))).toEqual(["SenseWorkerLost", "SenseCircuitOpened"])
    const runs = given(...probing, triggered(312), started(312))
    const done = { ...result({ outcome: "silent" }), token: token(6) } as SenseCommand
    expect(when(runs, 313, done)).toMatchObject([{}, { type: "SenseCircuitClosed", by: "compute" }])
  })

  it("is closed by a reset and by mended code", () => {
    expect(when(given(registered, opened), 20, { type: "ResetSense" })).toMatchObject([
      { type: "SenseCircuitClosed", by: "operator" }
    ])
    expect(types(when(given(registered, opened), 20, { type: "MendSense" }))).toEqual([
      "SenseReloading",
      "SenseCircuitClosed"
    ])
    expect(when(given(registered, loaded), 20, { type: "ResetSense" })).toBe("Unchanged")
  })
})

describe("reconfiguring", () => {
  it("plans a waiting compute anew, and moves to another group", () => {
    const waiting = [
      registered,
      loaded,
      triggered(1),
      started(1),
      [2, { type: "SenseComputeCompleted", token: token(4), outcome: "silent", durationMs: 1 }] as At,
      [3, { type: "SenseTriggered", cause, depth: 0, dueAt: 3_000 }] as At
    ] as const
    const slower = given(...waiting, [4, { type: "SenseReconfigured", ...settings({ throttleMs: 60_000 }) }])
    expect(slower.context.dueAt).toBe(61_000)
    expect(slower.invocations.find(({ id }) => id === "awaitStart")).toMatchObject({
      since: 7,
      input: { dueAt: 61_000 }
    })
    expect(slower.name).toContain("module.loaded")
    const moved = given(...waiting, [4, { type: "SenseReconfigured", ...settings({ group: "other" }) }])
    expect(moved.name).toContain("schedule.deferred,active.module.loading")
    expect(moved.invocations.find(({ id }) => id === "groupMember")).toMatchObject({ since: 7 })
  })

  it("to the same settings appends nothing", () => {
    expect(when(given(registered), 1, { type: "RegisterSense", ...settings() })).toBe("Unchanged")
  })

  it("does not take code away from a compute that runs", () => {
    expect(when(given(...computing), 2, { type: "ReloadSense", reason: "sibling" })).toMatchObject({
      _tag: "IllegalInState"
    })
  })
})
