/** Waits for changes in a folder: at once where the system tells, and every second in any case. */
import { type FSWatcher, watch } from "node:fs"
import { Effect, Queue, type Scope } from "effect"

/** How long a change can go unseen where nobody tells of it. */
const lookAgainMs = 1_000

export interface FolderWatch {
  /** Completes after a change since the last time, or after a second. */
  readonly changed: Effect.Effect<void>
  /** Lets it complete. */
  readonly nudge: () => void
}

export const watchFolder = (path: string): Effect.Effect<FolderWatch, never, Scope.Scope> =>
  Effect.gen(function* () {
    const changes = yield* Queue.sliding<void>(1)
    const nudge = () => {
      Queue.unsafeOffer(changes, undefined)
    }
    yield* Effect.acquireRelease(
      Effect.sync((): FSWatcher | undefined => {
        try {
          return watch(path, nudge).on("error", () => {})
        } catch {
          // Out of watches: the second does it alone.
          return undefined
        }
      }),
      (watcher) => Effect.sync(() => watcher?.close())
    )
    return { changed: Effect.raceFirst(Queue.take(changes), Effect.sleep(lookAgainMs)), nudge }
  })
