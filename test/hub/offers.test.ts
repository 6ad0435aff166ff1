import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { sharedHub, type TestHub } from "../support/runHubs.js"
import { ended, eventsOf, request, typesOf, until } from "../support/runSteps.js"
import type { Files } from "../support/workspaces.js"

const files: Files = {
  "mound.yaml": "workflows:\n  reviewed: { concurrency: 8 }\n",
  "workflows/reviewed/index.ts": `
import { END } from "mound/workspace"
export default {
  roles: {
    writer: async () => ({ content: "a draft" }),
    reviewer: { executor: "open", stance: "reviewer", maxAttempts: 2, ask: ({ steps }) => "is this good: " + steps.at(-1).content }
  },
  moderator: ({ steps }) => ["writer", "reviewer"][steps.length] ?? END
}`
}

const theHub = sharedHub(files)
const onHub = (name: string, body: (hub: TestHub) => Effect.Effect<void, unknown>) =>
  it.live(name, () => Effect.suspend(() => body(theHub())))

/** A run whose role is offered, and the mark that offers it. */
const offered = (hub: TestHub) =>
  Effect.gen(function* () {
    const { runId } = yield* request(hub, "reviewed")
    yield* until(hub, runId, ({ state }) => state === "running.offered")
    const mark = `role:${runId}:2:1`
    yield* Effect.repeat(Effect.delay(hub.get(`/claims/${mark}`), 20), {
      until: ({ status }) => status === 200
    })
    return { runId, mark }
  })

const claim = (hub: TestHub, mark: string, peer: string) =>
  Effect.map(
    hub.post(`/claims/${mark}/claim`, { peer }),
    ({ body }) => (body as { readonly token: number }).token
  )

describe("a role that is offered to whoever claims it", () => {
  onHub("is a mark with what is asked; its claimant's answer is the step", (hub) =>
    Effect.gen(function* () {
      const { runId, mark } = yield* offered(hub)
      const { body } = yield* hub.get(`/claims/${mark}`)
      expect(body).toMatchObject({
        state: "open",
        record: {
          stanceTarget: "reviewer",
          payload: { runId, workflow: "reviewed", round: 2, ask: "is this good: a draft" }
        }
      })
      const token = yield* claim(hub, mark, "ada")
      yield* hub.post(`/claims/${mark}/complete`, { token, result: { content: "yes", meta: { ok: true } } })
      expect(yield* ended(hub, runId)).toMatchObject({ status: "completed", rounds: 2 })
      const step = (yield* eventsOf(hub, runId)).find(({ data }) => data.round === 2 && "content" in data)
      expect(step?.data).toMatchObject({ role: "reviewer", content: "yes", meta: { ok: true }, peer: "ada" })
    })
  )

  onHub("takes the summary for the answer when there is no result", (hub) =>
    Effect.gen(function* () {
      const { runId, mark } = yield* offered(hub)
      const token = yield* claim(hub, mark, "ada")
      yield* hub.post(`/claims/${mark}/complete`, { token, summary: "well done" })
      yield* ended(hub, runId)
      const { body } = yield* hub.get(`/workflow_runs/${runId}/thread`)
      expect(body).toMatchObject({ rounds: [{ content: "a draft" }, { content: "well done" }] })
    })
  )

  onHub(
    "goes to the next claimant when the first one fails, and fails its run when nobody is left to try",
    (hub) =>
      Effect.gen(function* () {
        const { runId, mark } = yield* offered(hub)
        for (const peer of ["ada", "bob"]) {
          const token = yield* claim(hub, mark, peer)
          yield* hub.post(`/claims/${mark}/fail`, { token, reason: "I cannot read", retryAfterMs: 0 })
        }
        const row = yield* ended(hub, runId)
        expect(row).toMatchObject({ status: "failed", reason: "role_error", exitCode: 1 })
        expect(row.error).toContain("I cannot read")
        const claimants = (yield* eventsOf(hub, runId)).filter(({ type }) => type === "RoleClaimed")
        expect(claimants.map(({ data }) => data.peer)).toEqual(["ada", "bob"])
      })
  )

  onHub(
    "is taken back when its run is killed: the claimant's answer is refused, and the mark is gone",
    (hub) =>
      Effect.gen(function* () {
        const { runId, mark } = yield* offered(hub)
        const token = yield* claim(hub, mark, "ada")
        yield* hub.post(`/workflow_runs/${runId}/kill`)
        expect((yield* ended(hub, runId)).status).toBe("killed")
        yield* Effect.repeat(Effect.delay(hub.get(`/claims/${mark}`), 20), {
          until: ({ body }) => (body as { readonly state: string }).state === "evaporated"
        })
        const late = yield* hub.post(`/claims/${mark}/complete`, { token, result: "too late" })
        expect([late.status, (late.body as { readonly _tag: string })._tag]).toEqual([403, "StaleToken"])
        expect((yield* typesOf(hub, runId)).at(-1)).toBe("RunKilled")
      })
  )
})
