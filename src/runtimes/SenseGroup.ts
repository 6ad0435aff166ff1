/**
 * One group of senses and its process, from the first member to the last: forked, loaded sense by sense, replaced when code has changed,
 * forked again after a loss (contracts: senses and workflows 3.1 Blame, 3.5).
 */
import { Deferred, Effect, Fiber, type Scope } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import { lossWindowMs, respawnDelayMs } from "../actors/losses.js"
import type { SenseCommand } from "../actors/sense/SenseCommand.js"
import type { ReloadReason } from "../actors/sense/SenseEvent.js"
import type { Offset } from "../events/Event.js"
import { Pulse } from "./Pulse.js"
import type { ComputeReport, ComputeRequest } from "./SenseGroups.js"
import type { FromSenseWorker, ToSenseWorker } from "./senseProtocol.js"
import { type LoadReport, toLoadCommand, toReport } from "./senseReports.js"
import type { Worker, WorkerExit } from "./Worker.js"

type SenseWorker = Worker<ToSenseWorker, FromSenseWorker>

export interface SenseGroupServices {
  readonly start: Effect.Effect<SenseWorker, { readonly problem: string }, Scope.Scope>
  readonly stateDir: string
  readonly now: () => number
}

/** A sense of the group: on its way into the process, in it, or kept out by its own fault until its code changes. */
interface Member {
  readonly sense: string
  readonly call: InvocationCall
  status: "waiting" | "loading" | "loaded" | "broken"
  /** Of the code that was loaded, or that failed to. */
  hash: string | null
}

/** The newest compute of a sense in the process that runs now. */
interface Running {
  readonly token: Offset
  readonly done: Deferred.Deferred<ComputeReport>
  /** User code was called. */
  hasBegun: boolean
  hasEnded: boolean
}

type Loss = Extract<SenseCommand, { readonly type: "RecordSenseLoss" }>

/** Members of one moment come together before the process is forked, and changes of one moment make one restart. */
const settleMs = 50
const loadMs = 30_000
const busyMs = 50

export class SenseGroup {
  readonly #members = new Map<string, Member>()
  readonly #running = new Map<string, Running>()
  readonly #pulse = new Pulse()
  #worker: SenseWorker | undefined
  #loading: { readonly member: Member; readonly report: Deferred.Deferred<LoadReport> } | undefined
  /** Senses whose code has changed, or that have come or gone: the process is to be replaced. */
  readonly #changed = new Map<string, ReloadReason>()
  /** Why the hub killed the process itself, and whose fault it is. */
  #verdict: { readonly reason: Loss["reason"]; readonly blamed: ReadonlySet<string> } | undefined

  constructor(private readonly services: SenseGroupServices) {}

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  has(sense: string): boolean {
    return this.#members.has(sense)
  }

  hashOf(sense: string): string | null {
    return this.#members.get(sense)?.hash ?? null
  }

