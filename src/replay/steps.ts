/** One stream told step by step: what happened, who and what caused it, and what it changed. */
import { Effect } from "effect"
import type { ActorHistory } from "../actors/ActorKind.js"
import type { Offset, RecordedEvent, StreamId, Version } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { type EventTypes, upcast } from "../events/Upcasters.js"
import { foldToday } from "./foldToday.js"

export interface Step {
  readonly event: RecordedEvent
  /** ms since the stream's event before; null for the first. */
  readonly sinceMs: number | null
  readonly before: string
  /** The state that today's machine comes to; null when it refuses the event. */
  readonly after: string | null
  /** The parts of the machine's context that the event changed. */
  readonly changes: ReadonlyArray<{
    readonly field: string
    readonly before: unknown
    readonly after: unknown
  }>
  readonly problem: string | null
}

const pageSize = 1_000

/** The steps of a stream from its beginning up to an offset; it ends with the first that does not fold. */
export const steps = (
  store: SqliteStore["Type"],
  history: ActorHistory,
  known: EventTypes,
  stream: StreamId,
  upTo: Offset
): Effect.Effect<ReadonlyArray<Step>, JournalUnavailable> =>
  Effect.gen(function* () {
    const told: Array<Step> = []
    let state = history.fold.initial(stream)
    for (;;) {
      const page = yield* EventRows.readStreams(
        store,
        [{ stream, after: state.version as Version }],
        pageSize
      )
      for (const recorded of page) {
        if (recorded.offset > upTo) return told
        const { next, problem } = foldToday(history, state, upcast(known, recorded))
        told.push({
          event: recorded,
          sinceMs: state.version === 0 ? null : recorded.at - state.at,
          before: state.name,
          after: next?.name ?? null,
          changes: next ? changed(state.context, next.context) : [],
          problem
        })
        if (!next) return told
        state = next
      }
      if (page.length < pageSize) return told
    }
  })

type Fields = { readonly [field: string]: unknown }

const changed = (before: unknown, after: unknown): Step["changes"] => {
  const [old, young] = [before as Fields, after as Fields]
  return Object.keys(young)
    .filter((field) => JSON.stringify(old[field]) !== JSON.stringify(young[field]))
    .map((field) => ({ field, before: old[field], after: young[field] }))
}
