/** The machines of all kinds of actors, in the order in which `docs/machines.md` shows them. */
import { claimMachine } from "../src/actors/claim/claimMachine.js"
import { hubMachine } from "../src/actors/hub/hubMachine.js"
import { peerMachine } from "../src/actors/peer/peerMachine.js"
import { presenceMachine } from "../src/actors/presence/presenceMachine.js"
import { serverMachine } from "../src/actors/server/serverMachine.js"

export const machines = [hubMachine, claimMachine, serverMachine, peerMachine, presenceMachine]
