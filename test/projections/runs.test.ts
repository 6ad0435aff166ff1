import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer, TestClock } from "effect"
import type { RunCommand } from "../../src/actors/run/RunCommand.js"
import type { RunState } from "../../src/actors/run/RunIndex.js"
import type { Offset } from "../../src/events/Event.js"
import { Journal } from "../../src/events/Journal.js"
import * as Snapshots from "../../src/events/Snapshots.js"
import * as SqliteJournal from "../../src/events/SqliteJournal.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { health } from "../../src/projections/health.js"
import * as Projector from "../../src/projections/Projector.js"
import {
  findRounds,
  findRun,
  findWorkflow,
  listRuns,
  roundLengths
} from "../../src/projections/runQueries.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import { threadBlock } from "../../src/projections/threadBlock.js"
import { threadRounds } from "../../src/projections/threadRounds.js"
import { workflowRuns } from "../../src/projections/workflowRuns.js"
import { workflows } from "../../src/projections/workflows.js"
import { makeKinds, settings } from "../support/runKinds.js"
import { temporaryFolder } from "../support/stores.js"
import { boot, knownOf } from "../support/systems.js"

const projections = [workflows, workflowRuns, threadRounds, health]

/** A hub's kinds on a real store with the projections of runs, and ways to walk a run through its life. */
const stage = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const { workflowKind, runKind } = makeKinds()
  const kinds = [workflowKind, runKind]
  const context = yield* Layer.mergeAll(
    SqliteJournal.layer,
    Snapshots.layer,
    Projector.layer(projections)
  ).pipe(
    Layer.provideMerge(SqliteWriter.layer(projections)),
    Layer.provide(knownOf(kinds)),
    Layer.provideMerge(SqliteStore.layer(join(folder, "mound.db"))),
    Layer.orDie,
    Layer.build
  )
  const system = yield* Effect.provide(boot({ kinds }), context)
  const projector = Context.get(context, Projector.Projector)
  const toWorkflow = (name: string, command: Parameters<typeof workflowKind.decide>[1], commandId?: string) =>
    system.send(workflowKind, name, command, { by: "test", commandId })
  const tokens = new Map<string, Offset>()
  const toRun = (id: string, command: Omit<RunCommand, "token"> & { readonly type: RunCommand["type"] }) =>
    Effect.gen(function* () {
      const token = tokens.get(id) ?? (3 as Offset)
      const outcome = yield* system.send(runKind, id, { token, ...command } as RunCommand, { by: "test" })
      tokens.set(id, (outcome.state as RunState).context.token as Offset)
      return outcome
    })
  const request = (runId: string, more: object = {}) =>
    Effect.gen(function* () {
      const command = {
        type: "RequestRun",
        runId,
        prompt: `do ${runId}`,
        origin: { kind: "cli" },
        ...more
      } as const
      const outcome = yield* toWorkflow("tidy", command, runId)
      tokens.set(runId, outcome.events.at(-1)?.offset as Offset)
      return outcome
    })
  const role = { executor: { kind: "worker" }, inDoubt: "retry", maxAttempts: 3, timeoutMs: 10_000 } as const
  const choose = (id: string, name: string) =>
    toRun(id, { type: "SelectRole", choice: { role: name, as: role }, definitionHash: "h" } as never)
  const answer = (id: string, round: number, content: unknown, meta: object = {}, attempt = 1) =>
    toRun(id, { type: "RecordRoleOutput", round, attempt, content, meta } as never)
  const end = (id: string) =>
    toRun(id, { type: "SelectRole", choice: { end: true }, definitionHash: "h" } as never)
  yield* toWorkflow("tidy", {
    type: "RegisterWorkflow",
    settings: { ...settings, concurrency: 2, overflow: "queue", maxQueue: 1 }
  })
  return {
    projector,
    toWorkflow,
    toRun,
    request,
    choose,
    answer,
    end,
    journal: Context.get(context, Journal)
  }
})

const staged = <E>(name: string, body: (on: Effect.Effect.Success<typeof stage>) => Effect.Effect<void, E>) =>
  it.scoped(name, () => Effect.flatMap(stage, body))

/** Many fates at once: played, failed, crashed and resumed, killed, evicted, queued. */
const live = (on: Effect.Effect.Success<typeof stage>) =>
  Effect.gen(function* () {
    const { request, choose, answer, end, toRun, toWorkflow } = on
    yield* request("R1")
    yield* request("R2")
    yield* request("R3")
    yield* request("R4")
    yield* choose("R1", "scout")
    yield* TestClock.adjust(1_000)
    yield* answer("R1", 1, "8 files", { files: 8 })
    yield* choose("R1", "cleaner")
    yield* toRun("R1", { type: "SuspendRun", reason: "worker_lost" } as never)
    yield* toRun("R1", { type: "RecoverRun", workerId: "w", definitionHash: "h" } as never)
    yield* answer("R1", 2, { blob: "ab", bytes: 20_000, chars: 19_000, preview: "x" }, {}, 2)
    yield* end("R1")
    yield* choose("R2", "scout")
    yield* toRun("R2", { type: "SuspendRun", reason: "worker_lost" } as never)
    yield* toRun("R2", { type: "CrashRun", reason: "crash_loop" } as never)
    yield* toWorkflow("tidy", { type: "ReleaseRun", runId: "R1", status: "completed" })
    yield* toRun("R3", { type: "DropRun", reason: "evicted", by: "R4" } as never)
    yield* toRun("R2", { type: "ResumeRun" } as never)
  })

