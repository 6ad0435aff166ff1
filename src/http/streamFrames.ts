/** The frames of a followed stream: data, each with a control frame after it that says where the reader stands (contracts: streams 5.4). */
import { Clock, Effect, Random } from "effect"
import type { Offset, RecordedEvent } from "../events/Event.js"

const maxFrameBytes = 256 * 1024

export interface DataFrame {
  readonly text: string
  /** Of the newest event in it. */
  readonly last: Offset
}

/** Data frames of at most 256 KiB, each a whole JSON array; a larger message is alone in its frame. */
export const dataFrames = (events: ReadonlyArray<RecordedEvent>): ReadonlyArray<DataFrame> => {
  const frames: Array<DataFrame> = []
  let parts: Array<string> = []
  let bytes = 0
  for (const [index, event] of events.entries()) {
    const { json } = event
    parts.push(json)
    bytes += json.length
    const next = events[index + 1]
    if (next && bytes + next.json.length <= maxFrameBytes) continue
    frames.push({ text: `event: data\ndata:[${parts.join(",")}]\n\n`, last: event.offset })
    parts = []
    bytes = 0
  }
  return frames
}

export interface Control {
  /** The token from which the reader goes on. */
  readonly next: string
  readonly isUpToDate: boolean
  readonly isClosed: boolean
  readonly cursor: string
}

/** The `id` stands after the data: readers of the protocol match the two lines before it, an `EventSource` resumes by it. */
export const controlFrame = ({ next, isUpToDate, isClosed, cursor }: Control): string => {
  const said = isClosed
    ? { streamNextOffset: next, upToDate: true, streamClosed: true }
    : { streamNextOffset: next, streamCursor: cursor, ...(isUpToDate && { upToDate: true }) }
  return `event: control\ndata:${JSON.stringify(said)}\nid:${next}\n\n`
}

/** Intervals of 20 s since the protocol's epoch. */
const epochMs = Date.UTC(2024, 9, 9)
const intervalMs = 20_000
const maxJump = 180

/** Beyond what the client has seen, so that a cache between cannot give it the same answer for ever. */
export const cursorAfter = (seen: string | undefined): Effect.Effect<string> =>
  Effect.gen(function* () {
    const current = Math.floor(((yield* Clock.currentTimeMillis) - epochMs) / intervalMs)
    const last = seen !== undefined && /^\d{1,15}$/.test(seen) ? Number(seen) : -1
    return String(last < current ? current : last + 1 + (yield* Random.nextIntBetween(0, maxJump)))
  })
