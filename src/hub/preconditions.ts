/** What must be so before a hub touches anything (contracts: hub 3.2 no. 1), and its state folder. */

import { randomBytes } from "node:crypto"
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readFileSync,
  statfsSync,
  statSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import type { Settings } from "../config/Settings.js"
import { StartPrecondition } from "./StartFailure.js"

const leastFreeBytes = 64 * 1024 * 1024

/** Checks the place, then makes the state folder, for its owner alone. */
export const prepareStateDir = (stateDir: string): Effect.Effect<void, StartPrecondition> =>
  Effect.suspend(() => {
    const existing = statSync(stateDir, { throwIfNoEntry: false })
    const place = existing ? stateDir : dirname(stateDir)
    const refused = checkPlace(place, existing?.uid)
    if (refused) return refused
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    chmodSync(stateDir, 0o700)
    return Effect.void
  })

const checkPlace = (place: string, owner: number | undefined): StartPrecondition | undefined => {
  if (owner !== undefined && owner !== process.getuid?.()) {
    const problem = `${place} belongs to user ${owner}, not to the one who starts the hub`
    return new StartPrecondition({ code: "not_ours", problem, fix: "start the hub as that user" })
  }
  try {
    accessSync(place, constants.W_OK)
  } catch {
    const problem = `${place} cannot be written`
    return new StartPrecondition({ code: "not_writable", problem, fix: "give yourself write permission" })
  }
  const { bavail, bsize } = statfsSync(place)
  if (bavail * bsize >= leastFreeBytes) return undefined
  const problem = `${place} has ${Math.floor((bavail * bsize) / 1_048_576)} MiB free, a hub needs 64 MiB to start`
  return new StartPrecondition({ code: "disk_full", problem, fix: "free some disk space" })
}

const loopback = new Set(["127.0.0.1", "::1", "localhost"])

/**
 * The token that callers must show: the configured one; off loopback there is always one, made in the state folder when needed and
 * never printed.
 */
export const tokenFor = (settings: Settings): Effect.Effect<string | undefined, StartPrecondition> =>
  Effect.try({
    try: () => {
      const file = settings["http.token_file"]
      if (settings.token !== undefined) return settings.token
      if (file !== undefined) return readFileSync(file, "utf8").trim()
      return loopback.has(settings["http.host"]) ? undefined : ownToken(settings.stateDir)
    },
    catch: (error) =>
      new StartPrecondition({
        code: "no_token",
        problem: `http.token_file cannot be read: ${error}`,
        fix: "name a file that holds the token, readable by the hub's user alone"
      })
  })

const ownToken = (stateDir: string): string => {
  const path = join(stateDir, "token")
  if (!statSync(path, { throwIfNoEntry: false })) {
    writeFileSync(path, randomBytes(32).toString("base64url"), { mode: 0o600 })
  }
  return readFileSync(path, "utf8").trim()
}
