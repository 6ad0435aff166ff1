/** The machines of all kinds of actors, in the order in which `docs/machines.md` shows them. */
import { claimMachine } from "../src/actors/claim/claimMachine.js"
import { hubMachine } from "../src/actors/hub/hubMachine.js"
import { serverMachine } from "../src/actors/server/serverMachine.js"

export const machines = [hubMachine, claimMachine, serverMachine]
