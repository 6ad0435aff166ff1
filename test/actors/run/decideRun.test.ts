import { describe, expect, it } from "@effect/vitest"
import type { Choice, Next, RunCommand } from "../../../src/actors/run/RunCommand.js"
import type { RunState } from "../../../src/actors/run/RunIndex.js"
import type { Offset } from "../../../src/events/Event.js"
import { given as givenOf, type Past } from "../../support/given.js"
import {
  attempted,
  makeKinds,
  registered,
  requested,
  selected,
  started,
  stepped,
  suspended,
  workerReady
} from "../../support/runKinds.js"

/** A run of the workflow `tidy`, which is in the configuration and has a worker. */
const given = (past: ReadonlyArray<Past>, options: { isDraining?: boolean; isListed?: boolean } = {}) => {
  const { runKind, workflowKind } = makeKinds(options)
  if (options.isListed !== false) {
    const workflow = givenOf(workflowKind, "tidy", [
      registered({ timeoutMs: 60_000 }),
      { type: "RunAdmitted", runId: "r" } as Past,
      workerReady() as Past
    ])
    workflowKind.index.take(workflow.state as never)
  }
  return givenOf(runKind, "r", past)
}

const attempting = [requested(), started, selected(1), attempted(1)]
const tokenOf = ({ state }: { state: unknown }) => (state as RunState).context.token as Offset
const contextOf = (state: unknown) => (state as RunState).context
const role = { executor: { kind: "worker" }, inDoubt: "retry", maxAttempts: 3, timeoutMs: 10_000 } as const
const types = ({ events }: { events: ReadonlyArray<{ type: string }> }) => events.map(({ type }) => type)
const answer = (token: Offset | undefined, changes: object = {}): RunCommand => ({
  type: "RecordRoleOutput",
  ...(token !== undefined && { token }),
  round: 1,
  attempt: 1,
  content: "done",
  meta: {},
  ...changes
})

describe("a run's beginning", () => {
  it("starts at once when it has a slot, with a deadline for the whole of it", () => {
    const { state, deadline } = given([{ ...requested(), at: 1_000 }, started])
    expect(state.name).toBe("running.selecting")
    expect(deadline("timeout")?.dueAt).toBe(61_000)
  })

  it("waits in the queue without a deadline, and starts from there", () => {
    const queued = given([requested(), { type: "RunQueued" }])
    expect([queued.state.name, queued.deadline("timeout")]).toEqual(["queued", undefined])
    const { events, state } = queued.when({ type: "StartRun" })
    expect(events).toEqual([{ type: "RunStarted", timeoutMs: 60_000, definitionHash: "h1" }])
    expect(state).toBe("running.selecting")
  })

  it("is dropped with a reason, from the request or from the queue", () => {
    expect(given([requested(), { type: "RunDropped", reason: "overflow" } as Past]).state.name).toBe(
      "dropped"
    )
    const evicted = given([requested(), { type: "RunQueued" }]).when({
      type: "DropRun",
      reason: "evicted",
      by: "r2"
    })
    expect(evicted.events).toEqual([{ type: "RunDropped", reason: "evicted", by: "r2" }])
  })

  it("is dropped when its workflow has gone before it could start", () => {
    const { state } = given([requested(), { type: "RunQueued" }], { isListed: false }).when({
      type: "StartRun"
    })
    expect(state).toBe("dropped")
  })

  it("cannot start twice", () => {
    expect(given([requested(), started]).when({ type: "StartRun" }).refused?._tag).toBe("IllegalInState")
  })

  it("is unknown until it is requested", () => {
    expect(given([]).when({ type: "KillRun" }).refused).toEqual({ _tag: "UnknownRun", runId: "r" })
  })
})

