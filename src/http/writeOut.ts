/** Writes to a client that may be slow: waits for its socket, and gives up on one that takes nothing. */
import type { ServerResponse } from "node:http"
import { Effect } from "effect"

/** A socket that takes nothing for so long is given up; its client may come back (contracts: ledger 5.3). */
const stalledMs = 30_000

/** True once the socket has taken the text; false when it does not. */
export const writeOut = (response: ServerResponse, text: string): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    if (text === "" || response.write(text)) return Effect.succeed(true)
    const drained = Effect.async<boolean>((resume) => {
      // A quick socket may have drained before this fiber had its turn, and says so only once.
      if (!response.writableNeedDrain) return resume(Effect.succeed(true))
      const onDrain = () => resume(Effect.succeed(true))
      response.once("drain", onDrain)
      return Effect.sync(() => response.off("drain", onDrain))
    })
    return Effect.raceFirst(drained, Effect.delay(Effect.succeed(false), stalledMs))
  })
