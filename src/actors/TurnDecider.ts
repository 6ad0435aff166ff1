/**
 * Decides turns: takes commands in order, each against the states that the ones before it led to. Loads actors set-wise before a turn
 * and those that turn out to be needed on the way. It moves actors in memory only, and takes all of it back when it cannot go on.
 */
import { Effect, Exit } from "effect"
import type { Offset, RecordedEvent, StreamId } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import type { Envelope } from "./CommandQueue.js"
import { type Decided, decideCommand } from "./decideCommand.js"
import type { LiveActors } from "./LiveActors.js"
import type { SystemReason } from "./Refused.js"
import { idReused, isRepeat } from "./repeats.js"
import { Turn } from "./Turn.js"
import type { WaitingRoom } from "./WaitingRoom.js"

/** A fault in this program that a command met: that command fails, the hub goes on and says so. */
export interface Defect {
  readonly stream: StreamId | undefined
  /** The newest event of the stream when it happened, as far as it is known. */
  readonly offset: Offset | null
  readonly where: "decide" | "reduce" | "invocation"
  readonly error: unknown
}

export interface TurnDeciderOptions {
  readonly actors: LiveActors
  readonly journal: Journal["Type"]
  readonly now: () => number
  /** Since when the hub could be reached and could write. */
  readonly floorAt: () => number
  /** Why a command is not taken now, if it is not. Asked in the command's turn. */
  readonly gate: (envelope: Envelope) => SystemReason | undefined
  readonly onDefect: (defect: Defect) => void
}

export class TurnDecider {
  constructor(
    private readonly options: TurnDeciderOptions,
    private readonly waitingRoom: WaitingRoom
  ) {}

  /**
   * Decides commands in order, into a new turn or into one under way, on top of the turn that is being committed if there is one. They
   * are to be answered once both are committed. Fails only when actors cannot be loaded; then everything is as before the turn.
   */
  decide(
    envelopes: ReadonlyArray<Envelope>,
    committing: Turn | undefined,
    underWay: Turn | undefined
  ): Effect.Effect<Turn, JournalUnavailable> {
    const { actors, journal, now } = this.options
    return Effect.gen(this, function* () {
      const turn = underWay ?? new Turn(actors, committing?.lastOffset ?? (yield* journal.head).offset)
      const decideAll = Effect.gen(this, function* () {
        const repeats = yield* this.#findRepeats(envelopes)
        yield* actors.ensure(addresses(envelopes), now())
        for (const envelope of envelopes) {
          const first = repeats.get(envelope.commandId)
          if (first) yield* this.#repeat(turn, envelope, first)
          else {
            let needed = this.#decide(turn, envelope, committing)
            // Actors that turn out to be needed are loaded on the way.
            while (needed) {
              yield* actors.ensure(needed, now())
              needed = this.#decide(turn, envelope, committing)
            }
          }
        }
      })
      yield* Effect.tapError(decideAll, () => Effect.sync(() => turn.putBack()))
      return turn
    })
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
    const { commandId } = envelope
    const { stream } = events[0] as RecordedEvent
    const own = events.filter((event) => event.stream === stream)
    const last = own.at(-1) as RecordedEvent
    if (!isRepeat(envelope, events)) {
      return Effect.sync(() => turn.refuse(envelope, idReused(envelope, events)))
    }
    return Effect.map(this.options.actors.stateAt(stream, last.version), (state) =>
      state
        ? turn.answer(envelope, Exit.succeed({ stream, events, state, at: last.at }))
        : turn.refuse(envelope, { _tag: "OutcomeUnknown", commandId })
    )
  }

  /** Decides one command in its turn, or says which actors must be loaded before it can be. */
  #decide(turn: Turn, envelope: Envelope, committing: Turn | undefined): ReadonlyArray<StreamId> | undefined {
    const { now } = this.options
    const decided = this.#decideNow(turn, envelope, committing)
    switch (decided?._tag) {
      case "Need":
        return decided.streams
      case "Accept":
        turn.accept(envelope, decided.steps, decided.state)
        break
      case "Unchanged":
        turn.unchanged(envelope, decided.state, now())
        break
      case "Refuse":
        turn.refuse(envelope, decided.reason)
        break
      case "Wait":
        if (now() < envelope.waitUntil) this.waitingRoom.admit({ envelope, reason: decided.reason })
        else turn.refuse(envelope, decided.reason)
    }
    return undefined
  }

  /** Undefined when there is nothing to decide: the sender is gone, or the command repeats one that is on its way. */
  #decideNow(turn: Turn, envelope: Envelope, committing: Turn | undefined): Decided | undefined {
    const { actors, now, floorAt, gate, onDefect } = this.options
    if (envelope.cancelled) return undefined
    if (envelope.repeatable && (turn.repeat(envelope) || committing?.defer(envelope))) return undefined
    try {
      const closed = gate(envelope)
      if (closed) return { _tag: "Refuse", reason: closed }
      return decideCommand(actors, envelope, { now: now(), floorAt: floorAt() }, turn.nextOffset)
    } catch (error) {
      onDefect({ ...placeOf(actors, envelope), where: "decide", error })
      return { _tag: "Refuse", reason: { _tag: "Defect", problem: String(error) } }
    }
  }
}

/** The stream that a command is for and how far it has come, for whoever reads of a defect. */
export const placeOf = (actors: LiveActors, { stream }: Envelope): Pick<Defect, "stream" | "offset"> => ({
  stream,
  offset: stream !== undefined && actors.isLive(stream) ? actors.state(stream).offset : null
})

const addresses = (envelopes: ReadonlyArray<Envelope>): ReadonlyArray<StreamId> =>
  envelopes.flatMap(({ kind, stream, command }) => [
    ...(stream === undefined ? [] : [stream]),
    ...(kind.reads?.(command, stream) ?? [])
  ])
