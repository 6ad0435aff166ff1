/** Commands that wait for something to become possible: in the order in which they came, until they are let through or time is up. */
import type { Envelope } from "./CommandQueue.js"
import type { Reason } from "./Refused.js"
import type { Change } from "./Turn.js"

/** A command that waits, and what it is refused with when its time is over. */
export interface Waiting {
  readonly envelope: Envelope
  readonly reason: Reason
}

export class WaitingRoom {
  readonly #waiting: Array<Waiting> = []

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
    if (this.#waiting.length === 0) return []
    return changes.flatMap(({ kind, after }) => {
      const index = this.#waiting.findIndex(
        ({ envelope }) => envelope.kind === kind && kind.wakes?.(envelope.command, after)
      )
      return index < 0 ? [] : this.#waiting.splice(index, 1).map(({ envelope }) => envelope)
    })
  }
}
