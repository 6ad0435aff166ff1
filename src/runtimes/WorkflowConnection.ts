/**
 * A workflow's worker that has said that it is ready, as the runs see it: calls with one answer each, and threads that are sent as far
 * as the worker does not know them. A call that is not waited for any more goes on in the worker; whoever stops its run waits for it.
 */
import { Data, Deferred, Effect, Schedule } from "effect"
import { dataOf, makeStreamId, type RecordedEvent, type StreamId, type Version } from "../events/Event.js"
import type { Journal } from "../events/Journal.js"
import type { Worker, WorkerExit } from "./Worker.js"
import type { CallAnswer, FromWorkflow, Start, Step, ThreadPart, ToWorkflow } from "./workflowProtocol.js"

/** The worker is gone and nobody knows what the call did: it died, it was killed for another run's sake, or it was ended. */
export class CallLost extends Data.TaggedError("CallLost")<{ readonly how: "lost" | "killed" | "ended" }> {}

/** Who is called. */
export interface Called {
  readonly runId: string
  readonly token: number
}

interface Call extends Called {
  readonly begun: Deferred.Deferred<void, CallLost>
  readonly answer: Deferred.Deferred<CallAnswer, CallLost>
  /** What the moderator says after a role has been played. */
  readonly next: Deferred.Deferred<CallAnswer, CallLost>
}

/** A role's answer, and the moderator's after it. */
export interface Played {
  readonly answer: CallAnswer
  /** Fails with `undefined` when the moderator thinks for longer than so many ms. Only after a role has been played. */
  readonly next: (timeoutMs: number) => Effect.Effect<CallAnswer, CallLost | undefined>
}

/** How far a worker knows a run. */
interface Known {
  readonly version: Version
  readonly steps: number
}

export class WorkflowConnection {
  readonly #calls = new Map<number, Call>()
  readonly #known = new Map<string, Known>()
  #isOver: CallLost["how"] | undefined

  constructor(
    private readonly worker: Worker<ToWorkflow, FromWorkflow>,
    readonly definitionHash: string,
    private readonly journal: Journal["Type"]
  ) {}

  get workerId(): string {
    return this.worker.workerId
  }

