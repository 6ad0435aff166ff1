/**
 * The newest events, kept encoded in memory, and the wake-up of those who follow the journal. Followers that
 * keep up read from here, so a hundred of them cost the store nothing.
 */
import { Effect } from "effect"
import type { Offset, RecordedEvent, StreamId, Version } from "./Event.js"

const maxEvents = 1_024
const maxBytes = 8 * 1024 * 1024

export class Tail {
  #events: Array<RecordedEvent> = []
  #bytes = 0
  #head: Offset
  readonly #waiting = new Set<() => void>()
  readonly #bounded: boolean

  /** `bounded: false` keeps everything: then the tail is the whole journal. */
  constructor(head: Offset, options: { readonly bounded: boolean }) {
    this.#head = head
    this.#bounded = options.bounded
  }

  get head(): Offset {
    return this.#head
  }

  /** Takes committed events and wakes every follower; each then reads from its own cursor. */
  push(events: ReadonlyArray<RecordedEvent>): void {
    const last = events.at(-1)
    if (!last) return
    for (const event of events) {
      this.#events.push(event)
      this.#bytes += event.dataJson.length
    }
    this.#head = last.offset
    if (this.#bounded) this.#trim()
    const woken = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of woken) wake()
  }

  /** The events after an offset, or undefined when the tail does not reach back that far. */
  read(after: Offset, limit: number): ReadonlyArray<RecordedEvent> | undefined {
    if (after >= this.#head) return []
    const first = this.#events[0]
    if (!first || first.offset > after + 1) return undefined
    const from = after + 1 - first.offset
    return this.#events.slice(from, from + limit)
  }

  /**
   * A stream's events after a version, or undefined when they cannot be told from here: some of them are older than the tail, or there
   * are none.
   */
  readStream(stream: StreamId, after: Version): ReadonlyArray<RecordedEvent> | undefined {
    const found: Array<RecordedEvent> = []
    for (let index = this.#events.length - 1; index >= 0; index--) {
      const event = this.#events[index] as RecordedEvent
      if (event.stream !== stream) continue
      if (event.version <= after) return undefined
      found.push(event)
      if (event.version === after + 1) return found.reverse()
    }
    return undefined
  }

  awaitBeyond(after: Offset): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#head > after) return Effect.void
      return Effect.async<void>((resume) => {
        const wake = () => resume(Effect.void)
        this.#waiting.add(wake)
        return Effect.sync(() => this.#waiting.delete(wake))
      })
    })
  }

  /** Drops the oldest in one splice once a quarter too many are held, so that trimming costs nothing an event. */
  #trim(): void {
    if (this.#events.length <= maxEvents * 1.25 && this.#bytes <= maxBytes * 1.25) return
    let dropped = 0
    while (
      this.#events.length - dropped > maxEvents ||
      (this.#bytes > maxBytes && dropped < this.#events.length)
    ) {
      this.#bytes -= this.#events[dropped]?.dataJson.length ?? 0
      dropped++
    }
    this.#events.splice(0, dropped)
  }
}
