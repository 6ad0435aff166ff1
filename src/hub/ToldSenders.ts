/** Which senders wait for the answer to their call, or have had it: they need no other word of what became of their message. */

/** Answers that are remembered; who is told twice after that many others is told the same. */
const maxRemembered = 10_000

export class ToldSenders {
  readonly #ids = new Set<string>()

  has(messageId: string): boolean {
    return this.#ids.has(messageId)
  }

  /** A call waits for what becomes of a message. */
  begin(messageId: string): void {
    this.#ids.add(messageId)
    for (const oldest of this.#ids) {
      if (this.#ids.size <= maxRemembered) break
      this.#ids.delete(oldest)
    }
  }

  /** It has ended before that was known. */
  leave(messageId: string): void {
    this.#ids.delete(messageId)
  }
}
