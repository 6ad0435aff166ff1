/**
 * Server-sent events from the journal. A follower reads pages from its own cursor and waits for its socket, so a slow one costs a
 * page of memory and delays nobody, and one that comes back with its last id misses nothing.
 */
import type { ServerResponse } from "node:http"
import { Effect } from "effect"
import type { Offset, RecordedEvent } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { writeOut } from "./writeOut.js"

export interface FollowOptions {
  readonly journal: Journal["Type"]
  readonly after: Offset
  /** Sent at once on connect. */
  readonly greeting: string
  /** The frame of an event, or undefined when this follower does not see it. */
  readonly frame: (event: RecordedEvent) => string | undefined
}

const pageSize = 256
const beatMs = 15_000

export const eventStreamHeaders = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache",
  "X-Accel-Buffering": "no"
}

/** Runs until the client goes away, which interrupts it, or until its socket is stalled, which cuts the connection. */
export const follow = (
  response: ServerResponse,
  { journal, after, greeting, frame }: FollowOptions
): Effect.Effect<void, JournalUnavailable> =>
  Effect.gen(function* () {
    response.writeHead(200, eventStreamHeaders)
    response.socket?.setNoDelay(true)
    yield* Effect.fork(Effect.forever(Effect.delay(writeOut(response, ": beat\n\n"), beatMs)))
    let takes = yield* writeOut(response, greeting)
    let cursor = after
    while (takes) {
      yield* journal.awaitBeyond(cursor)
      const page = yield* journal.read(cursor, pageSize)
      cursor = page.at(-1)?.offset ?? cursor
      takes = yield* writeOut(response, page.map((event) => frame(event) ?? "").join(""))
    }
    response.destroy()
  })
