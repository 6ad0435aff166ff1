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
import { tokenIn } from "./hubFile.js"
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

/** The tokens that make an operator, and whether everybody must show one. */
export interface HubTokens {
  readonly tokens: ReadonlyArray<string>
  readonly isAskedOfAll: boolean
}

/**
 * The configured token, and the hub's own: it lies in the state folder, is made where tokens are asked for, and is never printed. Whoever
 * can read it can read the journal too, so the verbs of this machine show it. Off loopback everybody must show a token.
 */
export const hubTokens = (settings: Settings): Effect.Effect<HubTokens, StartPrecondition> =>
  Effect.try({
    try: () => {
      const file = settings["http.token_file"]
      const configured =
        settings.token ?? (file === undefined ? undefined : readFileSync(file, "utf8").trim())
      const isAskedOfAll = configured !== undefined || !isLoopback(settings["http.host"])
      const isAsked = isAskedOfAll || settings["ledger.auth.tokens_file"] !== undefined
      const own = isAsked ? ownToken(settings.stateDir) : tokenIn(settings.stateDir)
      return { tokens: [configured, own].filter((token): token is string => !!token), isAskedOfAll }
    },
    catch: (error) =>
      new StartPrecondition({
        code: "no_token",
        problem: `http.token_file cannot be read: ${error}`,
        fix: "name a file that holds the token, readable by the hub's user alone"
      })
  })

/** Whether a hub there can only be reached from this machine. */
export const isLoopback = (host: string): boolean => loopback.has(host)

const ownToken = (stateDir: string): string => {
  const path = join(stateDir, "token")
  if (!statSync(path, { throwIfNoEntry: false })) {
    writeFileSync(path, randomBytes(32).toString("base64url"), { mode: 0o600 })
  }
  return readFileSync(path, "utf8").trim()
}
