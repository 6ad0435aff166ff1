/** A hub in this very process, for what can only be measured from inside. */
import { Effect, type Scope } from "effect"
import { loadSettings } from "../src/config/Settings.js"
import type { HubParts } from "../src/hub/HubParts.js"
import { startHub } from "../src/hub/startHub.js"
import { version } from "../src/version.js"

export const startHubHere = (
  workspace: string
): Effect.Effect<HubParts & { readonly port: number }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings } = yield* loadSettings({ workspace, environment: {}, flags: { "http.port": "0" } })
    const { parts, port } = yield* startHub(settings, version)
    return { ...parts, port }
  }).pipe(Effect.orDie)
