/** The hub's Unix socket in its state folder; a hub whose socket cannot be had serves at its port alone (contracts: hub 2). */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { Settings } from "../config/Settings.js"
import type { HttpServer } from "../http/HttpServer.js"

/** Its path, or null when there is none. The file goes with the hub. */
export const openSocket = (
  server: HttpServer,
  { stateDir, "http.socket": isWanted }: Settings
): Effect.Effect<string | null, never, Scope.Scope> =>
  Effect.gen(function* () {
    const path = join(stateDir, "hub.sock")
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(path, { force: true })))
    if (!isWanted) return null
    const problem = yield* server.listenAt(path)
    if (problem === undefined) return path
    yield* Effect.logWarning(`there is no socket at ${path}: ${problem}; the hub serves at its port`)
    return null
  })
