/** The machines of all kinds of actors, in the order in which `docs/machines.md` shows them. */
import { claimMachine } from "../src/actors/claim/claimMachine.js"
import { hubMachine } from "../src/actors/hub/hubMachine.js"
import { peerMachine } from "../src/actors/peer/peerMachine.js"
import { presenceMachine } from "../src/actors/presence/presenceMachine.js"
import { runMachine } from "../src/actors/run/runMachine.js"
import { senseMachine } from "../src/actors/sense/senseMachine.js"
import { serverMachine } from "../src/actors/server/serverMachine.js"
import { workflowMachine } from "../src/actors/workflow/workflowMachine.js"

export const machines = [
  hubMachine,
  claimMachine,
  senseMachine,
  workflowMachine,
  runMachine,
  peerMachine,
  presenceMachine,
  serverMachine
]
