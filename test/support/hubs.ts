/** Hubs for tests, in this process, on a workspace of their own: real store, real workers, real sockets. They end with the scope. */
import { resolve } from "node:path"
import { afterAll, beforeAll } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { loadWorkspace } from "../../src/config/loadWorkspace.js"
import * as inlineWriter from "../../src/hub/inlineWriter.js"
import { type HubHandle, startHub } from "../../src/hub/startHub.js"
import { type Files, makeWorkspace } from "./workspaces.js"

/** The built program of a worker: workers never run from source. */
const workflowEntry = resolve(import.meta.dirname, "../../dist/bin/chunks/workflowWorker.js")

export interface Answer {
  readonly status: number
  /** The parsed body, or its text. */
  readonly body: unknown
}

export interface TestHub {
  readonly hub: HubHandle
  readonly get: (path: string, headers?: Record<string, string>) => Effect.Effect<Answer>
  readonly post: (path: string, body?: unknown, headers?: Record<string, string>) => Effect.Effect<Answer>
}

export const bootHub = (workspace: string): Effect.Effect<TestHub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings, config } = yield* loadWorkspace({
      workspace,
      environment: { MOUND_PORT: "0" }
    })
    const hub = yield* startHub(settings, "test", { config, writer: inlineWriter.layer, workflowEntry })
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

export const clientOf = (url: string): Pick<TestHub, "get" | "post"> => {
  const ask = (path: string, init: RequestInit): Effect.Effect<Answer> =>
    Effect.promise(async () => {
      const response = await fetch(`${url}${path}`, init)
      const text = await response.text()
      const isJson = response.headers.get("content-type")?.startsWith("application/json")
      return { status: response.status, body: isJson ? JSON.parse(text) : text }
    })
  return {
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, body = {}, headers = {}) =>
      ask(path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers }
      })
  }
}
