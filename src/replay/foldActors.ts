/** Folds every actor of a store to its newest state, one after the other. */
import { Effect } from "effect"
import type { ActorHistory } from "../actors/ActorKind.js"
import type { ActorState } from "../actors/fold.js"
import { kindOf, type RecordedEvent } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { ioTurn } from "../events/ioTurn.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { SqliteStore } from "../events/SqliteStore.js"
import { type EventTypes, UnknownEvent, upcast } from "../events/Upcasters.js"

const pageSize = 2_000

/** Calls `take` with each actor whose history folds; the others are left out, as a running hub quarantines them. */
export const foldActors = (
  store: SqliteStore["Type"],
  histories: ReadonlyMap<string, ActorHistory>,
  known: EventTypes,
  take: (state: ActorState) => void
): Effect.Effect<void, JournalUnavailable> =>
  Effect.gen(function* () {
    const { offset: head } = yield* EventRows.head(store)
    let cursor = EventRows.streamStart
    let state: ActorState | undefined
    for (;;) {
      const page = yield* EventRows.readByStream(store, cursor, head, pageSize)
      for (const recorded of page) {
        if (recorded.stream !== cursor.stream) {
          if (state) take(state)
          state = histories.get(kindOf(recorded.stream))?.fold.initial(recorded.stream)
        }
        cursor = recorded
        state = state && next(histories, known, state, recorded)
      }
      if (page.length < pageSize) break
      yield* ioTurn
    }
    if (state) take(state)
  })

const next = (
  histories: ReadonlyMap<string, ActorHistory>,
  known: EventTypes,
  state: ActorState,
  recorded: RecordedEvent
): ActorState | undefined => {
  const event = upcast(known, recorded)
  return event instanceof UnknownEvent
    ? undefined
    : histories.get(kindOf(state.stream))?.fold.apply(state, event)
}