describe("a run's rounds", () => {
  it("records a choice and the call for it in one batch", () => {
    const run = given([requested(), started])
    const { events, state, after } = run.when({
      type: "SelectRole",
      token: tokenOf(run),
      choice: { role: "scout", as: role },
      definitionHash: "h1"
    })
    expect(events).toEqual([
      { type: "RoleSelected", round: 1, role: "scout", ...role, definitionHash: "h1" },
      { type: "RoleAttemptStarted", round: 1, attempt: 1, workerId: "w-1" }
    ])
    expect(state).toBe("running.attempting")
    expect(after.deadlines.map(({ id, dueAt }) => [id, dueAt])).toContainEqual(["roleTimeout", 10_000])
  })

  it("numbers the next round after a recorded step, under a larger token", () => {
    const first = given(attempting)
    const { state, after } = first.when(answer(tokenOf(first)))
    expect(state).toBe("running.selecting")
    expect(contextOf(after)).toMatchObject({ rounds: 1, pending: null, attempt: 0, isInDoubt: false })
    expect(contextOf(after).token).toBeGreaterThan(tokenOf(first))
    expect(after.deadlines.map(({ id }) => id)).toEqual(["timeout"])
  })

  it("refuses an answer of another attempt, another round, or an older token", () => {
    const again = given([
      ...attempting,
      suspended(),
      { type: "RoleAttemptAbandoned", round: 1, attempt: 1, reason: "worker_lost" } as Past,
      { type: "RunResumed", by: "hub" } as Past,
      attempted(1, 2)
    ])
    const token = tokenOf(again)
    expect(again.when(answer(token)).refused?._tag).toBe("StaleToken")
    expect(again.when(answer(token, { round: 2, attempt: 2 })).refused?._tag).toBe("StaleToken")
    expect(again.when(answer((token - 1) as Offset, { attempt: 2 })).refused).toMatchObject({
      _tag: "StaleToken",
      given: token - 1,
      current: token
    })
    expect(again.when(answer(token, { attempt: 2 })).state).toBe("running.selecting")
  })

  it("refuses a choice that was made on older steps", () => {
    const run = given([...attempting, stepped(1)])
    const choice = { end: true } as const
    const late = run.when({ type: "SelectRole", token: 2 as Offset, choice, definitionHash: "h1" })
    expect(late.refused?._tag).toBe("StaleToken")
  })

  it("completes at the end that the moderator names", () => {
    const run = given([...attempting, stepped(1)])
    const { events } = run.when({
      type: "SelectRole",
      token: tokenOf(run),
      choice: { end: true },
      definitionHash: "h1"
    })
    expect(events).toEqual([{ type: "RunCompleted", rounds: 1 }])
  })

  it("begins the next round in the batch of the step when the moderator has spoken on it already", () => {
    const run = given(attempting)
    const recorded = (next: Next) => run.when(answer(tokenOf(run), { next }))
    const step = { type: "RoleStepRecorded", round: 1, attempt: 1 }
    const choose = (choice: Choice): Next => ({ choice, definitionHash: "h1" })
    const going = recorded(choose({ role: "cleaner", as: role }))
    expect(going.events).toMatchObject([
      step,
      { type: "RoleSelected", round: 2, role: "cleaner", definitionHash: "h1" },
      { type: "RoleAttemptStarted", round: 2, attempt: 1, workerId: "w-1" }
    ])
    expect(going.state).toBe("running.attempting")
    expect(recorded(choose({ end: true })).events).toMatchObject([step, { type: "RunCompleted", rounds: 1 }])
    expect(recorded(choose({ role: "nobody", as: null })).events).toMatchObject([
      step,
      { type: "RunFailed", reason: "unknown_role" }
    ])
    const failed = recorded({ error: { message: "no idea" } })
    expect(failed.events).toMatchObject([
      step,
      { type: "RunFailed", reason: "moderator_error", error: { message: "no idea" }, exitCode: 1 }
    ])
    expect(failed.state).toBe("failed")
  })

  it("counts the step that is recorded with the choice for its rounds", () => {
    const run = given([requested({ maxRounds: 1 }), ...attempting.slice(1)])
    const next: Next = { choice: { role: "cleaner", as: role }, definitionHash: "h1" }
    const { events } = run.when(answer(tokenOf(run), { next }))
    expect(events).toMatchObject([
      { type: "RoleStepRecorded" },
      { type: "RunFailed", reason: "max_rounds", exitCode: 2 }
    ])
  })

  it("stops behind the step when the hub does, whatever comes next", () => {
    const run = given(attempting, { isDraining: true })
    const next: Next = { choice: { role: "cleaner", as: role }, definitionHash: "h1" }
    const { events, state } = run.when(answer(tokenOf(run), { next }))
    expect(events).toMatchObject([{ type: "RoleStepRecorded" }, { type: "RunSuspended", reason: "hub_stop" }])
    expect(state).toBe("suspended.recovering")
  })

  it("completes at the last round, and fails with exit code 2 when one more is wanted", () => {
    const full = [requested({ maxRounds: 1 }), ...attempting.slice(1), stepped(1)]
    const run = given(full)
    const select = { type: "SelectRole", token: tokenOf(run), definitionHash: "h1" } as const
    expect(run.when({ ...select, choice: { end: true } }).state).toBe("completed")
    expect(run.when({ ...select, choice: { role: "scout", as: role } }).events).toEqual([
      { type: "RunFailed", reason: "max_rounds", exitCode: 2 }
    ])
  })

  it("fails when the moderator names no role of the workflow", () => {
    const run = given([requested(), started])
    const { events, state } = run.when({
      type: "SelectRole",
      token: tokenOf(run),
      choice: { role: "nobody", as: null },
      definitionHash: "h1"
    })
    expect(events[0]).toMatchObject({ type: "RunFailed", reason: "unknown_role", exitCode: 1 })
    expect(state).toBe("failed")
  })

  it("fails when the moderator does", () => {
    const run = given([requested(), started])
    const error = { message: "no idea" }
    const { events } = run.when({ type: "FailRun", token: tokenOf(run), reason: "moderator_error", error })
    expect(events).toEqual([{ type: "RunFailed", reason: "moderator_error", error, exitCode: 1 }])
  })

  it("fails with a role's error, the attempt's outcome first", () => {
    const run = given(attempting)
    const error = { message: "broken" }
    const { events, state } = run.when({
      type: "RecordRoleError",
      token: tokenOf(run),
      round: 1,
      attempt: 1,
      error,
      retryable: false
    })
    expect(events).toEqual([
      { type: "RoleAttemptFailed", round: 1, attempt: 1, error, retryInMs: null },
      { type: "RunFailed", reason: "role_error", error, exitCode: 1 }
    ])
    expect(state).toBe("failed")
  })

  it("tries again an error that may pass, after a second and then two, while attempts are left", () => {
    const error = { message: "busy" }
    const fail = (past: ReadonlyArray<Past>, attempt: number) => {
      const run = given(past)
      return run.when({
        type: "RecordRoleError",
        token: tokenOf(run),
        round: 1,
        attempt,
        error,
        retryable: true
      })
    }
    const first = fail(attempting, 1)
    expect([first.state, first.events[0]]).toEqual([
      "running.retrying",
      { type: "RoleAttemptFailed", round: 1, attempt: 1, error, retryInMs: 1_000 }
    ])
    const retrying = [...attempting, first.events[0] as Past]
    const again = given(retrying).whenDue("retry")
    expect(again.events).toEqual([{ type: "RoleAttemptStarted", round: 1, attempt: 2, workerId: "w-1" }])
    const second = fail([...retrying, attempted(1, 2)], 2)
    expect(second.events[0]).toMatchObject({ retryInMs: 2_000 })
    const third = fail([...retrying, attempted(1, 2), second.events[0] as Past, attempted(1, 3)], 3)
    expect(third.state).toBe("failed")
  })

  it("fails when all its contents together are too large", () => {
    const large = {
      ...stepped(1),
      content: { blob: "0", bytes: 64 * 1_048_576 - 2, chars: 1, preview: "" }
    } as Past
    const run = given([...attempting, large, selected(2), attempted(2)])
    const { events } = run.when(answer(tokenOf(run), { round: 2 }))
    expect(events.at(-1)).toMatchObject({ type: "RunFailed", reason: "too_large", exitCode: 1 })
  })
})

