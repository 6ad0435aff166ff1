/**
 * Ends a hub whose state folder was removed: nothing that it writes would ever be read, and nobody could find it to end it
 * (contracts: hub 3.6 no. 9).
 */
import { statSync } from "node:fs"
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubKind } from "../actors/hub/hubKind.js"
import { journalPath } from "./holdLock.js"

const lookMs = 5_000

/** Whether the journal is not the file any more that it was; one that was not there when the hub began to look is gone already. */
export const isGone = (stateDir: string, inode: number | undefined): boolean =>
  inode === undefined || statSync(journalPath(stateDir), { throwIfNoEntry: false })?.ino !== inode

export const watchStateDir = (
  system: ActorSystem["Type"],
  hubKind: HubKind,
  stateDir: string
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const inode = statSync(journalPath(stateDir), { throwIfNoEntry: false })?.ino
    while (!isGone(stateDir, inode)) yield* Effect.sleep(lookMs)
    yield* Effect.logWarning(`${stateDir} was removed: the hub ends`)
    const drain = { type: "DrainHub", force: true, reason: "the state folder is gone" } as const
    yield* Effect.ignore(system.send(hubKind, "", drain, { by: "hub" }))
  })
