import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { machinesPage } from "../../scripts/machineChart.js"
import { claimMachine } from "../../src/actors/claim/claimMachine.js"
import { hubMachine } from "../../src/actors/hub/hubMachine.js"
import { runMachine } from "../../src/actors/run/runMachine.js"
import { senseMachine } from "../../src/actors/sense/senseMachine.js"
import { workflowMachine } from "../../src/actors/workflow/workflowMachine.js"

describe("docs/machines.md", () => {
  it("shows the machines as they are (npm run docs writes it anew)", () => {
    const page = readFileSync(new URL("../../docs/machines.md", import.meta.url), "utf8")
    expect(page).toBe(machinesPage([hubMachine, claimMachine, senseMachine, workflowMachine, runMachine]))
  })
})