describe("a role that is offered", () => {
  const executor = { kind: "open", stance: "reviewer", leaseMs: 60_000 } as const
  const offered = [
    requested(),
    started,
    selected(1, "review", { executor }),
    { type: "RoleOffered", round: 1, attempt: 1, claim: "role:r:1:1", executor, ask: "look" } as Past
  ]

  it("is offered in the batch of its choice, under a claim of its own", () => {
    const run = given([requested(), started])
    const { events, state } = run.when({
      type: "SelectRole",
      token: tokenOf(run),
      choice: { role: "review", as: { ...role, executor, ask: "look" } },
      definitionHash: "h1"
    })
    expect(events.at(-1)).toEqual({
      type: "RoleOffered",
      round: 1,
      attempt: 1,
      claim: "role:r:1:1",
      executor,
      ask: "look"
    })
    expect(state).toBe("running.offered")
  })

  it("notes who claims it, and records the claimant's answer as theirs", () => {
    const run = given(offered)
    const claimed = run.when({
      type: "RecordRoleClaim",
      claim: "role:r:1:1",
      peer: "ada",
      grant: 9 as Offset
    })
    expect([claimed.state, claimed.events]).toEqual([
      "running.offered",
      [{ type: "RoleClaimed", claim: "role:r:1:1", peer: "ada", token: 9 }]
    ])
    const held = given([...offered, ...(claimed.events as ReadonlyArray<Past>)])
    const done = held.when(answer(undefined))
    expect(done.events[0]).toMatchObject({ type: "RoleStepRecorded", role: "review", peer: "ada" })
  })

  it("takes no answer to a peer's turn before that peer holds it", () => {
    const executor = { kind: "peer", peer: "ada", leaseMs: 900_000 } as const
    const turn = {
      type: "RoleOffered",
      round: 1,
      attempt: 1,
      claim: "role:r:1:1",
      executor,
      ask: "?"
    } as Past
    const past = [requested(), started, selected(1, "reviewer", { executor }), turn]
    expect(given(past).when(answer(undefined)).refused?._tag).toBe("StaleToken")
    const held = given([...past, { type: "RoleClaimed", claim: "role:r:1:1", peer: "ada", token: 9 } as Past])
    expect(held.when(answer(undefined)).events).toMatchObject([{ type: "RoleStepRecorded", peer: "ada" }])
  })

  it("takes no notice of a claim on another offer, and refuses its answer", () => {
    const run = given(offered)
    const other = run.when({ type: "RecordRoleClaim", claim: "role:r:1:2", peer: "ada", grant: 9 as Offset })
    expect(other.events).toEqual([])
    expect(run.when(answer(undefined, { attempt: 2 })).refused?._tag).toBe("StaleToken")
    expect(given(attempting).when(answer(undefined)).refused?._tag).toBe("StaleToken")
  })

  it("fails its run when nobody could do it", () => {
    const run = given(offered)
    const error = { message: "exhausted" }
    const { events } = run.when({ type: "RecordRoleError", round: 1, attempt: 1, error, retryable: false })
    expect(events).toEqual([{ type: "RunFailed", reason: "role_error", error, exitCode: 1 }])
  })

  it("ends its run at once when its time is up", () => {
    expect(given(offered).whenDue("roleTimeout").events).toEqual([
      { type: "RoleAttemptTimedOut", round: 1, attempt: 1 },
      { type: "RunFailed", reason: "timeout", exitCode: 142 }
    ])
  })

  it("is left standing when the hub or the worker is lost", () => {
    const { events, state } = given(offered).when({ type: "SuspendRun", reason: "hub_lost" })
    expect([events, state]).toEqual([[], "running.offered"])
  })
})

