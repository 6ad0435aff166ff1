/** Runs reflexes for as long as the hub is ready, each from where its own cursor stands. */
import { join } from "node:path"
import { Effect, Schedule, type Scope } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import { type Reflex, runReflex } from "../actors/Reflex.js"
import { fileCursor } from "../events/Cursor.js"
import type { Journal } from "../events/Journal.js"

export interface ReflexParts {
  readonly system: ActorSystem["Type"]
  readonly journal: Journal["Type"]
  readonly settings: { readonly stateDir: string }
}

/** When a reflex goes on that could not read the journal. */
const againMs = 1_000

export const serveReflexes = (
  { system, journal, settings: { stateDir } }: ReflexParts,
  reflexes: ReadonlyArray<Reflex>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(
    reflexes,
    (reflex) => {
      const cursor = fileCursor(join(stateDir, "cursors", `${reflex.name}.json`))
      const following = runReflex(reflex, { system, journal, cursor })
      return Effect.forkScoped(Effect.retry(following, Schedule.spaced(againMs)))
    },
    { discard: true }
  )
