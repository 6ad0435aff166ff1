import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Schema, Scope, Stream } from "effect"
import { type Worker, WorkerGone } from "../../src/runtimes/Worker.js"
import { WorkerLog } from "../../src/runtimes/WorkerLog.js"
import { makeWorkers, type Workers } from "../../src/runtimes/Workers.js"
import { workerProtocol } from "../../src/runtimes/workerProtocol.js"
import { eventually, isRunning } from "../support/processes.js"
import { temporaryFolder } from "../support/stores.js"

/** Of this process alone: another run of these tests on this machine must not be taken for an earlier boot. */
const journalId = `cafe${process.pid}`
const otherId = `beef${process.pid}`

const fixtures = resolve(import.meta.dirname, "../fixtures/workers")
const protocol = workerProtocol(
  Schema.Struct({ deed: Schema.String, value: Schema.optional(Schema.Unknown) }),
  Schema.Struct({ said: Schema.Unknown })
)
type Probe = Worker<typeof Schema.Any.Type, { readonly said: unknown }>

interface Stage {
  readonly folder: string
  readonly workers: Workers
  readonly log: () => string
}

const stage = (options: { environment?: Record<string, string>; endMs?: number } = {}) =>
  Effect.map(temporaryFolder, (folder): Stage => {
    const path = join(folder, "workers.log")
    return {
      folder,
      log: () => readFileSync(path, "utf8"),
      workers: makeWorkers({
        journalId,
        workspace: folder,
        environment: { ...process.env, MOUND_TOKEN: "secret", ...options.environment },
        log: new WorkerLog(path, { now: () => 0 }),
        endMs: options.endMs ?? 2_000
      })
    }
  })

const startProbe = ({ workers }: Stage) =>
  workers.start({ name: "probe", entry: join(fixtures, "probe.mjs"), protocol })

const ask = (worker: Probe, deed: string, value?: unknown) =>
  Effect.zipRight(
    worker.send({ deed, value }),
    Effect.map(worker.take, ({ said }) => said)
  )

/** One worker on a stage of its own. */
const withProbe = (
  name: string,
  body: (worker: Probe, stage: Stage) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  it.live(name, () =>
    Effect.gen(function* () {
      const made = yield* stage()
      yield* body(yield* startProbe(made), made)
    }).pipe(Effect.scoped)
  )

describe("a worker", () => {
  withProbe("answers in the order in which it was asked", (worker) =>
    Effect.gen(function* () {
      const asked = Array.from({ length: 200 }, (_, n) => n)
      yield* Effect.forEach(asked, (value) => worker.send({ deed: "echo", value }), {
        concurrency: "unbounded"
      })
      const answers = yield* Stream.runCollect(Stream.take(Stream.repeatEffect(worker.take), asked.length))
      expect(Chunk.toReadonlyArray(answers).map(({ said }) => said)).toEqual(asked)
    })
  )

  withProbe("runs in the workspace, marked, and is told no secret of the hub", (worker, { folder }) =>
    Effect.gen(function* () {
      expect(yield* ask(worker, "folder")).toBe(folder)
      expect(yield* ask(worker, "environment", "MOUND_WORKER")).toBe(`${journalId}/${worker.workerId}`)
      expect(yield* ask(worker, "environment", "MOUND_WORKSPACE")).toBe(folder)
      expect(yield* ask(worker, "environment", "MOUND_TOKEN")).toBe(null)
    })
  )

  withProbe("is not believed a message that is none of its protocol's", (worker, { log }) =>
    Effect.gen(function* () {
      yield* worker.send({ deed: "garbage" })
      yield* worker.send({ deed: "raw", value: null })
      yield* worker.send({ deed: "raw", value: "text" })
      expect(yield* ask(worker, "echo", "after")).toBe("after")
      expect(log().match(/a message was dropped/g)).toHaveLength(3)
    })
  )

  withProbe("that floods the hub is killed, as a loss", (worker) =>
    Effect.gen(function* () {
      yield* worker.send({ deed: "flood", value: 20_000 })
      expect(yield* worker.ended).toMatchObject({ signal: "SIGKILL", isAsked: false })
    })
  )

  withProbe("that exits by itself delivers what it said before, then is gone with its code", (worker) =>
    Effect.gen(function* () {
      yield* worker.send({ deed: "complain", value: `${"x".repeat(10_000)}the last words` })
      yield* worker.send({ deed: "echo", value: "before" })
      yield* worker.send({ deed: "exit", value: 7 })
      expect((yield* worker.take).said).toBe("before")
      const gone = yield* Effect.flip(worker.take)
      expect(gone).toBeInstanceOf(WorkerGone)
      expect(gone.exit).toMatchObject({ workerId: worker.workerId, code: 7, signal: null, isAsked: false })
      expect(gone.exit.stderrTail).toMatch(/^x+the last words$/)
      expect(gone.exit.stderrTail).toHaveLength(4_096)
    })
  )

  withProbe("whose handler fails is lost, and says why", (worker) =>
    Effect.gen(function* () {
      yield* worker.send({ deed: "throw", value: "no luck" })
      const exit = yield* worker.ended
      expect(exit).toMatchObject({ code: 70, isAsked: false })
      expect(exit.stderrTail).toContain("no luck")
    })
  )

  withProbe("that is gone takes no message and says so", (worker) =>
    Effect.gen(function* () {
      yield* worker.send({ deed: "exit", value: 0 })
      yield* worker.ended
      expect(yield* Effect.flip(worker.send({ deed: "echo" }))).toMatchObject({ exit: { code: 0 } })
    })
  )

  withProbe("in an endless loop is stopped by a kill, as the loss that it was said to be", (worker) =>
    Effect.gen(function* () {
      yield* worker.send({ deed: "hang" })
      expect(yield* worker.kill("lost")).toMatchObject({ signal: "SIGKILL", isAsked: false })
      expect(isRunning(worker.pid)).toBe(false)
    })
  )

  withProbe("does not end by the terminal's signals", (worker) =>
    Effect.gen(function* () {
      yield* ask(worker, "echo", 1)
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(-worker.pid, signal)
      expect(yield* ask(worker, "echo", 2)).toBe(2)
    })
  )

  withProbe("takes all that it started with it, also what left its group", (worker) =>
    Effect.gen(function* () {
      const children = [yield* ask(worker, "leak"), yield* ask(worker, "leakDetached")] as Array<number>
      expect(children.map(isRunning)).toEqual([true, true])
      yield* worker.send({ deed: "exit", value: 1 })
      yield* worker.ended
      expect(children.map(isRunning)).toEqual([false, false])
    })
  )

  it.live("ends when its scope closes, after a last handler", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const made = yield* stage({ environment: { ON_END: join(folder, "ended") } })
      const scope = yield* Scope.make()
      const worker = yield* Scope.extend(startProbe(made), scope)
      yield* ask(worker, "echo", 1)
      yield* Scope.close(scope, Exit.void)
      expect(yield* worker.ended).toMatchObject({ code: 0, isAsked: true })
      expect(readFileSync(join(folder, "ended"), "utf8")).toBe("ended\n")
    }).pipe(Effect.scoped)
  )

  it.live("that does not end when it is asked to is killed", () =>
    Effect.gen(function* () {
      const made = yield* stage({ environment: { ON_END: "hang" }, endMs: 200 })
      const worker = yield* Effect.scoped(Effect.tap(startProbe(made), (probe) => ask(probe, "echo", 1)))
      expect(yield* worker.ended).toMatchObject({ signal: "SIGKILL", isAsked: true })
    }).pipe(Effect.scoped)
  )

  it.live("writes to the log, a line at a time, under its own name", () =>
    Effect.gen(function* () {
      const made = yield* stage()
      const worker = yield* startProbe(made)
      yield* worker.send({ deed: "print", value: "one\ntw" })
      yield* worker.send({ deed: "print", value: "o\n" })
      yield* worker.send({ deed: "exit", value: 0 })
      yield* worker.ended
      const lines = made.log().split("\n")
      expect(lines.filter((line) => line.includes(" out "))).toEqual([
        `1970-01-01T00:00:00.000Z ${worker.workerId} out one`,
        `1970-01-01T00:00:00.000Z ${worker.workerId} out two`
      ])
      expect(lines.at(-2)).toBe(`1970-01-01T00:00:00.000Z ${worker.workerId} hub ended with code 0`)
    }).pipe(Effect.scoped)
  )
})

