/** Makes projections anew while no hub runs. */
import { Context, Effect, Layer } from "effect"
import * as SqliteStore from "../events/SqliteStore.js"
import { KnownEvents } from "../events/Upcasters.js"
import * as Projector from "../projections/Projector.js"
import { knownEvents, projections } from "../replay/installed.js"
import { holdLock, journalPath } from "./holdLock.js"

/** Under the lock, so that no hub starts meanwhile. */
export const rebuildStopped = (stateDir: string, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* holdLock(stateDir)
    const built = yield* Projector.layer(projections).pipe(
      Layer.provide(SqliteStore.layer(journalPath(stateDir))),
      Layer.provide(Layer.succeed(KnownEvents, knownEvents)),
      Layer.build
    )
    const projector = Context.get(built, Projector.Projector)
    return yield* Effect.forEach(names, (name) => projector.rebuild(name))
  }).pipe(Effect.scoped)
