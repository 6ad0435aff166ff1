/** Notices that files in folders have changed, once they have settled. Folders are watched, not files: editors save by rename. */
import { type FSWatcher, watch } from "node:fs"
import { Clock, Effect, type Scope } from "effect"
import { Pulse } from "./Pulse.js"

/** contracts: senses and workflows 3.5 */
const quietMs = 200
const longestMs = 2_000

/** Runs `onSettled` after every burst of changes, for ever; `folders` is asked again after each. */
export const watchFolders = <R>(
  folders: () => ReadonlyArray<string>,
  onSettled: Effect.Effect<void, never, R>
): Effect.Effect<never, never, Scope.Scope | R> =>
  Effect.gen(function* () {
    const watchers = new Map<string, FSWatcher>()
    const pulse = new Pulse()
    let changes = 0
    const onChange = () => {
      changes += 1
      pulse.fire()
    }
    const follow = () => {
      const wanted = new Set(folders())
      for (const [folder, watcher] of watchers) {
        if (wanted.has(folder)) continue
        watcher.close()
        watchers.delete(folder)
      }
      for (const folder of wanted) {
        if (!watchers.has(folder)) tryToWatch(watchers, folder, onChange)
      }
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const watcher of watchers.values()) watcher.close()
      })
    )
    follow()
    let seen = 0
    for (;;) {
      yield* pulse.until(() => changes > seen)
      const since = yield* Clock.currentTimeMillis
      do {
        seen = changes
        yield* Effect.sleep(quietMs)
      } while (changes > seen && (yield* Clock.currentTimeMillis) - since < longestMs)
      yield* onSettled
      follow()
    }
  })

/** A folder that cannot be watched, or is gone, is looked for again after the next change elsewhere. */
const tryToWatch = (watchers: Map<string, FSWatcher>, folder: string, onChange: () => void): void => {
  try {
    const watcher = watch(folder, { persistent: false }, onChange)
    watcher.on("error", () => {
      watchers.delete(folder)
      onChange()
    })
    watchers.set(folder, watcher)
  } catch {
    // ENOENT, or no more watches to be had.
  }
}
