/**
 * The writer on a thread of its own. Committing is mostly waiting for the disk, and SQLite waits where it is called; here that is not
 * the thread that decides and serves. A thread that dies is started again by the next call, as a store that failed is opened again.
 */
import { Worker } from "node:worker_threads"
import { Effect, Layer, Schema } from "effect"
import type { Head } from "../events/HashChain.js"
import { JournalUnavailable, VersionConflict } from "../events/Journal.js"
import { FormatTooNew } from "../events/migrations.js"
import type { Segment } from "../events/Segment.js"
import { type Committed, type Rebuilt, Writer } from "../events/Writer.js"
import {
  type Call,
  type ConflictRow,
  type EncodedFault,
  Fault,
  type Greeting,
  type Reply,
  toRows
} from "./writerProtocol.js"

/** A thread that does not end by itself when it is told to close is ended after this long. */
const closeMs = 5_000

/** `program` is what the thread runs. */
export const layer = (
  path: string,
  program = new URL("./writerThread.js", import.meta.url)
): Layer.Layer<Writer, Fault> => Layer.scoped(Writer, make(path, program))

/** A thread, and those who wait for its answers. */
interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, (answer: Effect.Effect<unknown, Fault>) => void>
  /** What everybody learns once it has ended: whatever it had been told is in doubt. */
  ended: JournalUnavailable | undefined
}

type WithoutId<Each> = Each extends { readonly id: number } ? Omit<Each, "id"> : never

const make = (path: string, program: URL) =>
  Effect.gen(function* () {
    const starting = yield* Effect.makeSemaphore(1)
    let thread: Thread | undefined
    let lastId = 0

    const connect = Effect.gen(function* () {
      if (!thread || thread.ended) thread = yield* start(path, program)
      return thread
    }).pipe(starting.withPermits(1), Effect.uninterruptible)

    const ask = (call: WithoutId<Call>): Effect.Effect<unknown, Fault> =>
      Effect.flatMap(connect, ({ worker, pending, ended }) =>
        ended
          ? Effect.fail(ended)
          : Effect.async((resume) => {
              lastId += 1
              pending.set(lastId, resume)
              worker.postMessage({ ...call, id: lastId })
            })
      )
    /** Only the opening of a store meets these; once it is open they are faults of this program. */
    const askOpen = (call: WithoutId<Call>) =>
      Effect.catchAll(ask(call), (fault) => (fault instanceof JournalUnavailable ? fault : Effect.die(fault)))

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => (thread && !thread.ended ? end(thread.worker) : Effect.void))
    )
    yield* connect

    return Writer.of({
      head: Effect.map(askOpen({ method: "head" }), (head) => head as Head),
      commit: (batches) =>
        Effect.map(askOpen({ method: "commit", batches: batches.map(toRows) }), (answers) =>
          (answers as ReadonlyArray<Committed | ConflictRow>).map((answer) =>
            "conflict" in answer ? decodeConflict(answer.conflict) : answer
          )
        ),
      saveSnapshots: (snapshots) => Effect.asVoid(askOpen({ method: "saveSnapshots", snapshots })),
      archive: (from, upTo) =>
        Effect.map(askOpen({ method: "archive", from, upTo }), (segment) => segment as Segment),
      vacuum: Effect.map(askOpen({ method: "vacuum" }), (bytes) => bytes as number),
      rebuild: (projection) =>
        ask({ method: "rebuild", projection }).pipe(
          Effect.map((rebuilt) => rebuilt as Rebuilt),
          Effect.catchAll((fault) => (fault instanceof FormatTooNew ? Effect.die(fault) : Effect.fail(fault)))
        )
    })
  })

const decodeConflict = Schema.decodeSync(VersionConflict)
const decodeFault = Schema.decodeSync(Fault)

const toFailure = (
  said: { readonly fault: EncodedFault } | { readonly defect: string }
): Effect.Effect<never, Fault> =>
  "fault" in said ? Effect.fail(decodeFault(said.fault)) : Effect.dieMessage(said.defect)

/** Starts a thread and waits for its greeting. When it ends, whoever still waits for an answer learns that it is in doubt. */
const start = (path: string, program: URL): Effect.Effect<Thread, Fault> =>
  Effect.async((resume) => {
    // Flags that a host program was started with, such as `--eval`, are not for this thread.
    const worker = new Worker(program, { workerData: { path }, execArgv: [] })
    const thread: Thread = { worker, pending: new Map(), ended: undefined }
    worker.on("message", (said: Greeting | Reply) => {
      if (!("id" in said)) return resume("ready" in said ? Effect.succeed(thread) : toFailure(said))
      thread.pending.get(said.id)?.("value" in said ? Effect.succeed(said.value) : toFailure(said))
      thread.pending.delete(said.id)
    })
    let cause = ""
    worker.on("error", (error) => {
      cause = `: ${error.message}`
    })
    worker.on("exit", (code) => {
      const detail = `${path}: the writer thread ended with code ${code}${cause}`
      const ended = new JournalUnavailable({ reason: "io", detail })
      thread.ended = ended
      resume(Effect.fail(ended))
      for (const answer of thread.pending.values()) answer(Effect.fail(ended))
    })
  })

const end = (worker: Worker): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    worker.once("exit", () => resume(Effect.void))
    worker.postMessage({ id: 0, method: "close" } satisfies Call)
  }).pipe(
    Effect.timeoutOption(closeMs),
    Effect.zipRight(Effect.promise(() => worker.terminate())),
    Effect.asVoid
  )
