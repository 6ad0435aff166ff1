/**
 * The one write path. A single fiber takes whatever commands are waiting, decides each in order against state that is exactly
 * current, appends all their events in one transaction, then answers and starts the effects. Nothing is visible before it is
 * durable: when the commit fails, every state is put back as it was.
 */
import { Cause, Effect, Exit } from "effect"
import type { Offset, RecordedEvent, StreamId } from "../events/Event.js"
import { ioTurn } from "../events/ioTurn.js"
import type { Journal, JournalUnavailable, VersionConflict } from "../events/Journal.js"
import type { CommandQueue, Envelope } from "./CommandQueue.js"
import { type Decided, decideCommand } from "./decideCommand.js"
import type { LiveActors } from "./LiveActors.js"
import { type Reason, Refused, type SystemReason } from "./Refused.js"
import { type Change, Turn } from "./Turn.js"

/** A fault in this program that a command met: that command fails, the hub goes on and says so. */
export interface Defect {
  readonly stream: StreamId | undefined
  /** The newest event of the stream when it happened, as far as it is known. */
  readonly offset: Offset | null
  readonly where: "decide" | "reduce" | "invocation"
  readonly error: unknown
}

/** Why the journal takes no writes, and since when. */
export interface Outage {
  readonly reason: string
  readonly detail: string
  readonly since: number
  refused: number
}

export interface SequencerOptions {
  readonly queue: CommandQueue
  readonly actors: LiveActors
  readonly journal: Journal["Type"]
  readonly now: () => number
  /** Time of the last `HubReady` or `ClockJumpDetected`. */
  readonly floorAt: () => number
  /** Why a command is not taken now, if it is not. Asked in the command's turn. */
  readonly gate: (envelope: Envelope) => SystemReason | undefined
  /** Runs after the answers of a committed turn. */
  readonly onCommitted: (changes: ReadonlyArray<Change>) => void
  readonly onRefused: (envelope: Envelope, refused: Refused) => void
  readonly onDefect: (defect: Defect) => void
  /** The command that records the end of an outage: the first write that is tried again. */
  readonly resume: (outage: Outage) => Envelope | undefined
}

/** A command that waits, and what it is refused with when its time is over. */
interface Parked {
  readonly envelope: Envelope
  readonly reason: Reason
}

/** Commands a turn decides at most: one commit's worth. */
const maxTurn = 512
/** Between two looks at a store that failed, and between two attempts at writing again. */
const retryMs = 250
const resumeMs = 1_000
/** How long a caller waits for a commit in doubt before it is told that the outcome is unknown. */
const inDoubtMs = 10_000
const passivateEveryMs = 1_000

export class Sequencer {
  #outage: Outage | undefined
  /** Commands that wait for something to become possible, the longest waiting first. */
  readonly #parked: Array<Parked> = []
  #passivatedAt = 0

  constructor(private readonly options: SequencerOptions) {}

  /** The outage that the store is in, if it takes no writes. */
  get outage(): Outage | undefined {
    return this.#outage
  }

  /** Queues a command. It is always answered through its envelope, also when there is no room for it. */
  submit(envelope: Envelope): void {
    if (this.#outage) this.#refuse(envelope, this.#readOnly(this.#outage))
    else if (!this.options.queue.offer(envelope)) {
      this.#refuse(envelope, { _tag: "SlowDown", waiting: this.options.queue.waiting })
    }
  }

  /** Forgets a parked command whose sender gave up. */
  unpark(envelope: Envelope): void {
    const index = this.#parked.findIndex((parked) => parked.envelope === envelope)
    if (index >= 0) this.#parked.splice(index, 1)
  }

  /** Refuses the parked commands that `isOver` picks, by default with what each is waiting for. */
  refuseParked(isOver: (envelope: Envelope) => boolean, reason?: SystemReason): void {
    const over = this.#parked.filter(({ envelope }) => isOver(envelope))
    for (const parked of over) {
      this.unpark(parked.envelope)
      this.#refuse(parked.envelope, reason ?? parked.reason)
    }
  }

  /** Decides and commits, turn after turn, for ever. */
  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() => (this.#outage ? this.#tryToResume(this.#outage) : this.#nextTurn()))
  )

  #nextTurn(): Effect.Effect<void> {
    const { queue, actors, now } = this.options
    return Effect.gen(this, function* () {
      yield* Effect.async<void>((resume) => queue.onWaiting(() => resume(Effect.void)))
      // What sockets have received by now hands its commands in, and shares the coming commit.
      yield* ioTurn
      yield* this.#turn(queue.take(maxTurn))
      yield* actors.saveSnapshots
      if (now() - this.#passivatedAt < passivateEveryMs) return
      this.#passivatedAt = now()
      actors.passivate(this.#passivatedAt)
    })
  }

  #turn(envelopes: ReadonlyArray<Envelope>): Effect.Effect<void> {
    const { journal, actors, now } = this.options
    let turn: Turn | undefined
    return Effect.gen(this, function* () {
      const head = yield* journal.head
      turn = new Turn(actors, head.offset)
      const repeats = yield* this.#findRepeats(envelopes)
      yield* actors.ensure(addresses(envelopes), now())
      for (const envelope of envelopes) {
        const first = repeats.get(envelope.commandId)
        if (first) yield* this.#repeat(turn, envelope, first)
        else yield* this.#decide(turn, envelope)
      }
      yield* this.#commit(turn, envelopes)
    }).pipe(
      Effect.catchAll((unavailable) =>
        Effect.sync(() => {
          turn?.putBack()
          this.#beginOutage(unavailable)
          for (const envelope of envelopes) {
            this.unpark(envelope)
            this.#refuse(envelope, this.#readOnly(unavailable))
          }
        })
      )
    )
  }

  /** The events of commands that were carried out before, by command id. Only ids that their sender chose can be repeats. */
  #findRepeats(envelopes: ReadonlyArray<Envelope>) {
    const ids = envelopes.filter(({ repeatable }) => repeatable).map(({ commandId }) => commandId)
    const repeats = new Map<string, Array<RecordedEvent>>()
    if (ids.length === 0) return Effect.succeed(repeats)
    return Effect.map(this.options.journal.byCommands(ids), (events) => {
      for (const event of events) {
        const others = repeats.get(event.commandId)
        if (others) others.push(event)
        else repeats.set(event.commandId, [event])
      }
      return repeats
    })
  }

