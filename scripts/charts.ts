/** Writes `docs/machines.md`. */
import { writeFileSync } from "node:fs"
import { claimMachine } from "../src/actors/claim/claimMachine.js"
import { hubMachine } from "../src/actors/hub/hubMachine.js"
import { runMachine } from "../src/actors/run/runMachine.js"
import { senseMachine } from "../src/actors/sense/senseMachine.js"
import { workflowMachine } from "../src/actors/workflow/workflowMachine.js"
import { machinesPage } from "./machineChart.js"

writeFileSync(
  "docs/machines.md",
  machinesPage([hubMachine, claimMachine, senseMachine, workflowMachine, runMachine])
)