describe("workers whose hub is killed", () => {
  /** Starts a hub with one worker, kills it, and answers with the pids of the worker and of a process that the worker started. */
  const killedHub = (deed: string) =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const hub = spawn(process.execPath, [join(fixtures, "hub.mjs"), folder, deed], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      const line = yield* Effect.promise(
        () => new Promise<string>((told) => hub.stdout.once("data", (chunk) => told(String(chunk))))
      )
      const pids = line.trim().split(" ").map(Number)
      expect(pids.map(isRunning)).toEqual([true, true])
      hub.kill("SIGKILL")
      return pids
    })

  for (const deed of ["wait", "hang"]) {
    it.live(`end by themselves with what they started (${deed})`, () =>
      Effect.gen(function* () {
        const pids = yield* killedHub(deed)
        yield* eventually(() => !pids.some(isRunning))
      }).pipe(Effect.scoped)
    )
  }
})

describe("a worker whose hub is killed while it starts", () => {
  it.live("ends by itself too", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const hub = spawn(process.execPath, [join(fixtures, "hub.mjs"), folder, "vanish"], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      const line = yield* Effect.promise(
        () => new Promise<string>((told) => hub.stdout.once("data", (chunk) => told(String(chunk))))
      )
      yield* eventually(() => !isRunning(Number(line.trim())))
    }).pipe(Effect.scoped)
  )
})

describe("strays of earlier boots", () => {
  const sleeper = (mark: string) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn("sleep", ["300"], {
          env: { ...process.env, MOUND_WORKER: mark },
          detached: true,
          stdio: "ignore"
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )

  it.live("are ended, those of this journal alone", () =>
    Effect.gen(function* () {
      const { workers } = yield* stage()
      const ours = yield* sleeper(`${journalId}/group-default-1`)
      const others = yield* sleeper(`${otherId}/group-default-1`)
      yield* eventually(() => readFileSync(`/proc/${others.pid}/environ`, "utf8").includes(otherId))
      yield* eventually(() => readFileSync(`/proc/${ours.pid}/environ`, "utf8").includes(journalId))
      expect(yield* workers.endStrays).toBe(1)
      expect(isRunning(ours.pid as number)).toBe(false)
      expect(isRunning(others.pid as number)).toBe(true)
    }).pipe(Effect.scoped)
  )
})
