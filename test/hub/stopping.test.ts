import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { bootHub } from "../support/runHubs.js"
import { ended, eventsOf, request, typesOf, until } from "../support/runSteps.js"
import { makeWorkspace } from "../support/workspaces.js"

const files = {
  "mound.yaml": "workflows:\n  slow: { concurrency: 1, overflow: queue }\n",
  "workflows/slow/index.ts": `
import { END } from "mound/workspace"
const role = async ({ start }) => {
  await new Promise((resolve) => setTimeout(resolve, start.content === "slow" ? 700 : 0))
  return { content: "done" }
}
export default { roles: { first: role, second: role }, moderator: ({ steps }) => ["first", "second"][steps.length] ?? END }`
}

/** One boot of a hub, from its start to its stop. */
const during = <A>(
  workspace: string,
  body: (hub: Effect.Effect.Success<ReturnType<typeof bootHub>>) => Effect.Effect<A, unknown>
) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const hub = yield* Scope.extend(bootHub(workspace), scope)
    const result = yield* body(hub)
    yield* Effect.ignore(hub.hub.stop({ force: true, reason: "test" }))
    const { clean } = yield* hub.hub.stopped
    yield* Scope.close(scope, Exit.void)
    return { result, clean }
  })

describe("a hub that stops", () => {
  it.scopedLive("lets a step end, suspends its run at the boundary, and takes it up at the next boot", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace(files)
      const first = yield* during(workspace, (hub) =>
        Effect.gen(function* () {
          const { runId } = yield* request(hub, "slow", { prompt: "slow" })
          const waiting = yield* request(hub, "slow", { prompt: "quick" })
          yield* until(hub, runId, ({ attempt }) => attempt === 1)
          return { runId, waiting: waiting.runId }
        })
      )
      expect(first.clean).toBe(true)
      const { runId, waiting } = first.result
      const second = yield* during(workspace, (hub) =>
        Effect.gen(function* () {
          expect((yield* ended(hub, runId)).status).toBe("completed")
          const events = yield* eventsOf(hub, runId)
          const suspensions = events.filter(({ type }) => type === "RunSuspended")
          expect(suspensions.map(({ data }) => data.reason)).toEqual(["hub_stop"])
          expect(
            events.filter(({ type }) => type === "RoleAttemptStarted").map(({ data }) => data.attempt)
          ).toEqual([1, 1])
          // Its place in the queue and its prompt are kept.
          expect(yield* ended(hub, waiting)).toMatchObject({ status: "completed", prompt: "quick" })
          return yield* typesOf(hub, waiting)
        })
      )
      expect(second.clean).toBe(true)
      expect(second.result.slice(0, 3)).toEqual(["RunRequested", "RunQueued", "RunStarted"])
    })
  )
})