  /** A sense that comes while others are loaded gets them a new process, for code that they share is loaded once. */
  join(sense: string, call: InvocationCall): void {
    const isLate = [...this.#members.values()].some(({ status }) => status === "loaded")
    this.#members.set(sense, { sense, call, status: "waiting", hash: null })
    if (isLate) this.#changed.set(sense, "group")
    this.#pulse.fire()
  }

  leave(sense: string): void {
    const member = this.#members.get(sense)
    this.#members.delete(sense)
    if (member?.status === "loaded") this.#changed.set(sense, "group")
    this.#pulse.fire()
  }

  restart(sense: string): void {
    this.#changed.set(sense, "changed")
    this.#pulse.fire()
  }

  ready(sense: string): Effect.Effect<void> {
    return this.#pulse.until(() => this.#members.get(sense)?.status === "loaded")
  }

  /** A request that meets no process is one whose loss is being reported: it is never answered. */
  compute(sense: string, request: ComputeRequest): Effect.Effect<ComputeReport> {
    return Effect.gen(this, function* () {
      const worker = this.#worker
      if (!worker || this.#members.get(sense)?.status !== "loaded") return yield* Effect.never
      const done = yield* Deferred.make<ComputeReport>()
      this.#running.set(sense, { token: request.token, done, hasBegun: false, hasEnded: false })
      yield* Effect.ignore(worker.send({ type: "Compute", sense, ...request }))
      return yield* Deferred.await(done)
    })
  }

  abort(sense: string, token: Offset): Effect.Effect<void> {
    return Effect.suspend(() => {
      const running = this.#running.get(sense)
      if (running?.token !== token || !this.#worker) return Effect.never
      return Effect.zipRight(
        Effect.ignore(this.#worker.send({ type: "Abort", sense, token })),
        Effect.asVoid(Deferred.await(running.done))
      )
    })
  }

  /** One that never got to run is held up by others: they are blamed. */
  condemn(sense: string, token: Offset): Effect.Effect<void> {
    return Effect.suspend(() => {
      const running = this.#running.get(sense)
      if (running?.token !== token || !this.#worker) return Effect.void
      const holders = this.#sensesThat(({ hasBegun, hasEnded }) => hasBegun && !hasEnded)
      const blamed = running.hasBegun || holders.size === 0 ? new Set([sense]) : holders
      this.#verdict ??= { reason: "overdue", blamed }
      return Effect.asVoid(this.#worker.kill("lost"))
    })
  }

  /** Runs until the last member has left. */
  readonly run: Effect.Effect<void> = Effect.gen(this, function* () {
    let losses = 0
    while (!this.isEmpty) {
      yield* Effect.sleep(settleMs)
      const startedAt = this.services.now()
      const exit = yield* Effect.scoped(this.#live)
      if (!exit) continue
      losses = this.services.now() - startedAt >= lossWindowMs ? 1 : losses + 1
      yield* this.#reportLoss(exit)
      yield* Effect.sleep(respawnDelayMs(losses))
    }
  })

  /** One process: undefined when it was ended on purpose, else how it was lost. */
  readonly #live: Effect.Effect<WorkerExit | undefined, never, Scope.Scope> = Effect.gen(this, function* () {
    this.#changed.clear()
    this.#running.clear()
    const started = yield* Effect.either(this.services.start)
    if (started._tag === "Left") return this.#spawnFailed(started.left.problem)
    const worker = started.right
    this.#worker = worker
    yield* Effect.addFinalizer(() => Effect.sync(() => this.#forget()))
    const reading = yield* Effect.forkScoped(
      Effect.ignore(Effect.forever(Effect.flatMap(worker.take, this.#take)))
    )
    const leaving = Effect.zipRight(
      this.#pulse.until(() => this.isEmpty || this.#changed.size > 0),
      this.#giveUp
    )
    return yield* Effect.raceFirst(
      Effect.raceFirst(this.#loadAll(worker), leaving),
      // What it said before it ended counts.
      Effect.map(Effect.zipRight(Fiber.await(reading), worker.ended), (exit): WorkerExit | undefined => exit)
    )
  })

  /** Loads one sense after the other, so that a hang is one sense's. */
  #loadAll(worker: SenseWorker): Effect.Effect<never> {
    const next = () => [...this.#members.values()].find(({ status }) => status === "waiting")
    return Effect.forever(
      Effect.gen(this, function* () {
        yield* this.#pulse.until(() => next() !== undefined)
        const member = next()
        if (member) yield* this.#load(worker, member)
      })
    )
  }

  #load(worker: SenseWorker, member: Member): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { sense } = member
      const report = yield* Deferred.make<LoadReport>()
      member.status = "loading"
      this.#loading = { member, report }
      const { stateDir, now } = this.services
      yield* Effect.ignore(worker.send({ type: "Load", sense, stateDir, now: now() }))
      const outcome = yield* Effect.timeoutOption(Deferred.await(report), loadMs)
      if (outcome._tag === "None") {
        this.#verdict = { reason: "load_timeout", blamed: new Set([sense]) }
        yield* worker.kill("lost")
        return yield* Effect.never
      }
      this.#loading = undefined
      member.hash = outcome.value.hash
      yield* this.#tell(member, toLoadCommand(worker, outcome.value))
      member.status = outcome.value.type === "Loaded" ? "loaded" : "broken"
      this.#pulse.fire()
    })
  }

  /** Takes the code away from every member, from one that computes when it has ended, and lets the process go. */
  readonly #giveUp: Effect.Effect<undefined> = Effect.gen(this, function* () {
    yield* Effect.sleep(settleMs)
    yield* Effect.forEach([...this.#members.values()], (member) => this.#takeAway(member), {
      concurrency: "unbounded",
      discard: true
    })
    for (const member of this.#members.values()) member.status = "waiting"
    return undefined
  })

  #takeAway(member: Member): Effect.Effect<void> {
    if (member.status !== "loaded" && member.status !== "broken") return Effect.void
    const reason = this.#changed.get(member.sense) ?? "sibling"
    return member.call.send({ type: "ReloadSense", reason } as SenseCommand).pipe(
      Effect.tap(() => {
        member.status = "waiting"
      }),
      Effect.catchAll(({ reason }) =>
        reason._tag === "IllegalInState"
          ? Effect.delay(
              Effect.suspend(() => this.#takeAway(member)),
              busyMs
            )
          : Effect.void
      )
    )
  }

  readonly #take = (message: FromSenseWorker): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (message.type === "Loaded" || message.type === "LoadFailed") {
        const isAwaited = this.#loading?.member.sense === message.sense
        return isAwaited && this.#loading ? Deferred.succeed(this.#loading.report, message) : Effect.void
      }
      const running = this.#running.get(message.sense)
      if (running?.token !== message.token) return Effect.void
      if (message.type === "Began") {
        running.hasBegun = true
        return Effect.void
      }
      running.hasEnded = true
      return Deferred.succeed(running.done, toReport(message))
    })

  /** Tells every sense that was in the process, or on its way, that it is gone. */
  #reportLoss({ workerId, code, signal, stderrTail }: WorkerExit): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { reason, blamed } = this.#verdict ?? { reason: "exit", blamed: this.#suspects() }
      this.#verdict = undefined
      this.#loading = undefined
      const lost = [...this.#members.values()].filter(({ status }) => status !== "broken")
      for (const member of lost) member.status = "waiting"
      return Effect.forEach(
        lost,
        (member) => {
          const loss = { workerId, code, signal, reason, stderrTail, blamed: blamed.has(member.sense) }
          return this.#tell(member, { type: "RecordSenseLoss", ...loss })
        },
        { concurrency: "unbounded", discard: true }
      )
    })
  }

  /** Who computed; else who was being loaded; else everybody. */
  #suspects(): ReadonlySet<string> {
    const computing = this.#sensesThat(({ hasEnded }) => !hasEnded)
    const begun = this.#sensesThat(({ hasBegun, hasEnded }) => hasBegun && !hasEnded)
    if (begun.size > 0) return begun
    if (computing.size > 0) return computing
    return new Set(this.#loading ? [this.#loading.member.sense] : this.#members.keys())
  }

  #sensesThat(isMeant: (running: Running) => boolean): ReadonlySet<string> {
    return new Set([...this.#running].filter(([, running]) => isMeant(running)).map(([sense]) => sense))
  }

  #spawnFailed(problem: string): WorkerExit {
    this.#verdict = { reason: "spawn", blamed: new Set(this.#members.keys()) }
    return { workerId: "", code: null, signal: null, isAsked: false, stderrTail: problem }
  }

  #forget(): void {
    this.#worker = undefined
    this.#pulse.fire()
  }

  #tell(member: Member, command: SenseCommand): Effect.Effect<void> {
    return Effect.ignore(member.call.send(command))
  }
}
