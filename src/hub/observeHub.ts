/** How a boot goes, for whoever started it. */
import { Cause, Deferred, Effect, Exit } from "effect"
import type { HubKind, HubState } from "../actors/hub/hubKind.js"
import type { Change } from "../actors/Turn.js"
import { RecoveryFailed } from "./StartFailure.js"

/** Follows the hub's own stream as it is committed: when it is ready, and how it ends. */
export const observeHub = Effect.gen(function* () {
  const ready = yield* Deferred.make<void, RecoveryFailed>()
  const ended = yield* Deferred.make<{ readonly clean: boolean }, RecoveryFailed>()
  let state: HubState | undefined
  return {
    ready: Deferred.await(ready),
    ended: Deferred.await(ended),
    hub: () => state as HubState,
    committed: (hubKind: HubKind, changes: ReadonlyArray<Change>) => {
      const change = changes.find(({ kind }) => kind === hubKind)
      if (!change) return
      state = change.after as HubState
      const { lastBoot, failure } = state.context
      if (state.name === "ready") Deferred.unsafeDone(ready, Exit.void)
      if (state.name !== "stopped") return
      // Told to stop before it was ready, it has done what it was told.
      const isFailed = lastBoot === "failed"
      Deferred.unsafeDone(
        ready,
        isFailed ? Exit.fail(new RecoveryFailed({ problem: failure ?? "" })) : Exit.void
      )
      Deferred.unsafeDone(ended, Exit.succeed({ clean: lastBoot === "clean" }))
    },
    died: (cause: Cause.Cause<never>) => {
      const failure = Exit.fail(new RecoveryFailed({ problem: Cause.pretty(cause) }))
      Deferred.unsafeDone(ready, failure)
      Deferred.unsafeDone(ended, failure)
    }
  }
})
