import { describe, expect, it } from "@effect/vitest"
import type { WorkflowCommand } from "../../../src/actors/workflow/WorkflowCommand.js"
import type { WorkflowSettings } from "../../../src/actors/workflow/WorkflowEvent.js"
import type { WorkflowContext } from "../../../src/actors/workflow/workflowMachine.js"
import { given as givenOf, type Past, type Result } from "../../support/given.js"
import { makeKinds, registered, settings, workerLost, workerReady } from "../../support/runKinds.js"

const kinds = makeKinds()
const given = (past: ReadonlyArray<object>) =>
  givenOf(kinds.workflowKind, "tidy", past as ReadonlyArray<Past>)
const contextOf = ({ after }: Result) => after.context as WorkflowContext
const request = (runId: string, changes: object = {}): WorkflowCommand => ({
  type: "RequestRun",
  runId,
  prompt: "tidy up",
  origin: { kind: "cli" },
  ...changes
})
const admitted = (...runs: ReadonlyArray<string>) => runs.map((runId) => ({ type: "RunAdmitted", runId }))
const enqueued = (...runs: ReadonlyArray<string>) =>
  runs.map((runId) => ({ type: "RunEnqueued", runId, atHead: false }))
const released = (runId: string, status = "completed"): WorkflowCommand => ({
  type: "ReleaseRun",
  runId,
  status
})
const fates = ({ admitted }: Result) => admitted.map(({ type }) => type)
const queue = { overflow: "queue", maxQueue: 3 } as const
const regions = ({ state }: { state: string }) => state.replaceAll("active.", "")
const drain = (reason = "hot_reload") => ({
  type: "WorkflowDrainStarted",
  reason,
  deadlineAt: 30_000,
  hash: "h2"
})
const opened = { type: "WorkflowCircuitOpened", cause: "losses" }

/** A workflow and what becomes of the runs that are requested and released, in order. */
const story = (changes: Partial<WorkflowSettings>, ...commands: ReadonlyArray<WorkflowCommand>) => {
  const past: Array<object> = [registered(changes)]
  const results = commands.map((command) => {
    const result = given(past).when(command)
    past.push(...result.events)
    return result
  })
  return { results, past }
}