describe("a run that lost its worker", () => {
  const lost = [...attempting, suspended()]
  const recover = (past: ReadonlyArray<Past>, changes: object = {}) => {
    const run = given(past)
    return run.when({
      type: "RecoverRun",
      token: tokenOf(run),
      workerId: "w-1",
      definitionHash: "h2",
      ...changes
    })
  }

  it("is suspended while it chooses or plays a role, counting losses of its worker alone", () => {
    const stallsAfter = (reason: "worker_lost" | "hub_lost" | "collateral") => {
      const { after, state } = given(attempting).when({ type: "SuspendRun", reason })
      return [state, contextOf(after).stalls]
    }
    expect(stallsAfter("worker_lost")).toEqual(["suspended.recovering", 1])
    expect(stallsAfter("hub_lost")).toEqual(["suspended.recovering", 0])
    expect(stallsAfter("collateral")).toEqual(["suspended.recovering", 0])
  })

  it("keeps its deadline while it is suspended, and loses its attempt's", () => {
    expect(given(lost).state.deadlines.map(({ id }) => id)).toEqual(["timeout"])
  })

  it("shows the attempt in doubt and begins another, with the same round and a larger token", () => {
    const { events, state, after } = recover(lost)
    expect(events).toEqual([
      { type: "RoleAttemptAbandoned", round: 1, attempt: 1, reason: "worker_lost" },
      { type: "RunResumed", by: "hub", definitionHash: "h2" },
      { type: "RoleAttemptStarted", round: 1, attempt: 2, workerId: "w-1" }
    ])
    expect(state).toBe("running.attempting")
    expect(contextOf(after).token).toBeGreaterThan(tokenOf(given(lost)))
  })

  it("records an answer that the worker wrote down, and calls nobody", () => {
    const { events, state } = recover(lost, { outbox: { attempt: 1, content: "done", meta: { ok: true } } })
    expect(events).toMatchObject([
      { type: "RoleStepRecorded", round: 1, attempt: 1, content: "done", recoveredFrom: "outbox" },
      { type: "RunResumed" }
    ])
    expect(state).toBe("running.selecting")
  })

  it("does not take an answer of an earlier attempt for the one in doubt", () => {
    const second = [...lost, ...(recover(lost).events as ReadonlyArray<Past>), suspended()]
    const { events } = recover(second, { outbox: { attempt: 1, content: "done", meta: {} } })
    expect(events[0]).toMatchObject({ type: "RoleAttemptAbandoned", attempt: 2 })
  })

  it("asks the moderator again only when no choice was recorded", () => {
    const { events, state } = recover([requested(), started, suspended("hub_lost")])
    expect(events).toEqual([{ type: "RunResumed", by: "hub", definitionHash: "h2" }])
    expect(state).toBe("running.selecting")
  })

  it("is held when its role must not be repeated in doubt", () => {
    const held = [requested(), started, selected(1, "scout", { inDoubt: "hold" }), attempted(1), suspended()]
    const { events, state } = recover(held)
    expect(events).toEqual([
      { type: "RoleAttemptAbandoned", round: 1, attempt: 1, reason: "worker_lost" },
      { type: "RunHeld" }
    ])
    expect(state).toBe("suspended.held")
  })

  it("crashes after more than ten losses without a step", () => {
    const losses = Array.from(
      { length: 11 },
      (_, n): ReadonlyArray<Past> => [
        suspended(),
        ...(n < 10
          ? ([
              { type: "RoleAttemptAbandoned", round: 1, attempt: n + 1, reason: "worker_lost" },
              { type: "RunResumed", by: "hub" },
              attempted(1, n + 2)
            ] as ReadonlyArray<Past>)
          : [])
      ]
    ).flat()
    expect(recover([...attempting, ...losses]).events).toEqual([
      { type: "RunCrashed", reason: "resume_limit" }
    ])
  })

  it("crashes when its workflow cannot be run", () => {
    const run = given(lost)
    const { state } = run.when({ type: "CrashRun", reason: "crash_loop", token: tokenOf(run) })
    expect(state).toBe("crashed")
    expect(
      given([...lost, { type: "RunCrashed", reason: "crash_loop" } as Past]).deadline("timeout")
    ).toBeUndefined()
  })

  it("fails when its history cannot be read", () => {
    const run = given(lost)
    const error = { message: "a blob is missing" }
    const { events } = run.when({ type: "FailRun", token: tokenOf(run), reason: "corrupt_history", error })
    expect(events[0]).toMatchObject({ type: "RunFailed", reason: "corrupt_history", exitCode: 1 })
  })

  it("stops at the step's boundary when the hub does, and completes if it is done", () => {
    const run = given([...attempting, stepped(1)], { isDraining: true })
    const select = { type: "SelectRole", token: tokenOf(run), definitionHash: "h1" } as const
    expect(run.when({ ...select, choice: { role: "scout", as: role } }).events).toEqual([
      { type: "RunSuspended", reason: "hub_stop" }
    ])
    expect(run.when({ ...select, choice: { end: true } }).state).toBe("completed")
  })

  it("ignores a suspension of work that is over", () => {
    const run = given([...attempting, stepped(1)])
    expect(run.when({ type: "SuspendRun", reason: "worker_lost", token: 4 as Offset }).refused?._tag).toBe(
      "StaleToken"
    )
  })
})

