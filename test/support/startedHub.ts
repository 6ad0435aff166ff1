/** A hub in the test's own process, on a workspace folder, with a port that the system chooses. */
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, type Scope } from "effect"
import { type Environment, loadSettings } from "../../src/config/Settings.js"
import * as inlineWriter from "../../src/hub/inlineWriter.js"
import { type HubHandle, type StartOptions, startHub } from "../../src/hub/startHub.js"
import * as ThreadedWriter from "../../src/hub/ThreadedWriter.js"
import { packageRoot } from "./hubProcess.js"

/** What a writer thread of the tests runs, as it was built. */
export const testWriterThread = pathToFileURL(join(packageRoot, "dist/test/support/testWriterThread.js"))

/** A writer on a mortal thread. */
export const mortalWriter = (path: string) => ThreadedWriter.layer(path, testWriterThread)

export interface StartedHub extends HubHandle {
  readonly post: (path: string, body: unknown, commandId?: string) => Effect.Effect<Answered>
  readonly get: (path: string) => Effect.Effect<Answered>
}

export interface Answered {
  readonly status: number
  readonly body: { readonly [field: string]: unknown }
}

/** It ends with the scope, as abruptly as a hub in a process can. */
export const startedHub = (
  workspace: string,
  { writer = inlineWriter.layer, ...options }: StartOptions & { readonly environment?: Environment } = {}
): Effect.Effect<StartedHub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { environment = {}, ...start } = options
    const { settings } = yield* loadSettings({ workspace, environment, flags: { "http.port": "0" } })
    const hub = yield* startHub(settings, "test", { writer, ...start })
    const ask = (path: string, init: RequestInit) =>
      Effect.promise(async (): Promise<Answered> => {
        const response = await fetch(hub.url + path, init)
        const text = await response.text()
        const isJson = response.headers.get("content-type")?.startsWith("application/json")
        return { status: response.status, body: isJson ? JSON.parse(text) : { text } }
      })
    const started: StartedHub = {
      ...hub,
      get: (path) => ask(path, {}),
      post: (path, body, commandId) =>
        ask(path, {
          method: "POST",
          body: JSON.stringify(body),
          headers: {
            "Content-Type": "application/json",
            ...(commandId !== undefined && { "Idempotency-Key": commandId })
          }
        })
    }
    return started
  }).pipe(Effect.orDie)
