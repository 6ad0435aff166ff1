/** Writes `docs/machines.md`. */
import { writeFileSync } from "node:fs"
import { claimMachine } from "../src/actors/claim/claimMachine.js"
import { hubMachine } from "../src/actors/hub/hubMachine.js"
import { peerMachine } from "../src/actors/peer/peerMachine.js"
import { presenceMachine } from "../src/actors/presence/presenceMachine.js"
import { machinesPage } from "./machineChart.js"

writeFileSync("docs/machines.md", machinesPage([hubMachine, claimMachine, peerMachine, presenceMachine]))
