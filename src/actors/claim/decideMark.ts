/** What becomes of a mark: it is published, inflated, and evaporates (contracts: ledger 4, 6.4). */
import { accept, refuse, unchanged } from "../ActorKind.js"
import type { ClaimContext } from "./ClaimContext.js"
import { isForever } from "./ClaimContext.js"
import {
  type ClaimCommandOf,
  type ClaimDecision,
  type ClaimWorld,
  heldContext,
  refuseClaimed,
  refuseUnknown
} from "./ClaimDecision.js"
import type { ClaimState } from "./ClaimIndex.js"
import { intensity } from "./intensity.js"

export const decideMark = (
  state: ClaimState,
  command: ClaimCommandOf<"DepositPheromone" | "InflatePheromone" | "EvaporatePheromone">,
  world: ClaimWorld
): ClaimDecision => {
  switch (command.type) {
    case "DepositPheromone":
      return deposit(state, command, world)
    case "InflatePheromone":
      return inflate(state, world)
    case "EvaporatePheromone":
      return evaporate(state, command, world)
  }
}

const deposit = (
  { version }: ClaimState,
  { record, maxAttempts, expectedVersion }: ClaimCommandOf<"DepositPheromone">,
  { rules: { stances } }: ClaimWorld
): ClaimDecision => {
  if (expectedVersion !== undefined && expectedVersion !== version) {
    return refuse({ _tag: "VersionConflict", current: version })
  }
  const stanceTarget = String(record.stanceTarget)
  if (stances && !stances.has(stanceTarget)) return refuse({ _tag: "StanceUnknown", stanceTarget })
  return accept({ type: "PheromoneDeposited", record, ...(maxAttempts !== undefined && { maxAttempts }) })
}

const inflate = (state: ClaimState, { now }: ClaimWorld): ClaimDecision =>
  state.context.mark
    ? accept({ type: "PheromoneInflated", intensity: intensityOf(state.context, now) + 1 })
    : refuseUnknown(state)

/** A sweep acts only on a claim to which nothing has happened since it looked; an operator on any that nobody leases. */
const evaporate = (
  state: ClaimState,
  { reason, sweep }: ClaimCommandOf<"EvaporatePheromone">,
  world: ClaimWorld
): ClaimDecision => {
  const { context, name, version } = state
  if (sweep && sweep.expectedVersion !== version) return unchanged
  if (!context.mark) return refuseUnknown(state)
  const held = heldContext(state)
  if (held && !(name === "held.active" && isForever(held))) return refuseClaimed(state, held, world)
  return accept({
    type: "PheromoneEvaporated",
    intensity: intensityOf(context, world.now),
    reason: sweep?.cause ?? "operator",
    ...(sweep && { floor: sweep.floor }),
    ...(reason !== undefined && { note: reason })
  })
}

const intensityOf = ({ mark, publishedAt, inflations }: ClaimContext, now: number): number =>
  mark ? intensity({ ...mark, publishedAt, inflations }, now) : 0