  /** Runs that it is working for. */
  get runs(): ReadonlyArray<string> {
    return [...new Set([...this.#calls.values()].map(({ runId }) => runId))]
  }

  /** Asks the moderator. Fails with `undefined` when it thinks for longer than `timeoutMs`, counted from when it was asked. */
  choose(called: Called, timeoutMs: number): Effect.Effect<CallAnswer, CallLost | undefined> {
    return Effect.gen(this, function* () {
      const { token } = called
      const call = yield* this.#begin(called, (thread) => ({ type: "Choose", token, thread }))
      yield* Deferred.await(call.begun)
      return yield* within(call.answer, timeoutMs)
    })
  }

  play(
    called: Called,
    part: { readonly role: string; readonly round: number; readonly attempt: number }
  ): Effect.Effect<Played, CallLost> {
    const { token } = called
    return Effect.flatMap(
      this.#begin(called, (thread) => ({ type: "Play", token, thread, ...part })),
      ({ answer, next }) =>
        Effect.map(Deferred.await(answer), (played) => ({
          answer: played,
          next: (timeoutMs) => within(next, timeoutMs)
        }))
    )
  }

  /** Asks a run's call to stop. True once it has; false when it has not within `timeoutMs`. */
  abort(runId: string, timeoutMs: number): Effect.Effect<boolean> {
    const call = [...this.#calls.values()].find((each) => each.runId === runId)
    if (!call) return Effect.succeed(true)
    return Effect.ignore(this.worker.send({ type: "Abort", token: call.token })).pipe(
      Effect.zipRight(Effect.timeoutOption(Effect.exit(over(call)), timeoutMs)),
      Effect.map(({ _tag }) => _tag === "Some")
    )
  }

  /** SIGKILL to it and all that it started; completes when they are gone. Not a loss: the hub wants it. */
  get kill(): Effect.Effect<WorkerExit> {
    return this.worker.kill("asked")
  }

  /** A run has ended: nothing of it is asked again. */
  forget(runId: string): Effect.Effect<void> {
    if (!this.#known.delete(runId)) return Effect.void
    return Effect.ignore(this.worker.send({ type: "Forget", runId }))
  }

  /** Takes what the worker reports. What nobody asked for is nobody's answer. */
  take(message: FromWorkflow): Effect.Effect<void> {
    if (message.type === "Loaded" || message.type === "LoadFailed") return Effect.void
    const call = this.#calls.get(message.token)
    if (!call) return Effect.void
    if (message.type === "Choosing") return Effect.asVoid(Deferred.succeed(call.begun, undefined))
    if (message.type === "Played") return Effect.asVoid(Deferred.succeed(call.answer, message))
    this.#calls.delete(message.token)
    return Effect.flatMap(Deferred.succeed(call.answer, message), (isFirst) =>
      isFirst ? Effect.void : Effect.asVoid(Deferred.succeed(call.next, message))
    )
  }

  /** Every call that is not answered is lost, and so is every later one. */
  lose(how: CallLost["how"]): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isOver ??= how
      const calls = [...this.#calls.values()]
      this.#calls.clear()
      const lost = new CallLost({ how: this.#isOver })
      return Effect.forEach(
        calls,
        ({ begun, answer, next }) =>
          Effect.forEach([begun, answer, next], (each) => Deferred.fail(each as typeof next, lost)),
        { discard: true }
      )
    })
  }

  #begin(called: Called, message: (thread: ThreadPart) => ToWorkflow): Effect.Effect<Call, CallLost> {
    return Effect.gen(this, function* () {
      const { runId, token } = called
      const known = this.#known.get(runId)
      const { part, after } = yield* threadPart(this.journal, runId, known)
      if (this.#isOver) return yield* new CallLost({ how: this.#isOver })
      const begun = yield* Deferred.make<void, CallLost>()
      const answer = yield* Deferred.make<CallAnswer, CallLost>()
      const next = yield* Deferred.make<CallAnswer, CallLost>()
      const call: Call = { ...called, begun, answer, next }
      this.#calls.set(token, call)
      this.#known.set(runId, after)
      // A worker that is gone is told by whoever reads from it: the call is lost there, with all others.
      yield* Effect.ignore(this.worker.send(message(part)))
      return call
    })
  }
}

/** Completes when nothing of a call goes on in the worker. */
const over = ({ answer, next }: Call): Effect.Effect<CallAnswer, CallLost> =>
  Effect.flatMap(Deferred.await(answer), (first) =>
    first.type === "Played" ? Deferred.await(next) : Effect.succeed(first)
  )

/** A timer only where there is something to wait for: mostly the answer is there already. */
const within = (
  answer: Deferred.Deferred<CallAnswer, CallLost>,
  timeoutMs: number
): Effect.Effect<CallAnswer, CallLost | undefined> =>
  Effect.flatMap(Deferred.isDone(answer), (isDone) =>
    isDone
      ? Deferred.await(answer)
      : Effect.timeoutFail(Deferred.await(answer), { duration: timeoutMs, onTimeout: () => undefined })
  )

const readAgain = Schedule.spaced(1_000)

/** What a worker does not know of a run yet. */
const threadPart = (
  journal: Journal["Type"],
  runId: string,
  known: Known = { version: 0 as Version, steps: 0 }
) =>
  Effect.map(
    Effect.retry(
      journal.readStreams([{ stream: makeStreamId("run", runId) as StreamId, after: known.version }]),
      readAgain
    ).pipe(Effect.orDie),
    (events) => {
      const requested = events.find(({ type }) => type === "RunRequested")
      const steps = events.filter(({ type }) => type === "RoleStepRecorded").map(stepOf)
      const part: ThreadPart = {
        runId,
        ...(requested && { start: startOf(requested) }),
        from: known.steps,
        steps
      }
      const version = events.at(-1)?.version ?? known.version
      return { part, after: { version, steps: known.steps + steps.length } }
    }
  )

const startOf = (event: RecordedEvent): Start => ({ ...dataOf<Omit<Start, "at">>(event), at: event.at })
const stepOf = (event: RecordedEvent): Step => ({ ...dataOf<Omit<Step, "at">>(event), at: event.at })