describe("a run that is stopped", () => {
  it("is killed at once where nothing of it works", () => {
    const kill = (past: ReadonlyArray<Past>) => types(given(past).when({ type: "KillRun", reason: "enough" }))
    expect(kill([requested(), { type: "RunQueued" }])).toEqual(["RunKilled"])
    expect(kill([requested(), started])).toEqual(["RunKillRequested", "RunKilled"])
    expect(kill([...attempting, suspended()])).toEqual([
      "RunKillRequested",
      "RoleAttemptAbandoned",
      "RunKilled"
    ])
  })

  it("is killed only when its attempt is gone, which is named first", () => {
    const stopping = given(attempting).when({ type: "KillRun", reason: "enough" })
    expect([types(stopping), stopping.state]).toEqual([["RunKillRequested"], "stopping"])
    const run = given([...attempting, ...(stopping.events as ReadonlyArray<Past>)])
    const { events, state } = run.when({ type: "FinishStop", token: tokenOf(run) })
    expect(events).toEqual([
      { type: "RoleAttemptAbandoned", round: 1, attempt: 1, reason: "kill" },
      { type: "RunKilled", reason: "enough" }
    ])
    expect(state).toBe("killed")
  })

  it("refuses the late answer of an attempt that is being stopped", () => {
    const run = given([...attempting, { type: "RunKillRequested", reason: null } as Past])
    expect(run.when(answer(4 as Offset)).refused?._tag).toBe("StaleToken")
  })

  it("gives a second kill the same answer and no event", () => {
    const stopping = [...attempting, { type: "RunKillRequested", reason: null } as Past]
    expect(given(stopping).when({ type: "KillRun" })).toMatchObject({ events: [], refused: undefined })
    const killed = [
      requested(),
      { type: "RunQueued" },
      { type: "RunKilled", reason: null }
    ] as ReadonlyArray<Past>
    expect(given(killed).when({ type: "KillRun" })).toMatchObject({ events: [], refused: undefined })
  })

  it("says so when it has ended already", () => {
    const completed = [...attempting, stepped(1), { type: "RunCompleted", rounds: 1 } as Past]
    expect(given(completed).when({ type: "KillRun" }).refused).toEqual({
      _tag: "AlreadyEnded",
      status: "completed"
    })
  })

  it("fails with exit code 142 when an attempt or the whole of it takes too long", () => {
    for (const deadline of ["roleTimeout", "timeout"]) {
      const late = given(attempting).whenDue(deadline)
      expect([late.events.length, late.state]).toEqual([1, "stopping"])
      const run = given([...attempting, late.events[0] as Past])
      const { events, state } = run.when({ type: "FinishStop", token: tokenOf(run) })
      expect(events.at(-1)).toEqual({ type: "RunFailed", reason: "timeout", exitCode: 142 })
      expect(state).toBe("failed")
    }
  })

  it("fails at once when its time is up and nothing of it works", () => {
    expect(types(given([...attempting, suspended()]).whenDue("timeout"))).toEqual([
      "RunTimedOut",
      "RoleAttemptAbandoned",
      "RunFailed"
    ])
  })

  it("is interrupted by a change of its workflow, wherever it is", () => {
    const interrupt = (past: ReadonlyArray<Past>) =>
      given(past).when({ type: "InterruptRun", reason: "workflow_removed" }).state
    expect(interrupt(attempting)).toBe("interrupted")
    expect(interrupt([...attempting, suspended()])).toBe("interrupted")
    expect(interrupt([requested(), { type: "RunQueued" }])).toBe("dropped")
    expect(interrupt([...attempting, { type: "RunKillRequested", reason: null } as Past])).toBe("stopping")
  })
})

