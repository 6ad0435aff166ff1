/** Lets fibers wait for something to become so, where plain variables say whether it is. */
import { Effect } from "effect"

export class Pulse {
  readonly #waiting = new Set<() => void>()

  /** Completes as soon as the condition holds; it is looked at now and whenever something has changed. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const look = () => {
        if (!condition()) return
        this.#waiting.delete(look)
        resume(Effect.void)
      }
      this.#waiting.add(look)
      look()
      return Effect.sync(() => this.#waiting.delete(look))
    })
  }

  /** Something has changed. */
  fire(): void {
    for (const look of [...this.#waiting]) look()
  }
}
