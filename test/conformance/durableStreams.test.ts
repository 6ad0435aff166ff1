/** The public suite of the protocol, its reading cases, against streams of a real hub (contracts: streams 15; `readSide.ts` says which). */
import { runConformanceTests } from "@durable-streams/server-conformance-tests"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { type HubProcess, makeWorkspace, removeWorkspace, spawnHub } from "../support/hubProcess.js"
import { gatewayWorkspace, StreamGateway } from "../support/StreamGateway.js"
import { writeFiles } from "../support/workspaces.js"
import { whyNot } from "./readSide.js"

describe("the public suite of Durable Streams, reading", () => {
  const options = { baseUrl: "", longPollTimeoutMs: 2_000 }
  const workspace = makeWorkspace()
  const run: Array<string> = []
  let left = 0
  let hub: HubProcess
  let gateway: StreamGateway
  beforeAll(async () => {
    writeFiles(workspace, gatewayWorkspace)
    hub = spawnHub(workspace, { flags: ["--quiet"] })
    gateway = await StreamGateway.start(await hub.url())
    options.baseUrl = gateway.url
  })
  afterAll(async () => {
    gateway.close()
    await hub.stop()
    removeWorkspace(workspace)
  })

  describe("case by case", () => {
    beforeEach(({ task, skip }) => {
      const reason = whyNot(task.suite?.name ?? "", task.name)
      if (reason !== undefined) {
        left += 1
        return skip(reason)
      }
      run.push(task.name)
    })
    runConformanceTests(options)
  })

  it("has run so many cases, and left so many", () => {
    expect({ run: run.length, left }).toEqual({ run: 59, left: 273 })
  })
})
