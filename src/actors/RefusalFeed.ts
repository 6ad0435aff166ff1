/** What was refused lately, and how often: refusals are not journaled, but logs and health show them. Bounded, in memory. */
import type { Envelope } from "./CommandQueue.js"
import type { Reason } from "./Refused.js"

export interface RefusalEntry {
  readonly at: number
  readonly kind: string
  readonly command: string
  readonly stream: string | undefined
  readonly by: string
  readonly commandId: string
  readonly reason: Reason
  /** From its arrival on. */
  readonly tookMs: number
}

const maxEntries = 1_000

export class RefusalFeed {
  readonly #entries: Array<RefusalEntry> = []
  readonly #counts = new Map<string, number>()
  readonly #listeners = new Set<(entry: RefusalEntry) => void>()

  add(at: number, envelope: Envelope, reason: Reason): void {
    const { kind, command, stream, by, commandId, arrivedAt } = envelope
    const tookMs = at - arrivedAt
    const entry = { at, kind: kind.name, command: command.type, stream, by, commandId, reason, tookMs }
    this.#entries.push(entry)
    if (this.#entries.length > 2 * maxEntries) this.#entries.splice(0, maxEntries)
    this.#counts.set(reason._tag, (this.#counts.get(reason._tag) ?? 0) + 1)
    for (const listener of this.#listeners) listener(entry)
  }

  /** The newest refusals, oldest first. */
  get recent(): ReadonlyArray<RefusalEntry> {
    return this.#entries.slice(-maxEntries)
  }

  /** Refusals since the start, by reason. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Calls back for each refusal until the returned function is called. */
  listen(listener: (entry: RefusalEntry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
