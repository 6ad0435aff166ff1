/** Checks the hash chain of a store, from its beginning or only its end. */
import { Effect } from "effect"
import type { Offset } from "./Event.js"
import * as EventRows from "./EventRows.js"
import { type ChainFault, ChainVerifier, emptyHead, type Head } from "./HashChain.js"
import { ioTurn } from "./ioTurn.js"
import type { JournalUnavailable } from "./Journal.js"
import type { SqliteStore } from "./SqliteStore.js"

const pageSize = 2_000

export interface Verification {
  readonly fault: ChainFault | undefined
  /** Where the chain stands: the last event that was found right. */
  readonly head: Head
}

/** Verifies every event, or with `last` only so many of the newest; `onProgress` is told the offset after each page. */
export const verify = (
  store: SqliteStore["Type"],
  options: { readonly last?: number; readonly onProgress?: (offset: Offset) => void } = {}
): Effect.Effect<Verification, JournalUnavailable> =>
  Effect.gen(function* () {
    const end = yield* EventRows.head(store)
    const from = Math.max(0, end.offset - (options.last ?? end.offset)) as Offset
    const [trusted] = from === 0 ? [] : yield* EventRows.readAfter(store, (from - 1) as Offset, 1)
    const verifier = new ChainVerifier(trusted ?? emptyHead)
    for (;;) {
      const page = yield* EventRows.readAfter(store, verifier.head.offset, pageSize)
      const fault = verifier.check(page)
      if (fault || page.length === 0) return { fault, head: verifier.head }
      options.onProgress?.(verifier.head.offset)
      yield* ioTurn
    }
  })
