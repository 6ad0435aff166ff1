/** The connections that wait for what is to come: how many there may be, and how each is told that the hub ends. */
export const maxFollowers = 512

export class Followers {
  readonly #closers = new Set<() => void>()

  get count(): number {
    return this.#closers.size
  }

  get isFull(): boolean {
    return this.#closers.size >= maxFollowers
  }

  /** `close` is called when the hub ends. The follower leaves by calling what is returned. */
  add(close: () => void): () => void {
    this.#closers.add(close)
    return () => this.#closers.delete(close)
  }

  closeAll(): void {
    for (const close of this.#closers) close()
  }
}