staged("rows of runs, rounds and workflows are the same when they are made anew", (on) =>
  Effect.gen(function* () {
    yield* live(on)
    for (const { name } of projections) {
      const { rows, digest, liveDigest } = yield* on.projector.rebuild(name)
      expect(rows).toBeGreaterThan(0)
      expect(digest).toBe(liveDigest)
    }
  })
)

staged("a run's row has each time, what it does, how often it was resumed, and how it ended", (on) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(5_000)
    yield* live(on)
    const { read } = on.projector
    expect(yield* findRun(read, "R1")).toMatchObject({
      workflow: "tidy",
      status: "completed",
      exit_code: 0,
      rounds: 2,
      resumes: 1,
      prompt: "do R1",
      requested_at: 5_000,
      queued_at: null,
      started_at: 5_000,
      ended_at: 6_000
    })
    expect(yield* findRun(read, "R2")).toMatchObject({
      status: "queued",
      exit_code: null,
      reason: null,
      ended_at: null
    })
    expect(yield* findRun(read, "R3")).toMatchObject({
      status: "dropped",
      reason: "evicted",
      exit_code: null,
      queued_at: 5_000
    })
    expect(yield* findWorkflow(read, "tidy")).toMatchObject({
      active: 2,
      queued: 0,
      worker: "starting",
      circuit: "closed"
    })
  })
)

staged("exit codes are those of the old system", (on) =>
  Effect.gen(function* () {
    const { request, choose, toRun, toWorkflow } = on
    const codes: Array<unknown> = []
    const ended = (id: string) =>
      Effect.gen(function* () {
        yield* toWorkflow("tidy", { type: "ReleaseRun", runId: id, status: "x" })
        codes.push((yield* findRun(on.projector.read, id))?.exit_code)
      })
    const fail = {
      type: "RecordRoleError",
      round: 1,
      attempt: 1,
      error: { message: "no" },
      retryable: false
    } as never
    const finish: { readonly [id: string]: never } = {
      K: { type: "KillRun" } as never,
      C: { type: "CrashRun", reason: "load_failed" } as never,
      I: { type: "InterruptRun", reason: "hot_reload" } as never,
      F: fail
    }
    for (const [id, command] of Object.entries(finish)) {
      yield* request(id)
      if (id === "F") yield* choose(id, "scout")
      yield* toRun(id, command)
      yield* ended(id)
    }
    yield* request("M", { maxRounds: 1 })
    yield* choose("M", "scout")
    yield* on.answer("M", 1, "x")
    yield* choose("M", "scout")
    yield* ended("M")
    expect(codes).toEqual([137, 255, 143, 1, 2])
  })
)

staged("lists open runs first to last, by status and by workflow, in pages that miss none", (on) =>
  Effect.gen(function* () {
    yield* live(on)
    const { read } = on.projector
    const ids = (filter: object) =>
      Effect.map(listRuns(read, { limit: 10, ...filter }), (rows) => rows.map(({ run_id }) => run_id))
    expect(yield* ids({})).toEqual(["R4", "R2"])
    expect(yield* ids({ status: "all" })).toEqual(["R4", "R3", "R2", "R1"])
    expect(yield* ids({ status: "completed" })).toEqual(["R1"])
    expect(yield* ids({ status: "all", workflow: "other" })).toEqual([])
    const [first] = yield* listRuns(read, { status: "all", limit: 1 })
    expect(yield* ids({ status: "all", before: first?.first_offset })).toEqual(["R3", "R2", "R1"])
  })
)

staged("measures a round by the block that a page shows, with its content in place of a blob's name", (on) =>
  Effect.gen(function* () {
    yield* live(on)
    const { read } = on.projector
    const [first, second] = yield* findRounds(read, "R1", [1, 2])
    const shown = threadBlock({
      round: 1,
      role: "scout",
      at: first?.at ?? 0,
      attempt: 1,
      meta: { files: 8 },
      content: "8 files"
    })
    const long = threadBlock({
      round: 2,
      role: "cleaner",
      at: second?.at ?? 0,
      attempt: 2,
      meta: {},
      content: "x".repeat(19_000)
    })
    expect((yield* roundLengths(read, "R1")).map(({ chars }) => chars)).toEqual([shown.length, long.length])
  })
)