describe("admission", () => {
  it("makes a run of a request in one batch, with the workflow's defaults", () => {
    const { events, admitted } = given([registered({ maxRounds: 7 })]).when(
      request("r1", { evidence: { pct: 88 }, depth: 2 })
    )
    expect(events).toEqual([{ type: "RunAdmitted", runId: "r1" }])
    expect(admitted).toEqual([
      {
        type: "RunRequested",
        workflow: "tidy",
        prompt: "tidy up",
        maxRounds: 7,
        dryRun: false,
        evidence: { pct: 88 },
        depth: 2,
        origin: { kind: "cli" }
      },
      { type: "RunStarted", timeoutMs: settings.timeoutMs }
    ])
  })

  it("drops what is over the limit, each with an id and a reason", () => {
    const { results } = story({}, request("r1"), request("r2"), request("r3"))
    expect(results.map(fates)).toEqual([
      ["RunRequested", "RunStarted"],
      ["RunRequested", "RunDropped"],
      ["RunRequested", "RunDropped"]
    ])
    expect(results[1]?.events).toEqual([{ type: "RunTurnedAway", runId: "r2", reason: "overflow" }])
  })

  it("queues, and lets the oldest make room: r1 runs, r2 and r3 are evicted by r5 and r6", () => {
    const names = ["r1", "r2", "r3", "r4", "r5", "r6"]
    const { results, past } = story(queue, ...names.map((name) => request(name)))
    expect(results.map(fates).flatMap((types) => types.slice(1))).toEqual([
      "RunStarted",
      ...Array.from({ length: 5 }, () => "RunQueued")
    ])
    expect(results.flatMap(({ events }) => events.filter(({ type }) => type === "RunEvicted"))).toEqual([
      { type: "RunEvicted", runId: "r2", by: "r5" },
      { type: "RunEvicted", runId: "r3", by: "r6" }
    ])
    const started = ["r1", "r4", "r5"].map((ending) => {
      const { events } = given(past).when(released(ending))
      past.push(...events)
      return events.at(-1)
    })
    expect(started).toEqual(["r4", "r5", "r6"].map((runId) => ({ type: "RunDequeued", runId })))
  })

  it("frees a slot once, and gives back a place in the queue", () => {
    const past = [registered(queue), ...admitted("r1"), ...enqueued("r2", "r3")]
    expect(given(past).when(released("r3", "killed")).events).toEqual([
      { type: "RunWithdrawn", runId: "r3", reason: "ended" }
    ])
    const freed = [...past, { type: "SlotFreed", runId: "r1", status: "completed" }]
    expect(given(freed).when(released("r1")).events).toEqual([])
  })

  it("puts a run that is resumed at the head of the queue, or starts it", () => {
    const waiting = [registered(queue), ...admitted("r1"), ...enqueued("r2")]
    const queued = given(waiting).when({ type: "AdmitRun", runId: "r0" })
    expect(contextOf(queued).queue).toEqual(["r0", "r2"])
    expect(given([registered()]).when({ type: "AdmitRun", runId: "r0" }).events).toEqual([
      { type: "RunEnqueued", runId: "r0", atHead: true },
      { type: "RunDequeued", runId: "r0" }
    ])
  })

  it("lets as many begin as a raised limit has room for, and stops none for a lowered one", () => {
    const past = [registered({ ...queue }), ...admitted("r1"), ...enqueued("r2", "r3", "r4")]
    const raised = given(past).when({
      type: "RegisterWorkflow",
      settings: { ...settings, ...queue, concurrency: 3 }
    })
    expect(raised.events.map(({ type }) => type)).toEqual([
      "WorkflowReconfigured",
      "RunDequeued",
      "RunDequeued"
    ])
    const lowered = given([...past, ...raised.events]).when({
      type: "RegisterWorkflow",
      settings: { ...settings, ...queue }
    })
    expect(contextOf(lowered).active).toEqual(["r1", "r2", "r3"])
  })

  it("says nothing when the configuration is what it was", () => {
    expect(given([registered()]).when({ type: "RegisterWorkflow", settings }).events).toEqual([])
  })

  it("starts nothing that is not in the configuration", () => {
    expect(given([]).when(request("r1")).refused).toEqual({ _tag: "UnknownWorkflow", workflow: "tidy" })
  })

  it("stops a chain of causes at depth 8", () => {
    expect(given([registered()]).when(request("r1", { depth: 8 })).refused).toBeUndefined()
    expect(given([registered()]).when(request("r1", { depth: 9 })).refused).toEqual({
      _tag: "CausalDepth",
      depth: 9,
      limit: 8
    })
  })
})

describe("the worker", () => {
  it("is started for the first run, and kept while there is one", () => {
    const first = given([registered()]).when(request("r1"))
    expect(regions(first)).toBe("admission.open,worker.up.starting,circuit.closed")
    expect(first.after.invocations.map(({ src }) => src)).toEqual(["worker"])
    const { state, deadline } = given([registered(), ...admitted("r1"), workerReady()])
    expect([regions({ state: state.name }), deadline("idle")]).toEqual([
      "admission.open,worker.up.ready,circuit.closed",
      undefined
    ])
  })

  it("is ended half a minute after the last run, unless another comes", () => {
    const idle = [
      registered(),
      ...admitted("r1"),
      workerReady(),
      { type: "SlotFreed", runId: "r1", status: "completed", at: 1_000 }
    ]
    expect(given(idle).deadline("idle")?.dueAt).toBe(31_000)
    expect(regions(given(idle).whenDue("idle"))).toContain("worker.absent")
    expect(given([...idle, ...admitted("r2")]).deadline("idle")).toBeUndefined()
  })

  it("is waited for longer after each loss within a minute", () => {
    const delays = [1, 2, 3, 4].map((losses) => {
      const past = Array.from({ length: losses }, (_, n) => [
        ...(n > 0 ? [{ type: "WorkflowWorkerRetried" }] : []),
        workerLost(1_000)
      ]).flat()
      return (given([registered(), ...admitted("r1"), ...past]).deadline("backOff")?.dueAt ?? 0) - 1_000
    })
    expect(delays).toEqual([500, 1_000, 2_000, 4_000])
  })

  it("is started again after its back-off if there is a run for it", () => {
    expect(regions(given([registered(), ...admitted("r1"), workerLost(0)]).whenDue("backOff"))).toContain(
      "worker.up.starting"
    )
    const alone = [
      registered(),
      ...admitted("r1"),
      workerLost(0),
      { type: "SlotFreed", runId: "r1", status: "killed" }
    ]
    expect(regions(given(alone).whenDue("backOff"))).toContain("worker.absent")
  })

  it("is started anew at once, uncounted, when the hub ended it or was lost itself", () => {
    for (const reason of ["killed", "hub_lost"]) {
      const { state } = given([registered(), ...admitted("r1"), workerReady(), workerLost(0, reason)])
      expect(state.name).toContain("worker.up.starting")
      expect((state.context as WorkflowContext).losses).toEqual([])
    }
    expect(
      given([
        registered(),
        ...admitted("r1"),
        { type: "SlotFreed", runId: "r1", status: "x" },
        workerLost(0, "hub_lost")
      ]).state.name
    ).toContain("worker.absent")
  })

  it("has nothing to lose when there was none", () => {
    const loss = {
      type: "RecordWorkerLoss",
      workerId: null,
      code: null,
      signal: null,
      reason: "hub_lost",
      runs: [],
      stderrTail: ""
    } as const
    expect(given([registered()]).when(loss)).toMatchObject({ events: [], refused: undefined })
  })
})

