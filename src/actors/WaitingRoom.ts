/** Commands that wait for something to become possible: in the order in which they came, until they are let through or time is up. */
import type { StreamId } from "../events/Event.js"
import type { Envelope } from "./CommandQueue.js"
import type { ActorState } from "./fold.js"
import type { Reason } from "./Refused.js"
import type { Change } from "./Turn.js"

/** A command that waits, and what it is refused with when its time is over. */
export interface Waiting {
  readonly envelope: Envelope
  readonly reason: Reason
}

/** What a command was let through for: this actor's state seemed to allow it. */
type Chance = Pick<Change, "kind" | "after">

export class WaitingRoom {
  readonly #waiting: Array<Waiting> = []
  /** Those that were let through and have not been decided since. */
  readonly #chances = new Map<Envelope, Chance>()

  admit(waiting: Waiting): void {
    const { sequence } = waiting.envelope
    const before = this.#waiting.findIndex(({ envelope }) => envelope.sequence > sequence)
    this.#waiting.splice(before < 0 ? this.#waiting.length : before, 0, waiting)
  }

  /** Forgets a command whose sender gave up. */
  remove(envelope: Envelope): void {
    const index = this.#waiting.findIndex((waiting) => waiting.envelope === envelope)
    if (index >= 0) this.#waiting.splice(index, 1)
  }

  /** Sends away those that `isOver` picks. */
  removeWhere(isOver: (envelope: Envelope) => boolean): ReadonlyArray<Waiting> {
    const over = this.#waiting.filter(({ envelope }) => isOver(envelope))
    for (const { envelope } of over) this.remove(envelope)
    return over
  }

  /** Sends everybody away. */
  removeAll(): ReadonlyArray<Envelope> {
    return this.#waiting.splice(0).map(({ envelope }) => envelope)
  }

  /** For each actor whose new state may let a command through, the first such command leaves and gets its chance. */
  letThrough(changes: ReadonlyArray<Change>): ReadonlyArray<Envelope> {
    return changes.flatMap((change) => this.#next(change, Number.NEGATIVE_INFINITY))
  }

  /** A chance that was not taken, as its sender was gone or may not have it, goes to the next one in line. */
  passOn(stateOf: (stream: StreamId) => ActorState | undefined): ReadonlyArray<Envelope> {
    const chances = [...this.#chances]
    this.#chances.clear()
    return chances.flatMap(
      ([
        { sequence },
        {
          kind,
          after: { stream }
        }
      ]) => {
        const after = stateOf(stream)
        return after ? this.#next({ kind, after }, sequence) : []
      }
    )
  }

  /** The first command later than `sequence` that an actor's state may let through. */
  #next({ kind, after }: Chance, sequence: number): ReadonlyArray<Envelope> {
    const index = this.#waiting.findIndex(
      ({ envelope }) =>
        envelope.sequence > sequence && envelope.kind === kind && kind.wakes?.(envelope.command, after)
    )
    if (index < 0) return []
    const woken = this.#waiting.splice(index, 1).map(({ envelope }) => envelope)
    for (const envelope of woken) this.#chances.set(envelope, { kind, after })
    return woken
  }
}
