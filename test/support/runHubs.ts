/** Hubs for tests of runs, asked over HTTP: one for a whole file, or one boot after the other. They end with their scope. */
import { resolve } from "node:path"
import { afterAll, beforeAll } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { loadSettings } from "../../src/config/Settings.js"
import * as inlineWriter from "../../src/hub/inlineWriter.js"
import { type HubHandle, startHub } from "../../src/hub/startHub.js"
import { defaultLimits } from "../../src/runtimes/workflowInvocations.js"
import { type Client, clientOf } from "./client.js"
import { type Files, makeWorkspace } from "./workspaces.js"

/** The built program of a worker: workers never run from source. */
const workflowWorker = resolve(import.meta.dirname, "../../dist/bin/chunks/workflowWorker.js")

export interface TestHub extends Client {
  readonly hub: HubHandle
}

export const bootHub = (workspace: string): Effect.Effect<TestHub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings } = yield* loadSettings({ workspace, environment: { MOUND_PORT: "0" } })
    const hub = yield* startHub(settings, "test", {
      writer: inlineWriter.layer,
      workflowWorker,
      workflowLimits: { ...defaultLimits, moderatorMs: 500, abortMs: 300 }
    })
    return { hub, ...clientOf(hub.url) }
  }).pipe(Effect.orDie)

/** One hub for all tests of a file, on a workspace with these files. */
export const sharedHub = (files: Files): (() => TestHub) => {
  const scope = Effect.runSync(Scope.make())
  let hub: TestHub | undefined
  beforeAll(async () => {
    hub = await Effect.runPromise(Scope.extend(Effect.flatMap(makeWorkspace(files), bootHub), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 30_000)
  return () => hub as TestHub
}
