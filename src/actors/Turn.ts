/**
 * One turn of the sequencer: the commands decided so far, the events they lead to, and the states that the turn began with, to go
 * back to if the commit fails.
 */
import { Cause, Exit } from "effect"
import type { NewEvent, Offset, RecordedEvent, StreamId } from "../events/Event.js"
import type { Agenda } from "../events/Journal.js"
import type { ActorKind } from "./ActorKind.js"
import type { Envelope, Outcome } from "./CommandQueue.js"
import type { Step } from "./decideCommand.js"
import type { ActorState } from "./fold.js"
import type { LiveActors } from "./LiveActors.js"
import { type Reason, Refused } from "./Refused.js"
import { idReused, isRepeat } from "./repeats.js"

/** A command that led to the turn's events from `from` to `to`, and to this state of its actor. */
interface Accepted {
  readonly _tag: "Accepted"
  readonly envelope: Envelope
  readonly from: number
  readonly to: number
  readonly state: ActorState
}

/** What was decided for one command. */
type Verdict =
  | { readonly _tag: "Answered"; readonly envelope: Envelope; readonly exit: Exit.Exit<Outcome, Refused> }
  | Accepted

/** An actor that a turn moved: where it found it and where it left it. */
export interface Change {
  readonly kind: ActorKind
  readonly before: ActorState
  readonly after: ActorState
}

export class Turn {
  readonly events: Array<NewEvent> = []
  readonly #verdicts: Array<Verdict> = []
  /** Repeats of this turn's commands that came while it was being committed: they are answered from what it leads to. */
  readonly #deferred: Array<Envelope> = []
  /** The commands of this turn that append, by id. */
  readonly #byCommand = new Map<string, Accepted>()
  readonly #changes = new Map<StreamId, Change>()

  constructor(
    private readonly actors: LiveActors,
    /** Where the journal ends before the turn. */
    readonly headOffset: Offset
  ) {}

  /** Where it ends after the turn. */
  get lastOffset(): Offset {
    return (this.headOffset + this.events.length) as Offset
  }

  /** The offset that the next event will have. */
  get nextOffset(): Offset {
    return (this.lastOffset + 1) as Offset
  }

  /** How many commands were decided. */
  get size(): number {
    return this.#verdicts.length
  }

  /** The commands that have no answer yet, in order. */
  get unanswered(): ReadonlyArray<Envelope> {
    return [...this.#verdicts.map(({ envelope }) => envelope), ...this.#deferred]
  }

  moves(stream: StreamId): boolean {
    return this.#changes.has(stream)
  }

  answer(envelope: Envelope, exit: Exit.Exit<Outcome, Refused>): void {
    this.#verdicts.push({ _tag: "Answered", envelope, exit })
  }

  refuse(envelope: Envelope, reason: Reason): void {
    this.answer(envelope, Exit.fail(new Refused({ reason })))
  }

  unchanged(envelope: Envelope, state: ActorState, at: number): void {
    this.answer(envelope, Exit.succeed({ stream: state.stream, events: [], state, at }))
  }

  /** Gives a repeat of a command of this very turn the answer of the first. False if there is none. */
  repeat(envelope: Envelope): boolean {
    const first = this.#byCommand.get(envelope.commandId)
    if (!first) return false
    const events = this.events.slice(first.from, first.to)
    if (isRepeat(envelope, events)) this.#verdicts.push({ ...first, envelope })
    else this.refuse(envelope, idReused(envelope, events))
    return true
  }

  /** Keeps a repeat of a command of this turn until the turn is committed. False if there is none. */
  defer(envelope: Envelope): boolean {
    const isRepeated = this.#byCommand.has(envelope.commandId)
    if (isRepeated) this.#deferred.push(envelope)
    return isRepeated
  }

  /** Takes a command's events and moves its actors on, tentatively. `state` is its own actor's after them. */
  accept(envelope: Envelope, steps: ReadonlyArray<Step>, state: ActorState): void {
    const from = this.events.length
    for (const step of steps) {
      this.events.push(step.event)
      this.#move(step)
    }
    const verdict: Verdict = { _tag: "Accepted", envelope, from, to: this.events.length, state }
    this.#verdicts.push(verdict)
    this.#byCommand.set(envelope.commandId, verdict)
  }

  /** Every actor goes back to where the turn found it. */
  putBack(): void {
    for (const { kind, before, after } of this.#changes.values()) {
      this.actors.replace(before)
      kind.index?.update(after, before)
    }
  }

  changes(): ReadonlyArray<Change> {
    return [...this.#changes.values()]
  }

  /** The agendas that this turn changes. */
  agendas(): ReadonlyArray<Agenda> {
    return this.changes()
      .filter(
        ({ before, after }) =>
          before.deadlines !== after.deadlines || before.invocations !== after.invocations
      )
      .map(({ after: { stream, deadlines, invocations } }) => ({
        stream,
        deadlines,
        invocations: invocations.map(({ id }) => id)
      }))
  }

  /** Answers every command that has no answer yet, from the committed events where it led to some. */
  publish(
    recorded: ReadonlyArray<RecordedEvent>,
    onRefused: (envelope: Envelope, refused: Refused) => void
  ): void {
    for (const envelope of this.#deferred.splice(0)) this.repeat(envelope)
    for (const verdict of this.#verdicts.splice(0)) {
      const { envelope } = verdict
      if (verdict._tag === "Accepted") {
        const { state, from, to } = verdict
        const events = recorded.slice(from, to)
        envelope.answer(Exit.succeed({ stream: state.stream, events, state, at: state.at }))
      } else {
        envelope.answer(verdict.exit)
        if (Exit.isFailure(verdict.exit)) onRefused(envelope, Cause.squash(verdict.exit.cause) as Refused)
      }
    }
  }

  #move({ kind, state }: Step): void {
    const current = this.actors.state(state.stream)
    const before = this.#changes.get(state.stream)?.before ?? current
    this.#changes.set(state.stream, { kind, before, after: state })
    this.actors.replace(state)
    kind.index?.update(current, state)
  }
}
