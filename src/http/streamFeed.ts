/** A followed stream over one connection: what is there, then what comes, until the client goes or the stream ends. */
import type { ServerResponse } from "node:http"
import { Effect } from "effect"
import type { Offset, RecordedEvent } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { type JournalReading, type Page, readNew, readPage } from "./JournalReading.js"
import { controlFrame, cursorAfter, dataFrames } from "./streamFrames.js"
import type { StreamRequest } from "./streamRequest.js"
import { writeOut } from "./writeOut.js"

/** Where a stream stands: its tail, and whether nothing can follow. */
export interface Standing {
  readonly tail: Offset
  readonly isClosed: boolean
}

export interface FeedServices {
  readonly journal: Journal["Type"]
  readonly token: (offset: number) => string
  readonly standingOf: (reading: JournalReading) => Effect.Effect<Standing, JournalUnavailable>
  readonly isLast: (event: RecordedEvent) => boolean
  readonly commentMs: number
}

export const feed = (
  response: ServerResponse,
  { reading, after = 0 as Offset, cursor: seen }: StreamRequest,
  { journal, token, standingOf, isLast, commentMs }: FeedServices
): Effect.Effect<void, JournalUnavailable> =>
  Effect.gen(function* () {
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache, no-transform",
      "X-Accel-Buffering": "no"
    })
    response.socket?.setNoDelay(true)
    yield* Effect.fork(Effect.forever(Effect.delay(writeOut(response, ": hb\n\n"), commentMs)))
    const isWhole = reading.stream === undefined
    const { offset: head } = yield* journal.head
    const { tail, isClosed } = yield* standingOf(reading)
    /** Where the reader goes on, as it was told last, and whether it was told that nothing is left. */
    let told: number = Math.max(after, tail)
    let wasUpToDate = false

    const control = (isUpToDate: boolean, isClosed: boolean) =>
      Effect.map(cursorAfter(seen), (cursor) =>
        controlFrame({ next: token(told), isUpToDate, isClosed, cursor })
      )
    /** Sends a page; what is told besides is true once the reader has the last of it. False when the socket takes nothing. */
    const send = ({ events, cursor }: Page, isUpToDate: boolean, isClosed: boolean) =>
      Effect.gen(function* () {
        const frames = dataFrames(events)
        for (const [index, { text, last }] of frames.entries()) {
          const isEnd = index === frames.length - 1
          told = isEnd && isWhole ? cursor : last
          const after = yield* control(isEnd && isUpToDate, isEnd && isClosed)
          if (!(yield* writeOut(response, text + after))) return false
        }
        if (frames.length === 0 && (isClosed || (isUpToDate && !wasUpToDate))) {
          if (isWhole) told = Math.max(told, cursor)
          if (!(yield* writeOut(response, yield* control(isUpToDate, isClosed)))) return false
        }
        wasUpToDate = isUpToDate
        return true
      })

    // All that a stream has up to here is read by its own index; from here on the journal is followed.
    let cursor = after
    do {
      const page = yield* readPage(journal, reading, cursor, tail)
      cursor = page.cursor
      const isThere = cursor >= tail
      const isUpToDate = isThere && (yield* journal.head).offset === head
      if (!(yield* send(page, isUpToDate || (isThere && isClosed), isThere && isClosed)))
        return void response.destroy()
      if (isThere && isClosed) return void response.end()
    } while (cursor < tail)

    cursor = Math.max(head, tail, after) as Offset
    for (;;) {
      yield* journal.awaitBeyond(cursor)
      const page = yield* readNew(journal, reading, cursor)
      cursor = page.cursor
      const ends = page.events.some(isLast) && !isWhole
      const { offset: newest } = yield* journal.head
      if (!(yield* send(page, ends || cursor >= newest, ends))) return void response.destroy()
      if (ends) return void response.end()
    }
  })
