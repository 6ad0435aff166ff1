/** Makes projections anew while no hub runs. */
import { Effect } from "effect"
import { Writer } from "../events/Writer.js"
import { holdLock, journalPath } from "./holdLock.js"
import { layer as inlineWriter } from "./inlineWriter.js"

/** Under the lock, so that no hub starts meanwhile. */
export const rebuildStopped = (stateDir: string, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* holdLock(stateDir)
    return yield* Effect.flatMap(Writer, (writer) => Effect.forEach(names, writer.rebuild)).pipe(
      Effect.provide(inlineWriter(journalPath(stateDir)))
    )
  }).pipe(Effect.scoped)
