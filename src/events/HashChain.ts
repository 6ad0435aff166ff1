/**
 * Tamper evidence: each event's hash covers the one before it and the event's canonical bytes, so that a
 * flipped bit, a missing row or two rows swapped show at the first offset they touch.
 */
import { hash as digest } from "node:crypto"
import { canonical, type EncodedEvent, type Offset, RecordedEvent } from "./Event.js"

/** The hash before the first event. */
export const genesis = "0".repeat(64)

/** Where the chain stands: the last event's offset, hash and time. */
export interface Head {
  readonly offset: Offset
  readonly hash: string
  readonly at: number
}

export const emptyHead: Head = { offset: 0 as Offset, hash: genesis, at: 0 }

const link = (previous: string, bytes: string): string => digest("sha256", previous + bytes, "hex")

/** Gives events their offsets and hashes, continuing from `head`. */
export const seal = (head: Head, events: ReadonlyArray<EncodedEvent>): ReadonlyArray<RecordedEvent> => {
  let { offset, hash } = head
  return events.map((event) => {
    offset = (offset + 1) as Offset
    hash = link(hash, canonical(event, offset))
    return new RecordedEvent({ ...event, offset, hash })
  })
}

export const headAfter = (head: Head, events: ReadonlyArray<RecordedEvent>): Head => events.at(-1) ?? head

/** What is wrong with a chain, and where it first shows. */
export interface ChainFault {
  readonly offset: Offset
  readonly reason: "gap" | "version" | "hash"
  readonly detail: string
}

/**
 * Checks events in journal order against everything before them. Keeps one number per stream, which is what
 * finding a missing or repeated version takes.
 */
export class ChainVerifier {
  #head: Head
  readonly #versions = new Map<string, number>()
  readonly #fromStart: boolean

  /** Starts at the journal's beginning, or at a trusted head further on (then versions are checked from there). */
  constructor(head: Head = emptyHead) {
    this.#head = head
    this.#fromStart = head.offset === 0
  }

  get head(): Head {
    return this.#head
  }

  /** The first fault among the next events, or undefined when all of them continue the chain. */
  check(events: Iterable<RecordedEvent>): ChainFault | undefined {
    for (const event of events) {
      const fault = this.#checkOne(event)
      if (fault) return fault
      this.#head = event
    }
    return undefined
  }

  #checkOne(event: RecordedEvent): ChainFault | undefined {
    const expected = (this.#head.offset + 1) as Offset
    if (event.offset !== expected) {
      return {
        offset: expected,
        reason: "gap",
        detail: `offset ${expected} is missing, ${event.offset} follows`
      }
    }
    const before = this.#versions.get(event.stream) ?? (this.#fromStart ? 0 : event.version - 1)
    if (event.version !== before + 1) {
      const detail = `${event.stream} goes from version ${before} to ${event.version}`
      return { offset: event.offset, reason: "version", detail }
    }
    this.#versions.set(event.stream, event.version)
    const hash = link(this.#head.hash, canonical(event, event.offset))
    if (hash === event.hash) return undefined
    return { offset: event.offset, reason: "hash", detail: `recorded hash ${event.hash}, computed ${hash}` }
  }
}
