import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { awaitEvent, awaitSense, eventsOf, startTestHub, triggerSense } from "../support/testHubs.js"
import { makeWorkspace } from "../support/workspaces.js"

describe("a role that triggers the sense that launched it", () => {
  it.scopedLive("stops at depth 8, and the sense says why", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace({
        "mound.yaml": "senses: { loop: {} }\nworkflows: { again: { overflow: queue } }",
        "senses/loop/compute.js": "exports.compute = () => ({ workflow: 'again|2|once more' })",
        "workflows/again/index.js": `
          const { readFileSync } = require("node:fs")
          exports.workflow = {
            name: "again",
            roles: {
              caller: async ({ runId, workspace }) => {
                const { url } = JSON.parse(readFileSync(workspace + "/.mound/hub.json", "utf8"))
                const headers = { "mound-cause": "run/" + runId }
                const { status } = await fetch(url + "/senses/loop/trigger", { method: "POST", headers })
                return { content: String(status) }
              }
            },
            moderator: ({ steps }) => (steps.length === 0 ? "caller" : "__end__")
          }`
      })
      const hub = yield* startTestHub(workspace)
      yield* awaitSense(hub, "loop", "SenseLoaded")
      yield* triggerSense(hub, "loop")
      const rejected = yield* awaitSense(hub, "loop", "SenseDirectiveRejected")
      expect(rejected.data).toMatchObject({ reason: "CausalDepth", text: "again|2|once more" })
      const isLastEnd = (count: number) => {
        let ended = 0
        return ({ type }: { readonly type: string }) => type === "RunCompleted" && ++ended === count
      }
      yield* awaitEvent(hub, isLastEnd(4))
      const events = yield* eventsOf(hub)
      const depths = (type: string) =>
        events.filter((event) => event.type === type).map(({ data }) => data.depth as number)
      expect(depths("SenseTriggered")).toEqual([0, 2, 4, 6, 8])
      expect(depths("RunRequested")).toEqual([1, 3, 5, 7])
    }).pipe(Effect.orDie)
  )
})
