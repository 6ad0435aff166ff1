import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { call, clientOf } from "../support/mcpClient.js"
import { sharedHub } from "../support/runHubs.js"

const fine = `
import { END } from "mound/workspace"
export const workflow = {
  roles: { actor: async () => ({ content: "well done" }) },
  moderator: ({ steps }) => (steps.length < 1 ? "actor" : END)
}`

const hub = sharedHub({
  "mound.yaml":
    "workflows:\n  greet: { concurrency: 1, overflow: drop }\n  stuck: { concurrency: 1, overflow: drop }\n",
  "workflows/greet/index.ts": fine,
  "workflows/stuck/index.ts": fine.replace(
    "async () => (",
    "() => new Promise(() => {}), never: async () => ("
  )
})

/** An agent of this hub. */
const agent = Effect.gen(function* () {
  const { hub: running, post } = hub()
  const cwd = join(running.parts.settings.workspace, "a")
  mkdirSync(cwd, { recursive: true })
  const launch = { process: { args: [process.execPath, "-e", "0"] } }
  yield* post("/peers", { personality: "a", cwd, launch })
  return yield* clientOf(running, { "x-iapeer-identity": "process-a" })
})

describe("workflows as tools of an agent", () => {
  it.scopedLive("are triggered, and their runs are looked at until they have ended", () =>
    Effect.gen(function* () {
      const client = yield* agent
      const { isError, structuredContent: fate } = yield* call(client, "trigger_workflow", {
        workflow: "greet",
        prompt: "say hello",
        maxRounds: 3
      })
      expect([isError, fate.status]).toEqual([undefined, "running"])
      const run = yield* call(client, "run_status", { runId: fate.runId, waitMs: 20_000 })
      expect(run.structuredContent).toMatchObject({
        runId: fate.runId,
        workflow: "greet",
        status: "completed",
        prompt: "say hello",
        maxRounds: 3
      })
    })
  )

  it.scopedLive("say what is wrong in the words of the other routes", () =>
    Effect.gen(function* () {
      const client = yield* agent
      const tagOf = (tool: string, given: object) =>
        Effect.map(call(client, tool, given), ({ isError, structuredContent }) => [
          isError,
          structuredContent._tag
        ])
      expect(yield* tagOf("trigger_workflow", { workflow: "nobody", prompt: "x" })).toEqual([
        true,
        "UnknownWorkflow"
      ])
      expect(yield* tagOf("trigger_workflow", { workflow: "greet", prompt: " " })).toEqual([
        true,
        "InvalidCommand"
      ])
      expect(yield* tagOf("trigger_workflow", { workflow: "greet" })).toEqual([true, "InvalidCommand"])
      expect(yield* tagOf("run_status", { runId: "nobody" })).toEqual([true, "UnknownRun"])
    })
  )

  it.scopedLive("say of a run that was dropped that it was", () =>
    Effect.gen(function* () {
      const client = yield* agent
      const trigger = call(client, "trigger_workflow", { workflow: "stuck", prompt: "x" })
      const first = yield* trigger
      const second = yield* trigger
      expect(first.structuredContent.status).toBe("running")
      expect([second.isError, second.structuredContent.status]).toEqual([true, "dropped"])
      expect(second.content[0]?.text).toContain("was dropped")
      const runId = String(first.structuredContent.runId)
      yield* hub().post(`/workflow_runs/${runId}/kill`, { reason: "the test is over" })
    })
  )
})