describe("a run that is resumed", () => {
  const crashed = [...attempting, suspended(), { type: "RunCrashed", reason: "crash_loop" } as Past]
  const held = [
    requested(),
    started,
    selected(1, "scout", { inDoubt: "hold" }),
    attempted(1),
    suspended(),
    { type: "RoleAttemptAbandoned", round: 1, attempt: 1, reason: "worker_lost" },
    { type: "RunHeld" }
  ] as ReadonlyArray<Past>

  it("goes to the queue when it had crashed or was interrupted, and shows its doubt when it starts", () => {
    const { events, state } = given(crashed).when({ type: "ResumeRun" }, { by: "operator" })
    expect([events, state]).toEqual([[{ type: "RunRequeued", by: "operator" }], "queued"])
    const restarted = given([...crashed, ...(events as ReadonlyArray<Past>)]).when({ type: "StartRun" })
    expect(restarted.state).toBe("suspended.recovering")
    expect(contextOf(restarted.after)).toMatchObject({ isInDoubt: true, attempt: 1, stalls: 0 })
  })

  it("repeats the attempt when it was held", () => {
    const { events, state } = given(held).when({ type: "ResumeRun" }, { by: "operator" })
    expect(events).toEqual([
      { type: "RunResumed", by: "operator", definitionHash: "h1" },
      { type: "RoleAttemptStarted", round: 1, attempt: 2, workerId: "w-1" }
    ])
    expect(state).toBe("running.attempting")
  })

  it("takes a person's word for the step when it was held", () => {
    const output = { content: "I did it by hand", meta: {} }
    const { events, state } = given(held).when({ type: "ResumeRun", output })
    expect(events[0]).toMatchObject({
      type: "RoleStepRecorded",
      attempt: 1,
      content: output.content,
      recoveredFrom: "operator"
    })
    expect(state).toBe("running.selecting")
  })

  it("is refused where there is nothing to resume, and an output where no step is held", () => {
    expect(given(attempting).when({ type: "ResumeRun" }).refused).toEqual({
      _tag: "NotResumable",
      state: "running.attempting"
    })
    expect(given(crashed).when({ type: "ResumeRun", output: { content: "x", meta: {} } }).refused?._tag).toBe(
      "NotResumable"
    )
  })

  it("is refused when its workflow is not there any more", () => {
    expect(given(crashed, { isListed: false }).when({ type: "ResumeRun" }).refused).toEqual({
      _tag: "UnknownWorkflow",
      workflow: "tidy"
    })
  })
})