describe("the circuit", () => {
  const loss = {
    type: "RecordWorkerLoss",
    workerId: "w-1",
    code: 1,
    signal: null,
    reason: "exit",
    runs: ["r1"],
    stderrTail: ""
  } as const
  const lossesAt = (...times: ReadonlyArray<number>) =>
    times.flatMap((at) => [workerLost(at), { type: "WorkflowWorkerRetried" }])

  it("opens at the fifth loss within a minute, the minute included", () => {
    const past = [registered(), ...admitted("r1"), ...lossesAt(0, 10, 20, 30)]
    expect(
      given(past)
        .when(loss, { at: 60_000 })
        .events.map(({ type }) => type)
    ).toEqual(["WorkflowWorkerLost", "WorkflowCircuitOpened"])
    expect(
      given(past)
        .when(loss, { at: 60_001 })
        .events.map(({ type }) => type)
    ).toEqual(["WorkflowWorkerLost"])
  })

  it("opens when the module does not load", () => {
    const { events, state } = given([registered(), ...admitted("r1")]).when({
      type: "RecordLoadFailure",
      error: { message: "no such file" }
    })
    expect(events.at(-1)).toEqual({ type: "WorkflowCircuitOpened", cause: "load_failed" })
    expect(regions({ state })).toBe("admission.open,worker.absent,circuit.open")
  })

  const open = [
    registered(queue),
    ...admitted("r1"),
    workerLost(0),
    opened,
    { type: "SlotFreed", runId: "r1", status: "crashed" }
  ]

  it("admits nothing while it is open: it queues or drops", () => {
    expect(fates(given(open).when(request("r2")))).toEqual(["RunRequested", "RunQueued"])
    const dropping = given([registered(), ...open.slice(1)]).when(request("r2"))
    expect(dropping.admitted.at(-1)).toEqual({ type: "RunDropped", reason: "circuit_open" })
  })

  it("lets one run try after five minutes; the next one waits for how that ends", () => {
    const trial = given([...open, ...enqueued("r2", "r3")]).whenDue("halfOpen")
    expect(trial.events).toEqual([
      { type: "WorkflowCircuitHalfOpened" },
      { type: "RunDequeued", runId: "r2" }
    ])
    const past = [...open, ...enqueued("r2", "r3"), ...trial.events]
    expect(given(past).when(released("r2", "failed")).events).toEqual([
      { type: "SlotFreed", runId: "r2", status: "failed" },
      { type: "WorkflowCircuitClosed", by: "run" },
      { type: "RunDequeued", runId: "r3" }
    ])
    expect(
      given([...past, { type: "WorkflowWorkerRetried" }])
        .when(loss)
        .events.at(-1)?.type
    ).toBe("WorkflowCircuitOpened")
  })

  it("keeps a request of a workflow without a queue waiting while one run tries", () => {
    const { results } = story({ concurrency: 2 })
    expect(results).toEqual([])
    const half = [
      registered({ concurrency: 2 }),
      ...admitted("r1"),
      opened,
      { type: "WorkflowCircuitHalfOpened" }
    ]
    expect(fates(given(half).when(request("r2")))).toEqual(["RunRequested", "RunQueued"])
  })

  it("is closed by an operator, and lets the queue go on", () => {
    expect(given([...open, ...enqueued("r2")]).when({ type: "ResetWorkflow" }).events).toEqual([
      { type: "WorkflowCircuitClosed", by: "operator" },
      { type: "RunDequeued", runId: "r2" }
    ])
    expect(given([registered()]).when({ type: "ResetWorkflow" }).events).toEqual([])
  })
})

