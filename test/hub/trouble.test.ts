import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { sharedHub, type TestHub } from "../support/runHubs.js"
import { ended, eventsOf, request, rowOf, typesOf, until } from "../support/runSteps.js"
import type { Files } from "../support/workspaces.js"

/** Two runs share the worker: what one does to it, the other meets. */
const shared = `
import { END } from "mound/workspace"
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
export default {
  roles: {
    actor: async ({ start, attempt, abort }) => {
      const deed = start.content
      if (deed === "loops") for (;;);
      if (deed === "deaf") await sleep(600000)
      if (deed === "neighbour" && attempt === 1) await sleep(600000)
      if (deed === "loses once" && attempt === 1) process.kill(process.pid, "SIGKILL")
      return { content: deed + " " + attempt }
    },
    holding: { inDoubt: "hold", run: async ({ attempt }) => { process.exit(attempt) } }
  },
  moderator: ({ start, steps }) => {
    if (start.content === "moderator loops") for (;;);
    if (steps.length > 0) return END
    return start.content === "holds" ? "holding" : "actor"
  }
}`

const crashing = `export default {
  roles: { actor: () => process.exit(1) },
  moderator: ({ steps }) => (steps.length > 0 ? "__end__" : "actor")
}`
const mended = crashing.replace("process.exit(1)", `({ content: "well" })`)

const files: Files = {
  "mound.yaml": `
workflows:
  deaf: { concurrency: 4 }
  looping: { concurrency: 4 }
  late: { concurrency: 4, role_timeout: 1s }
  crashing: { concurrency: 1, overflow: queue }
  edited: { concurrency: 1 }
`,
  "workflows/deaf/index.mjs": shared,
  "workflows/looping/index.mjs": shared,
  "workflows/late/index.mjs": shared,
  "workflows/crashing/index.mjs": crashing,
  "workflows/edited/index.mjs": mended
}

const theHub = sharedHub(files)
const onHub = (name: string, body: (hub: TestHub) => Effect.Effect<void, unknown>) =>
  // Some of it waits for back-offs: twice the usual time, for a machine that is busy.
  it.live(name, () => Effect.suspend(() => body(theHub())), 60_000)

/** The reasons that health gives about workflows, with whom they are about. */
const reasons = ({ get }: TestHub) =>
  Effect.map(get("/health"), ({ body }) => {
    const { components } = body as {
      readonly components: ReadonlyArray<{
        readonly component: string
        readonly reasons: ReadonlyArray<{ readonly reason: string; readonly subject: string }>
      }>
    }
    const own = components.find(({ component }) => component === "workflows")?.reasons ?? []
    return own.map(({ reason, subject }) => `${reason} ${subject}`)
  })

const edit = ({ hub }: TestHub, workflow: string, text: string) =>
  Effect.sync(() =>
    writeFileSync(join(hub.parts.settings.workspace, "workflows", workflow, "index.mjs"), text)
  )

