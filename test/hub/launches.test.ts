import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { clientOf } from "../support/client.js"
import { ended, eventsOf, request, until } from "../support/runSteps.js"
import { startTestHub } from "../support/testHubs.js"
import { makeWorkspace } from "../support/workspaces.js"

const workflowWorker = resolve(import.meta.dirname, "../../dist/bin/chunks/workflowWorker.js")

const workflow = (answer: string) => `
import { END } from "mound/workspace"
export default {
  roles: {
    scout: async ({ evidence, start }) => {
      if (start.content === "stuck") await new Promise(() => {})
      return { content: "${answer} " + start.content, meta: { evidence } }
    }
  },
  moderator: ({ steps }) => (steps.length > 0 ? END : "scout")
}`

const files = {
  "mound.yaml": `
senses:
  pressure: {}
reflexes:
  - { sense: pressure, interval: 1h }
workflows:
  tidy: { concurrency: 2 }
`,
  "senses/pressure/compute.ts": `export const compute = async () => ({ workflow: "tidy|4|scratch at 88 %", pct: 88 })`,
  "workflows/tidy/index.ts": workflow("old")
}

describe("senses and workflows together", () => {
  it.scopedLive("a sense's launch starts a run with its prompt, its rounds and what else it said", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace(files)
      const hub = yield* startTestHub(workspace, { workflowWorker, watch: false })
      const client = clientOf(hub.url)
      // The first tick of an interval is at once.
      const found = yield* Effect.repeat(Effect.delay(client.get("/workflow_runs?status=all"), 50), {
        until: ({ body }) => (body as { readonly rows: ReadonlyArray<unknown> }).rows.length > 0
      })
      const [{ runId }] = (found.body as { readonly rows: readonly [{ readonly runId: string }] }).rows
      expect(yield* ended(client, runId)).toMatchObject({
        status: "completed",
        prompt: "scratch at 88 %",
        maxRounds: 4,
        origin: { kind: "sense", ref: "pressure" }
      })
      const step = (yield* eventsOf(client, runId)).find(({ type }) => type === "RoleStepRecorded")
      expect(step?.data).toMatchObject({ meta: { evidence: { pct: 88 } } })
    })
  )

  it.scopedLive(
    "an edit of a workflow's code is served as soon as it is saved; a workflow that is taken out takes its runs along",
    () =>
      Effect.gen(function* () {
        const workspace = yield* makeWorkspace({
          ...files,
          "mound.yaml": "workflows:\n  tidy: { drain_timeout: 1s }\n"
        })
        const hub = yield* startTestHub(workspace, { workflowWorker })
        const client = clientOf(hub.url)
        const contentOf = (runId: string) =>
          Effect.map(client.get(`/workflow_runs/${runId}/thread`), ({ body }) => {
            const { rounds } = body as { readonly rounds: ReadonlyArray<{ readonly content: string }> }
            return rounds[0]?.content
          })
        const first = yield* request(client, "tidy", { prompt: "x" })
        yield* ended(client, first.runId)
        expect(yield* contentOf(first.runId)).toBe("old x")

        const path = join(workspace, "workflows/tidy/index.ts")
        writeFileSync(path, readFileSync(path, "utf8").replace("old", "new"))
        const served = yield* Effect.repeat(
          Effect.gen(function* () {
            const { runId } = yield* request(client, "tidy", { prompt: "y" })
            yield* ended(client, runId)
            return yield* contentOf(runId)
          }),
          { until: (content) => content === "new y" }
        )
        expect(served).toBe("new y")

        const stuck = yield* request(client, "tidy", { prompt: "stuck" })
        yield* until(client, stuck.runId, ({ attempt }) => attempt === 1)
        writeFileSync(join(workspace, "mound.yaml"), "workflows: {}\n")
        expect(yield* ended(client, stuck.runId)).toMatchObject({
          status: "interrupted",
          reason: "workflow_removed",
          exitCode: 143
        })
        expect((yield* client.post("/workflows/tidy/runs", { prompt: "x" })).status).toBe(404)
      })
  )
})
