/**
 * Ends what an earlier hub of this workspace left running and no session accounts for: a wrapper whose session is over must not go on
 * unseen (contracts: peers 4).
 */
import { basename, dirname } from "node:path"
import { Effect } from "effect"
import { endGroup } from "./ProcessHost.js"
import { findByArgument } from "./ProcessTable.js"
import { wrapperName } from "./SessionFolder.js"

export interface Orphan {
  readonly sessionId: string
  readonly pid: number
}

/** Completes with what it ended. */
export const reapOrphans = (
  sessionsRoot: string,
  isOpen: (sessionId: string) => boolean
): Effect.Effect<ReadonlyArray<Orphan>> =>
  Effect.gen(function* () {
    const isOurs = (argument: string) => dirname(argument) === sessionsRoot
    const orphans = findByArgument(isOurs)
      .filter(({ argv }) => argv.includes(wrapperName))
      .map(({ pid, argv }) => ({ pid, sessionId: basename(argv.find(isOurs) ?? "") }))
      .filter(({ sessionId }) => !isOpen(sessionId))
    yield* Effect.forEach(orphans, ({ pid, sessionId }) => endGroup(pid, sessionId, 0), {
      concurrency: "unbounded",
      discard: true
    })
    return orphans
  })