describe("user code that misbehaves", () => {
  onHub(
    "is killed when it is deaf; its neighbour is shown as collateral and goes on, and the loss does not count",
    (hub) =>
      Effect.gen(function* () {
        const deaf = yield* request(hub, "deaf", { prompt: "deaf" })
        const neighbour = yield* request(hub, "deaf", { prompt: "neighbour" })
        yield* until(hub, deaf.runId, ({ attempt }) => attempt === 1)
        yield* until(hub, neighbour.runId, ({ attempt }) => attempt === 1)
        const kill = yield* hub.post(`/workflow_runs/${deaf.runId}/kill`)
        expect(kill.body).toMatchObject({ status: "running" })
        expect(yield* ended(hub, deaf.runId)).toMatchObject({ status: "killed", exitCode: 137 })
        expect(yield* ended(hub, neighbour.runId)).toMatchObject({ status: "completed", resumes: 1 })
        const events = yield* eventsOf(hub, neighbour.runId)
        expect(events.find(({ type }) => type === "RunSuspended")?.data.reason).toBe("collateral")
        const { body } = yield* hub.get("/journal?stream=workflow/deaf&limit=100")
        const losses = (body as { events: ReadonlyArray<{ type: string; data: { reason: string } }> }).events
        expect(
          losses.filter(({ type }) => type === "WorkflowWorkerLost").map(({ data }) => data.reason)
        ).toEqual(["killed"])
      })
  )

  onHub("is stopped at its timeout with exit code 142, also out of an endless loop", (hub) =>
    Effect.gen(function* () {
      for (const prompt of ["deaf", "loops"]) {
        const { runId } = yield* request(hub, "late", { prompt })
        expect(yield* ended(hub, runId)).toMatchObject({ status: "failed", reason: "timeout", exitCode: 142 })
        expect((yield* typesOf(hub, runId)).slice(-3)).toEqual([
          "RoleAttemptTimedOut",
          "RoleAttemptAbandoned",
          "RunFailed"
        ])
      }
    })
  )

  onHub("fails its run alone when its moderator never answers", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "looping", { prompt: "moderator loops" })
      const row = yield* ended(hub, runId)
      expect(row).toMatchObject({ status: "failed", reason: "moderator_error", exitCode: 1 })
      expect(row.error).toContain("did not answer within")
      const next = yield* request(hub, "looping", { prompt: "fine" })
      expect((yield* ended(hub, next.runId)).status).toBe("completed")
    })
  )

  onHub("is held when it must not be repeated in doubt, until a person says how it goes on", (hub) =>
    Effect.gen(function* () {
      const first = yield* request(hub, "looping", { prompt: "holds" })
      const held = yield* until(hub, first.runId, ({ state }) => state === "suspended.held")
      expect(held).toMatchObject({ status: "suspended", reason: "in_doubt", attempt: 1 })
      expect(yield* reasons(hub)).toContain(`in_doubt ${first.runId}`)
      yield* hub.post(`/workflow_runs/${first.runId}/resume`)
      yield* until(hub, first.runId, ({ state, attempt }) => state === "suspended.held" && attempt === 2)
      yield* hub.post(`/workflow_runs/${first.runId}/resume`, { output: { content: "done by hand" } })
      expect((yield* ended(hub, first.runId)).status).toBe("completed")
      expect(yield* reasons(hub)).not.toContain(`in_doubt ${first.runId}`)
      const step = (yield* eventsOf(hub, first.runId)).find(({ type }) => type === "RoleStepRecorded")
      expect(step?.data).toMatchObject({ content: "done by hand", attempt: 2, recoveredFrom: "operator" })
    })
  )

  onHub("that loses its process once is called again, as a second attempt", (hub) =>
    Effect.gen(function* () {
      const { runId } = yield* request(hub, "looping", { prompt: "loses once" })
      expect(yield* ended(hub, runId)).toMatchObject({ status: "completed", resumes: 1 })
      const thread = yield* hub.get(`/workflow_runs/${runId}/thread`)
      expect(thread.body).toMatchObject({ rounds: [{ content: "loses once 2", attempt: 2 }] })
    })
  )
})

describe("a workflow whose worker keeps dying", () => {
  onHub("opens its circuit at the fifth loss, keeps its queue, and goes on once it is mended", (hub) =>
    Effect.gen(function* () {
      const first = yield* request(hub, "crashing")
      const second = yield* request(hub, "crashing")
      expect(second.status).toBe("queued")
      expect(yield* ended(hub, first.runId)).toMatchObject({
        status: "crashed",
        exitCode: 255,
        reason: "crash_loop"
      })
      const attempts = (yield* typesOf(hub, first.runId)).filter((type) => type === "RoleAttemptStarted")
      expect(attempts).toHaveLength(5)
      expect((yield* rowOf(hub, second.runId)).status).toBe("queued")
      expect((yield* hub.get("/workflows/crashing")).body).toMatchObject({ circuit: "open", queued: 1 })
      expect(yield* reasons(hub)).toContain("circuit_open crashing")

      yield* edit(hub, "crashing", mended)
      yield* hub.post("/workflows/crashing/reload")
      expect((yield* ended(hub, second.runId)).status).toBe("completed")
      const resumed = yield* hub.post(`/workflow_runs/${first.runId}/resume`)
      expect(resumed.status).toBe(202)
      expect(yield* ended(hub, first.runId)).toMatchObject({ status: "completed", exitCode: 0 })
      expect((yield* hub.get("/workflows/crashing")).body).toMatchObject({
        circuit: "closed",
        active: 0,
        queued: 0
      })
    })
  )
})

describe("a workflow whose code is edited", () => {
  onHub("goes on with the old code when the new code does not load, and says why", (hub) =>
    Effect.gen(function* () {
      const before = yield* request(hub, "edited")
      yield* ended(hub, before.runId)
      yield* edit(hub, "edited", "export default { roles: ")
      const broken = yield* hub.post("/workflows/edited/reload")
      expect((broken.body as { error: string }).error).toMatch(/Unexpected token.*edited\/index\.mjs:1/)
      expect(yield* reasons(hub)).toContain("reload_failed edited")
      const row = yield* hub.get("/workflows/edited")
      expect(row.body).toMatchObject({ worker: "ready", circuit: "closed" })
      const after = yield* request(hub, "edited")
      expect((yield* ended(hub, after.runId)).status).toBe("completed")
    })
  )

  onHub("serves the new code once that has loaded", (hub) =>
    Effect.gen(function* () {
      yield* edit(hub, "edited", mended.replace("well", "better"))
      expect((yield* hub.post("/workflows/edited/reload")).body).toMatchObject({ error: null })
      const { runId } = yield* request(hub, "edited")
      yield* ended(hub, runId)
      expect(yield* reasons(hub)).toEqual([])
      const thread = yield* hub.get(`/workflow_runs/${runId}/thread`)
      expect(thread.body).toMatchObject({ rounds: [{ content: "better" }] })
    })
  )
})
