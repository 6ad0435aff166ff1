/** Writes `docs/machines.md`. */
import { writeFileSync } from "node:fs"
import { claimMachine } from "../src/actors/claim/claimMachine.js"
import { hubMachine } from "../src/actors/hub/hubMachine.js"
import { senseMachine } from "../src/actors/sense/senseMachine.js"
import { machinesPage } from "./machineChart.js"

writeFileSync("docs/machines.md", machinesPage([hubMachine, claimMachine, senseMachine]))
