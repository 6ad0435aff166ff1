/** Takes a workspace's writer lock for as long as the scope lasts, or says who has it. */
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import * as WriterLock from "../events/WriterLock.js"
import { readHubFile } from "./hubFile.js"
import { Locked, StartPrecondition } from "./StartFailure.js"

export const lockPath = (stateDir: string): string => join(stateDir, "hub.lock")
export const journalPath = (stateDir: string): string => join(stateDir, "mound.db")

export const holdLock = (stateDir: string): Effect.Effect<void, Locked | StartPrecondition, Scope.Scope> =>
  Effect.catchTags(WriterLock.hold(lockPath(stateDir)), {
    LockHeld: () => {
      const { pid = null, bootId = null, url = null } = readHubFile(stateDir) ?? {}
      return new Locked({ stateDir, pid, bootId, url })
    },
    LockUnusable: ({ path, problem }) =>
      new StartPrecondition({
        code: "lock_unusable",
        problem: `${path} cannot be locked: ${problem}`,
        fix: "make it writable, or remove it while no hub runs: it holds nothing"
      })
  })
