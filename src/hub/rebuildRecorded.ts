/** Rebuilds a projection while the hub serves, one at a time, and records what came of it. */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubKind } from "../actors/hub/hubKind.js"
import type { Rebuilt } from "../events/Writer.js"
import { refusal } from "../http/refusals.js"
import type { CallFailure } from "../http/serve.js"
import type { Projector } from "../projections/Projector.js"

export const makeRebuild = (projector: Projector["Type"], system: ActorSystem["Type"], hubKind: HubKind) => {
  let isRunning = false
  return (name: string, by: string): Effect.Effect<Rebuilt, CallFailure> =>
    Effect.suspend((): Effect.Effect<Rebuilt, CallFailure> => {
      if (isRunning) return refusal({ _tag: "OperationBusy", operation: "a rebuild" })
      isRunning = true
      return projector.rebuild(name).pipe(
        Effect.tap((rebuilt) => system.send(hubKind, "", { type: "RecordRebuild", ...rebuilt }, { by })),
        Effect.ensuring(
          Effect.sync(() => {
            isRunning = false
          })
        ),
        // A table half made is of no use: once begun, a rebuild goes to its end.
        Effect.uninterruptible
      )
    })
}
