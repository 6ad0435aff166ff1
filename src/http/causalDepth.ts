/** How deep in a chain of causes a call stands: one below the run whose role makes it, else at the top (contracts: 3.1 Depth). */
import { Effect } from "effect"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "../projections/Projector.js"
import { findRun } from "../projections/runQueries.js"

/** `cause` is the header `Mound-Cause`, which our command line sends from inside a role: `run/<id>`. */
export const causalDepth = (
  read: ReadRows,
  cause: string | undefined
): Effect.Effect<number, JournalUnavailable> =>
  cause?.startsWith("run/")
    ? Effect.map(findRun(read, cause.slice("run/".length)), (run) => (run ? run.depth + 1 : 0))
    : Effect.succeed(0)
