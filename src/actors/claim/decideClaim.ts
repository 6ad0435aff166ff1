/**
 * What a claim command leads to: the rules of contracts: ledger 4 as one pure function from state and command to facts or a
 * refusal. The machine has the last word on whether a fact is admissible.
 */
import type { ClaimCommand } from "./ClaimCommand.js"
import { type ClaimDecision, type ClaimWorld, refuseUnknown } from "./ClaimDecision.js"
import type { ClaimState } from "./ClaimIndex.js"
import { decideEnd } from "./decideEnd.js"
import { decideImport } from "./decideImport.js"
import { decideLease } from "./decideLease.js"
import { decideMark } from "./decideMark.js"
import { decideTransfer } from "./decideTransfer.js"

export const decideClaim = (state: ClaimState, command: ClaimCommand, world: ClaimWorld): ClaimDecision => {
  if (state.version === 0 && !createsClaim(command)) return refuseUnknown(state)
  switch (command.type) {
    case "DepositPheromone":
    case "InflatePheromone":
    case "EvaporatePheromone":
      return decideMark(state, command, world)
    case "ClaimWork":
    case "ClaimNext":
    case "RenewClaim":
    case "SuspectClaim":
    case "VerifyClaim":
      return decideLease(state, command, world)
    case "OfferHandoff":
    case "WithdrawHandoff":
    case "DeclineHandoff":
    case "AcceptHandoff":
    case "ReclaimWork":
      return decideTransfer(state, command, world)
    case "ReleaseClaim":
    case "CompleteClaim":
    case "FailClaim":
    case "RevokeClaim":
    case "ReopenClaim":
      return decideEnd(state, command)
    case "ImportClaim":
      return decideImport(state, command, world)
  }
}

const createsClaim = (command: ClaimCommand): boolean =>
  command.type === "DepositPheromone" ||
  command.type === "ImportClaim" ||
  (command.type === "ClaimWork" && command.preclaim === true)
