/** Which claim a ClaimNext is for: the strongest open mark that it wants, at this very instant (contracts: ledger 4.1). */
import { type Choice, refuse } from "../ActorKind.js"
import type { ClaimCommand } from "./ClaimCommand.js"
import type { ClaimCommandOf, ClaimWorld } from "./ClaimDecision.js"
import { type ClaimState, openMark, type Selection, scoreOf } from "./ClaimIndex.js"
import type { ClaimReason } from "./ClaimRefusal.js"
import { denyLease } from "./Lease.js"

export const chooseClaim = (command: ClaimCommand, world: ClaimWorld): Choice<ClaimReason> => {
  if (command.type !== "ClaimNext") throw new Error(`${command.type} needs a claim's id`)
  const denied = denyLease(command, world)
  if (denied) return refuse(denied)
  const best = world.index.strongest(selectionOf(command), world.now)
  return best ? { _tag: "Choose", id: best.id } : { _tag: "Wait", reason: { _tag: "NoneOpen" } }
}

/** Whether a claim's new state is one that a waiting ClaimNext may take. */
export const wakesClaimNext = (command: ClaimCommand, state: ClaimState, now: number): boolean => {
  const mark = openMark(state)
  return (
    command.type === "ClaimNext" && mark !== null && scoreOf(mark, selectionOf(command), now) !== undefined
  )
}

/** What a ClaimNext wants: a list of stances weighs each 1, no list wants all. */
export const selectionOf = ({
  stances,
  minScore = 0,
  prefix = ""
}: ClaimCommandOf<"ClaimNext">): Selection => ({
  weights:
    stances && new Map(isList(stances) ? stances.map((stance) => [stance, 1]) : Object.entries(stances)),
  minScore,
  prefix
})

const isList = (value: unknown): value is ReadonlyArray<string> => Array.isArray(value)