describe("a drain", () => {
  it("admits nothing until it ends, then what waited; a workflow without a queue lets its requests wait too", () => {
    const draining = [registered(), { ...drain(), at: 0 }]
    const waiting = given(draining).when(request("r1"))
    expect(fates(waiting)).toEqual(["RunRequested", "RunQueued"])
    const { events, state } = given([...draining, ...waiting.events]).when({ type: "EndDrain" })
    expect(events).toEqual([
      { type: "WorkflowDrainEnded", reason: "hot_reload", timedOut: false, open: [], fate: "interrupt" },
      { type: "RunDequeued", runId: "r1" }
    ])
    expect(regions({ state })).toBe("admission.open,worker.up.starting,circuit.closed")
  })

  it("starts another worker for the runs that go on, under another invocation", () => {
    const past = [registered(), ...admitted("r1"), workerReady(), drain()]
    const before = given(past).state.invocations.find(({ src }) => src === "worker")
    const { after } = given(past).when({ type: "EndDrain" })
    const now = after.invocations.find(({ src }) => src === "worker")
    expect(after.name).toContain("worker.up.starting")
    expect(now?.since).toBeGreaterThan(before?.since ?? 0)
  })

  it("names at its deadline the runs that were still at work, and says what becomes of them", () => {
    const { workflowKind, runs } = makeKinds()
    runs.seed([
      { id: "r1", workflow: "tidy", state: "running.attempting" },
      { id: "r2", workflow: "tidy", state: "running.offered" }
    ])
    const past = [
      registered({ concurrency: 2, onReload: "resume" }),
      ...admitted("r1", "r2"),
      workerReady(),
      drain()
    ]
    const { events } = givenOf(workflowKind, "tidy", past as ReadonlyArray<Past>).whenDue("drainTimeout")
    expect(events).toEqual([
      { type: "WorkflowDrainEnded", reason: "hot_reload", timedOut: true, open: ["r1"], fate: "resume" }
    ])
  })

  it("closes an open circuit: the new code has loaded", () => {
    const { events } = given([registered(), opened]).when({
      type: "StartDrain",
      reason: "hot_reload",
      hash: "h2"
    })
    expect(events.map(({ type }) => type)).toEqual(["WorkflowCircuitClosed", "WorkflowDrainStarted"])
  })

  it("of a removed workflow withdraws its queue, refuses new runs, ends every open run, and leaves nothing", () => {
    const past = [registered(queue), ...admitted("r1"), ...enqueued("r2")]
    const removed = given(past).when({ type: "RemoveWorkflow" }, { at: 1_000 })
    expect(removed.events).toEqual([
      { type: "RunWithdrawn", runId: "r2", reason: "workflow_removed" },
      { type: "WorkflowDrainStarted", reason: "removed", deadlineAt: 31_000, hash: null }
    ])
    const leaving = [...past, ...removed.events]
    expect(given(leaving).when(request("r3")).refused?._tag).toBe("UnknownWorkflow")
    const { events, state } = given(leaving).when({ type: "EndDrain" })
    expect(events).toEqual([
      { type: "WorkflowDrainEnded", reason: "removed", timedOut: false, open: ["r1"], fate: "interrupt" }
    ])
    expect(state).toBe("absent")
  })

  it("goes on as another when its workflow is put back into the configuration", () => {
    const past = [registered(), ...admitted("r1"), drain("removed")]
    const { events } = given(past).when({ type: "RegisterWorkflow", settings })
    expect(events).toEqual([{ type: "WorkflowReconfigured", settings }])
    expect(given([...past, ...events]).when({ type: "EndDrain" }).state).toContain("admission.open")
  })

  it("of a broken edit does not begin: the error is kept and the old code serves", () => {
    const { events, state, after } = given([registered(), ...admitted("r1"), workerReady()]).when({
      type: "RecordReloadFailure",
      error: { message: "unexpected token" },
      hash: "h2"
    })
    expect(events).toEqual([
      { type: "WorkflowReloadFailed", error: { message: "unexpected token" }, hash: "h2" }
    ])
    expect(regions({ state })).toContain("worker.up.ready")
    expect((after.context as WorkflowContext).error?.message).toBe("unexpected token")
  })
})
