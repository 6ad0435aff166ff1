/** Waits until something is so, looking whenever the journal has grown. */
import { Effect, Option } from "effect"
import type { Journal, JournalUnavailable } from "../events/Journal.js"

/** False when the time is over before it is so. */
export const awaitThat = (
  journal: Journal["Type"],
  isSo: () => boolean,
  withinMs: number
): Effect.Effect<boolean, JournalUnavailable> => {
  const look: Effect.Effect<boolean, JournalUnavailable> = Effect.flatMap(journal.head, ({ offset }) =>
    isSo() ? Effect.succeed(true) : Effect.zipRight(journal.awaitBeyond(offset), look)
  )
  return Effect.map(Effect.timeoutOption(look, withinMs), Option.isSome)
}
