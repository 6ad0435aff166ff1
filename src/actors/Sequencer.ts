/**
 * The one write path. A single fiber takes whatever commands are waiting, decides each in order against state that is exactly
 * current, appends all their events in one transaction, then answers and starts the effects. While one turn is being committed the
 * next is decided on the states that it leads to; nothing is visible before it is durable, and when a commit fails every state is
 * put back as it was.
 */
import { Cause, Effect, Exit, Fiber } from "effect"
import type { RecordedEvent } from "../events/Event.js"
import { ioTurn } from "../events/ioTurn.js"
import { JournalUnavailable, type VersionConflict } from "../events/Journal.js"
import type { Envelope } from "./CommandQueue.js"
import { type Outage, Outages, type OutagesOptions, readOnly } from "./Outages.js"
import { Refused, type SystemReason } from "./Refused.js"
import type { Change, Turn } from "./Turn.js"
import { placeOf, TurnDecider, type TurnDeciderOptions } from "./TurnDecider.js"
import { WaitingRoom } from "./WaitingRoom.js"

export interface SequencerOptions extends TurnDeciderOptions, OutagesOptions {
  /** Runs after the answers of a committed turn. */
  readonly onCommitted: (changes: ReadonlyArray<Change>) => void
}

/** Commands a turn decides at most: one commit's worth. */
const maxTurn = 512
/** Commands that a first half has at least: fewer are not worth a commit of their own. */
const leastHalf = 16
/** A disk that takes longer for a commit, and for each event in it, is better served by one large commit than by two in turn. */
const quickCommitMs = 4
const quickEventMs = 0.1
/** Between two looks at a store that failed. */
const retryMs = 250
/** How long a caller waits for a commit in doubt before it is told that the outcome is unknown. */
const inDoubtMs = 10_000
const passivateEveryMs = 1_000

/** A turn on its way to the disk. */
interface Committing {
  readonly turn: Turn
  readonly fiber: Fiber.RuntimeFiber<ReadonlyArray<RecordedEvent>, VersionConflict | JournalUnavailable>
  readonly since: number
}

export class Sequencer {
  /** The turn that is being committed, and the one that is decided on top of it. */
  #committing: Committing | undefined
  #decided: Turn | undefined
  readonly #waitingRoom = new WaitingRoom()
  readonly #outages: Outages
  readonly #decider: TurnDecider
  #passivatedAt = 0
  /** As the newest commit had it. */
  #isDiskQuick = true

  constructor(private readonly options: SequencerOptions) {
    this.#outages = new Outages(options, this.#waitingRoom)
    this.#decider = new TurnDecider(options, this.#waitingRoom)
  }

  /** The outage that the store is in, if it takes no writes. */
  get outage(): Outage | undefined {
    return this.#outages.current
  }

  /** Queues a command. It is always answered through its envelope, also when there is no room for it. */
  submit(envelope: Envelope): void {
    const { reason } = this.#outages
    if (reason) this.#outages.refuse(envelope, reason)
    else if (!this.options.queue.offer(envelope)) {
      this.#outages.refuse(envelope, { _tag: "SlowDown", waiting: this.options.queue.waiting })
    }
  }

  /** Forgets a command that waits for something to become possible, since its sender gave up. */
  forget(envelope: Envelope): void {
    envelope.cancelled = true
    this.#waitingRoom.remove(envelope)
  }

  /** Refuses the commands that wait and that `isOver` picks, by default with what each is waiting for. */
  refuseWaiting(isOver: (envelope: Envelope) => boolean, reason?: SystemReason): void {
    for (const waiting of this.#waitingRoom.removeWhere(isOver)) {
      this.#outages.refuse(waiting.envelope, reason ?? waiting.reason)
    }
  }