  /** Gives a command that was carried out before its first answer again, or says that its id is another command's. */
  #repeat(turn: Turn, envelope: Envelope, events: ReadonlyArray<RecordedEvent>) {
    const stream = (events[0] as RecordedEvent).stream
    const own = events.filter((event) => event.stream === stream)
    const last = own.at(-1) as RecordedEvent
    const yields: { readonly [commandType: string]: ReadonlyArray<string> } = envelope.kind.yields
    const isSame =
      (envelope.stream ?? stream) === stream && yields[envelope.command.type]?.includes(last.type) === true
    const { commandId } = envelope
    if (!isSame) {
      return Effect.sync(() => turn.refuse(envelope, { _tag: "CommandIdReused", commandId, stream }))
    }
    return Effect.map(this.options.actors.stateAt(stream, last.version), (state) =>
      state
        ? turn.answer(envelope, Exit.succeed({ stream, events: own, state, at: last.at }))
        : turn.refuse(envelope, { _tag: "OutcomeUnknown", commandId })
    )
  }

  /** Decides one command in its turn; actors that turn out to be needed are loaded on the way. */
  #decide(turn: Turn, envelope: Envelope): Effect.Effect<void, JournalUnavailable> {
    const decided = this.#decideNow(turn, envelope)
    switch (decided?._tag) {
      case "Need":
        return Effect.zipRight(
          this.options.actors.ensure(decided.streams, this.options.now()),
          Effect.suspend(() => this.#decide(turn, envelope))
        )
      case "Accept":
        turn.accept(envelope, decided.steps, decided.state)
        break
      case "Unchanged":
        turn.unchanged(envelope, decided.state, this.options.now())
        break
      case "Refuse":
        turn.refuse(envelope, decided.reason)
        break
      case "Wait":
        if (this.options.now() < envelope.waitUntil) this.#park({ envelope, reason: decided.reason })
        else turn.refuse(envelope, decided.reason)
    }
    return Effect.void
  }

  /** Undefined when the command needs no decision: its sender is gone, or it repeats one of this turn. */
  #decideNow(turn: Turn, envelope: Envelope): Decided | undefined {
    if (envelope.cancelled || (envelope.repeatable && turn.repeat(envelope))) return undefined
    const { actors, now, floorAt, gate, onDefect } = this.options
    try {
      const closed = gate(envelope)
      if (closed) return { _tag: "Refuse", reason: closed }
      return decideCommand(actors, envelope, { now: now(), floorAt: floorAt() }, turn.nextOffset)
    } catch (error) {
      onDefect({ ...this.#placeOf(envelope), where: "decide", error })
      return { _tag: "Refuse", reason: { _tag: "Defect", problem: String(error) } }
    }
  }

  #commit(turn: Turn, envelopes: ReadonlyArray<Envelope>): Effect.Effect<void> {
    if (turn.events.length === 0) return Effect.sync(() => this.#publish(turn, []))
    return this.options.journal.append({ events: turn.events, agendas: turn.agendas() }).pipe(
      Effect.matchCauseEffect({
        onSuccess: (recorded) => Effect.sync(() => this.#publish(turn, recorded)),
        onFailure: (cause) => {
          const failure = Cause.failureOption(cause)
          if (failure._tag === "Some" && failure.value._tag === "JournalUnavailable") {
            return this.#reconcile(turn, failure.value)
          }
          turn.putBack()
          return this.#isolate(envelopes, cause)
        }
      })
    )
  }

  #publish(turn: Turn, recorded: ReadonlyArray<RecordedEvent>): void {
    const changes = turn.changes()
    turn.publish(recorded, this.options.onRefused)
    this.options.onCommitted(changes)
    this.#letThrough(changes)
  }

  /** A defect met in the commit is one command's: each is tried alone, so that only the culprit fails. */
  #isolate(envelopes: ReadonlyArray<Envelope>, cause: Cause.Cause<VersionConflict | JournalUnavailable>) {
    const [only] = envelopes
    for (const envelope of envelopes) this.unpark(envelope)
    if (envelopes.length > 1)
      return Effect.forEach(envelopes, (each) => this.#turn([each]), { discard: true })
    return Effect.sync(() => {
      const error = Cause.squash(cause)
      if (!only) return
      this.options.onDefect({ ...this.#placeOf(only), where: "reduce", error })
      this.#refuse(only, { _tag: "Defect", problem: String(error) })
    })
  }

  /**
   * A failed append is unknown, not "no". Nothing else is decided until the reopened store has said which it is, and nobody of
   * this turn is answered before.
   */
  #reconcile(turn: Turn, unavailable: JournalUnavailable): Effect.Effect<void> {
    const { journal } = this.options
    const first = turn.events[0]
    this.#beginOutage(unavailable)
    const doubtEnds = this.options.now() + inDoubtMs
    return journal.byCommands(first ? [first.commandId] : []).pipe(
      Effect.flatMap((found) =>
        found.length > 0 ? journal.read(turn.headOffset, turn.events.length) : Effect.succeed([])
      ),
      Effect.tapError(() => {
        this.#refuseWaiting(unavailable)
        if (this.options.now() >= doubtEnds) turn.answerInDoubt()
        return Effect.sleep(retryMs)
      }),
      Effect.eventually,
      Effect.map((recorded) => {
        if (recorded.length > 0) return this.#publish(turn, recorded)
        turn.putBack()
        turn.refuseAccepted(this.#readOnly(unavailable))
        turn.publish([], this.options.onRefused)
      })
    )
  }

  #beginOutage({ reason, detail }: JournalUnavailable): void {
    this.#outage ??= { reason, detail, since: this.options.now(), refused: 0 }
  }

  /** Everything that waits is refused; then the end of the outage is written, and if that works it is over. */
  #tryToResume(outage: Outage): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      this.#refuseWaiting(outage)
      yield* Effect.sleep(resumeMs)
      this.#outage = undefined
      const envelope = this.options.resume(outage)
      yield* this.#turn(envelope ? [envelope] : [])
      // Still failing: the outage goes on, with its own beginning and count.
      if (this.#outage) this.#outage = outage
    })
  }

  /** What is queued is not decided yet: it is refused with certainty. */
  #refuseWaiting(outage: { readonly reason: string; readonly detail: string }): void {
    for (const envelope of this.options.queue.take(Number.POSITIVE_INFINITY)) {
      this.#refuse(envelope, this.#readOnly(outage))
    }
  }

  #readOnly({ reason, detail }: { readonly reason: string; readonly detail: string }): SystemReason {
    return { _tag: "ReadOnly", reason, detail }
  }

  #park(parked: Parked): void {
    const { sequence } = parked.envelope
    const before = this.#parked.findIndex(({ envelope }) => envelope.sequence > sequence)
    this.#parked.splice(before < 0 ? this.#parked.length : before, 0, parked)
  }

  /** For each actor whose new state may let a waiting command through, the first such command gets its chance now. */
  #letThrough(changes: ReadonlyArray<Change>): void {
    if (this.#parked.length === 0) return
    const woken: Array<Envelope> = []
    for (const { kind, after } of changes) {
      const index = this.#parked.findIndex(
        ({ envelope }) => envelope.kind === kind && kind.wakes?.(envelope.command, after)
      )
      if (index >= 0) woken.push(...this.#parked.splice(index, 1).map(({ envelope }) => envelope))
    }
    if (woken.length > 0) this.options.queue.putFirst(woken)
  }

  #placeOf({ stream }: Envelope): Pick<Defect, "stream" | "offset"> {
    const { actors } = this.options
    return {
      stream,
      offset: stream !== undefined && actors.isLive(stream) ? actors.state(stream).offset : null
    }
  }

  #refuse(envelope: Envelope, reason: Reason): void {
    if (reason._tag === "ReadOnly" && this.#outage) this.#outage.refused++
    const refused = new Refused({ reason })
    envelope.answer(Exit.fail(refused))
    this.options.onRefused(envelope, refused)
  }
}

const addresses = (envelopes: ReadonlyArray<Envelope>): ReadonlyArray<StreamId> =>
  envelopes.flatMap(({ kind, stream, command }) => [
    ...(stream === undefined ? [] : [stream]),
    ...(kind.reads?.(command) ?? [])
  ])
