/** The actor kind `claim`: a pheromone and whoever owns its work, in one stream `claim/<id>`. */
import type { Deadline } from "../../events/Journal.js"
import type { ActorHistory, ActorKind } from "../ActorKind.js"
import { makeFold } from "../fold.js"
import type { ClaimCommand } from "./ClaimCommand.js"
import type { ClaimRules } from "./ClaimDecision.js"
import { type ClaimEvent, claimUpcasters } from "./ClaimEvent.js"
import { ClaimIndex, type ClaimState } from "./ClaimIndex.js"
import type { ClaimReason } from "./ClaimRefusal.js"
import { chooseClaim, wakesClaimNext } from "./chooseClaim.js"
import { claimMachine } from "./claimMachine.js"
import { decideClaim } from "./decideClaim.js"

export type ClaimKind = ActorKind<ClaimCommand, ClaimReason> & {
  readonly index: ClaimIndex
  readonly rules: ClaimRules
}

const yields: { readonly [Type in ClaimCommand["type"]]: ReadonlyArray<ClaimEvent["type"]> } = {
  DepositPheromone: ["PheromoneDeposited"],
  InflatePheromone: ["PheromoneInflated"],
  EvaporatePheromone: ["PheromoneEvaporated"],
  ClaimWork: ["ClaimGranted"],
  ClaimNext: ["ClaimGranted"],
  RenewClaim: ["ClaimRenewed"],
  SuspectClaim: ["ClaimGraceStarted"],
  VerifyClaim: [],
  ReleaseClaim: ["ClaimReleased"],
  CompleteClaim: ["ClaimCompleted"],
  FailClaim: ["ClaimFailed"],
  OfferHandoff: ["HandoffOffered"],
  WithdrawHandoff: ["HandoffWithdrawn"],
  DeclineHandoff: ["HandoffDeclined"],
  AcceptHandoff: ["ClaimTransferred"],
  ReclaimWork: ["ClaimTransferred"],
  RevokeClaim: ["ClaimRevoked"],
  ReopenClaim: ["ClaimReopened"],
  ImportClaim: ["PheromoneDeposited", "ClaimGranted"]
}

export const claimHistory: ActorHistory = {
  name: "claim",
  version: 1,
  fold: makeFold(claimMachine),
  upcasters: claimUpcasters
}

export const makeClaimKind = (rules: ClaimRules): ClaimKind => {
  const index = new ClaimIndex()
  return {
    ...claimHistory,
    yields,
    startsWork: new Set([
      "DepositPheromone",
      "InflatePheromone",
      "ClaimWork",
      "ClaimNext",
      "AcceptHandoff",
      "ReclaimWork",
      "ImportClaim"
    ]),
    decide: (state: ClaimState, command, context) =>
      decideClaim(state, command, { ...context, rules, index }),
    choose: (command, context) => chooseClaim(command, { ...context, rules, index }),
    wakes: (command, state: ClaimState) => wakesClaimNext(command, state, state.at),
    complete: (_state, deadline, { now }) => completed(deadline, now),
    graceMs: ({ context }: ClaimState) => context.graceMs,
    holdsDeadlines: true,
    rules,
    index
  }
}

const completed = ({ event, dueAt }: Deadline, now: number) =>
  event.type === "ClaimExpired" ? { ...event, overdueMs: Math.max(0, now - dueAt) } : event