  /** Decides and commits, turn after turn, for ever. */
  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.suspend((): Effect.Effect<void> => {
      if (this.#committing) return this.#settle(this.#committing)
      if (this.#decided) return this.#beginCommit(this.#decided)
      const outage = this.#outages.current
      return outage
        ? this.#outages.tryToResume(outage, (envelope) => this.#turnAlone(envelope))
        : this.#decideMore
    })
  )

  /**
   * Waits for commands and decides them, on top of what is decided and not being committed yet. Interruptible only while it waits.
   */
  readonly #decideMore: Effect.Effect<void> = Effect.uninterruptibleMask((restore) =>
    Effect.gen(this, function* () {
      yield* restore(this.#commands)
      const { actors, queue } = this.options
      this.#decided = yield* this.#decide(queue.take(this.#share), this.#decided)
      queue.putFirst(
        this.#waitingRoom.passOn((stream) => (actors.isLive(stream) ? actors.state(stream) : undefined))
      )
    })
  )

  /**
   * How many commands to decide now. While the writer rests, half of those that wait: it gets work at once and has the others decided
   * while it is busy. Callers who all wait for one commit would come back all together, and the decider and the writer would wait for
   * each other for ever.
   */
  get #share(): number {
    const room = maxTurn - (this.#decided?.size ?? 0)
    const rests = this.#committing === undefined && this.#isDiskQuick
    return rests ? Math.min(room, Math.max(leastHalf, this.options.queue.waiting >> 1)) : room
  }

  /** Completes once a command waits and the turn that is being decided has room for it. */
  readonly #commands: Effect.Effect<void> = Effect.async<void>((resume) => {
    const isFull = this.#decided !== undefined && this.#decided.size >= maxTurn
    if (!isFull) this.options.queue.onWaiting(() => resume(Effect.void))
  }).pipe(
    // What sockets have received by now hands its commands in, and shares the coming commit.
    Effect.zipRight(ioTurn)
  )

  /** Sends a turn to the disk. */
  #beginCommit(turn: Turn): Effect.Effect<void> {
    this.#decided = undefined
    const since = this.options.now()
    return Effect.map(Effect.fork(this.#append(turn)), (fiber) => {
      this.#committing = { turn, fiber, since }
    })
  }

  /**
   * Waits until a turn is committed, and meanwhile decides whatever comes into the next one. That one is sent to the disk before this
   * one's answers go out: those who get them are busy for a while, and the writer need not wait for them.
   */
  #settle({ turn, fiber, since }: Committing): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const deciding = yield* Effect.fork(Effect.forever(this.#decideMore))
      const exit = yield* Fiber.await(fiber)
      yield* Fiber.interrupt(deciding)
      const quickMs = quickCommitMs + quickEventMs * turn.events.length
      this.#isDiskQuick = this.options.now() - since < quickMs
      this.#committing = undefined
      if (Exit.isFailure(exit)) yield* this.#settleFailure(turn, exit.cause)
      else {
        if (this.#decided) yield* this.#beginCommit(this.#decided)
        this.#publish(turn, exit.value)
      }
      yield* this.options.actors.saveSnapshots
      this.#passivate()
    })
  }

  #append(turn: Turn) {
    const { events } = turn
    return events.length === 0
      ? Effect.succeed([])
      : this.options.journal.append({ events, agendas: turn.agendas() })
  }

  #publish(turn: Turn, recorded: ReadonlyArray<RecordedEvent>): void {
    const { actors, queue, onRefused, onCommitted } = this.options
    const changes = turn.changes()
    actors.committed(changes)
    turn.publish(recorded, onRefused)
    onCommitted(changes)
    queue.putFirst(this.#waitingRoom.letThrough(changes))
  }

  /** Decides commands into a turn, a new one or one under way; undefined when the store could not be read, and everybody has been told so. */
  #decide(envelopes: ReadonlyArray<Envelope>, underWay?: Turn): Effect.Effect<Turn | undefined> {
    const turn = Effect.suspend(() => this.#decider.decide(envelopes, this.#committing?.turn, underWay))
    return Effect.catchAll(turn, (unavailable) =>
      Effect.sync(() => {
        this.#outages.begin(unavailable)
        this.#outages.refuseAll([...(underWay?.unanswered ?? []), ...envelopes], readOnly(unavailable))
        return undefined
      })
    )
  }

  /**
   * What was decided on top of a turn that failed, or waits because of what that led to, is decided anew, on the states that are put
   * back or turn out to hold.
   */
  #settleFailure(turn: Turn, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const next = this.#decided
    this.#decided = undefined
    next?.putBack()
    this.options.queue.putFirst([...(next?.unanswered ?? []), ...this.#waitingRoom.removeAll()])
    const failure = Cause.squash(cause)
    if (failure instanceof JournalUnavailable) return this.#reconcile(turn, failure)
    turn.putBack()
    return this.#isolate(turn.unanswered, failure)
  }

  /** A defect met in the commit is one command's: each is tried alone, so that only the culprit fails. */
  #isolate(envelopes: ReadonlyArray<Envelope>, error: unknown): Effect.Effect<void> {
    const [only, ...others] = envelopes
    if (!only) return Effect.void
    if (others.length > 0)
      return Effect.forEach(envelopes, (each) => this.#turnAlone(each), { discard: true })
    return Effect.sync(() => {
      const { actors, onDefect } = this.options
      onDefect({ ...placeOf(actors, only), where: "reduce", error })
      this.#outages.refuse(only, { _tag: "Defect", problem: String(error) })
    })
  }

  #turnAlone(envelope: Envelope): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { reason } = this.#outages
      if (reason) return this.#outages.refuse(envelope, reason)
      const turn = yield* this.#decide([envelope])
      if (!turn) return
      const exit = yield* Effect.exit(this.#append(turn))
      if (Exit.isSuccess(exit)) this.#publish(turn, exit.value)
      else yield* this.#settleFailure(turn, exit.cause)
    })
  }

  /**
   * A failed append is unknown, not "no". Nothing else is decided until the reopened store has said which it is, and nobody of this
   * turn is answered before, unless that takes too long. If it was not written, not even a refusal of the turn holds: it may rest
   * on a state that never came to be.
   */
  #reconcile(turn: Turn, unavailable: JournalUnavailable): Effect.Effect<void> {
    const { journal, now } = this.options
    const [first] = turn.events
    this.#outages.begin(unavailable)
    const doubtEnds = now() + inDoubtMs
    return journal.byCommands(first ? [first.commandId] : []).pipe(
      Effect.flatMap((found) =>
        found.length > 0 ? journal.read(turn.headOffset, turn.events.length) : Effect.succeed([])
      ),
      Effect.tapError(() => {
        this.#outages.refuseQueued(unavailable)
        if (now() >= doubtEnds) answerInDoubt(turn)
        return Effect.sleep(retryMs)
      }),
      Effect.eventually,
      Effect.map((recorded) => {
        if (recorded.length > 0) return this.#publish(turn, recorded)
        turn.putBack()
        this.#outages.refuseAll(turn.unanswered, readOnly(unavailable))
      })
    )
  }

  /** Lets idle actors go, but none that a turn on its way has moved. */
  #passivate(): void {
    const { actors, now } = this.options
    if (now() - this.#passivatedAt < passivateEveryMs) return
    this.#passivatedAt = now()
    const turns = [this.#committing?.turn, this.#decided]
    actors.passivate(this.#passivatedAt, (stream) => turns.some((turn) => turn?.moves(stream)))
  }
}

/** Tells those who would wait too long that the outcome is unknown; what becomes of the turn is open still. */
const answerInDoubt = (turn: Turn): void => {
  for (const { commandId, answer } of turn.unanswered) {
    answer(Exit.fail(new Refused({ reason: { _tag: "OutcomeUnknown", commandId } })))
  }
}
