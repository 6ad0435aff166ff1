/** Who gets a claim, and whether it goes on holding it (contracts: ledger 3.3, 4, 4.1). */
import { accept, refuse, unchanged } from "../ActorKind.js"
import type { ClaimContext } from "./ClaimContext.js"
import {
  asHolder,
  type ClaimCommandOf,
  type ClaimDecision,
  type ClaimWorld,
  type HeldContext,
  heldContext,
  refuseClaimed,
  refuseStale,
  refuseUnbound,
  refuseUnknown
} from "./ClaimDecision.js"
import { type ClaimState, openMark, scoreOf } from "./ClaimIndex.js"
import { selectionOf } from "./chooseClaim.js"
import { denyLease, type LeaseRequest, leaseOf } from "./Lease.js"

export const decideLease = (
  state: ClaimState,
  command: ClaimCommandOf<"ClaimWork" | "ClaimNext" | "RenewClaim" | "SuspectClaim" | "VerifyClaim">,
  world: ClaimWorld
): ClaimDecision => {
  switch (command.type) {
    case "ClaimWork":
      return claimWork(state, command, world)
    case "ClaimNext":
      return claimNext(state, command, world)
    case "RenewClaim":
      return asHolder(state, command, (held) => refuseUnbound(held, world) ?? renew(state, held, world))
    case "SuspectClaim":
      return asHolder(state, command, () => suspect(state, command))
    case "VerifyClaim":
      return verify(state, command)
  }
}

const claimWork = (
  state: ClaimState,
  command: ClaimCommandOf<"ClaimWork">,
  world: ClaimWorld
): ClaimDecision => {
  const { context } = state
  const held = heldContext(state)
  if (held) {
    // Two processes of one peer must not both believe that they own it: without the same instance it is somebody else.
    const isSame = held.holder.peer === command.peer && held.holder.instance === command.instance
    return isSame && command.instance !== undefined ? unchanged : refuseClaimed(state, held, world)
  }
  if (context.settled) return refuse({ _tag: "AlreadyDone", outcome: context.outcome })
  if (!context.mark && !command.preclaim) return refuseUnknown(state)
  const denied = denyLease(command, world)
  if (denied) return refuse(denied)
  return accept({ ...granted(context, command, world), ...(!context.mark && { preclaim: true }) })
}

/** The claim is the one that `chooseClaim` has just chosen for it. */
const claimNext = (
  state: ClaimState,
  command: ClaimCommandOf<"ClaimNext">,
  world: ClaimWorld
): ClaimDecision => {
  const mark = openMark(state)
  const score = mark && scoreOf(mark, selectionOf(command), world.now)
  if (score === null || score === undefined) throw new Error(`${state.stream} was chosen and is not open`)
  return accept({ ...granted(state.context, command, world), score })
}

const granted = ({ attempts }: ClaimContext, request: LeaseRequest, { rules }: ClaimWorld) => {
  const { holder, ttlMs, graceMs } = leaseOf(request, rules)
  return { type: "ClaimGranted", ...holder, ttlMs, graceMs, attempt: attempts + 1 } as const
}

/** Renewals within a third of the lease are coalesced: the end that was named still holds, and "still alive" is no event. */
const renew = (
  { name }: ClaimState,
  { ttlMs, leaseFrom, token }: HeldContext,
  { now }: ClaimWorld
): ClaimDecision => {
  const runsOut =
    name === "held.grace" || (name === "held.active" && ttlMs !== null && now - leaseFrom >= ttlMs / 3)
  return runsOut ? accept({ type: "ClaimRenewed", token }) : unchanged
}

/** A bound lease has no timer: its grace begins because the session that it was bound to has ended. */
const suspect = ({ name }: ClaimState, { token }: ClaimCommandOf<"SuspectClaim">): ClaimDecision =>
  name === "held.grace" ? unchanged : accept({ type: "ClaimGraceStarted", token, cause: "presence" })

/** Whether a token is current, for an outside resource that is fenced by it; nothing happens. */
const verify = (state: ClaimState, { token }: ClaimCommandOf<"VerifyClaim">): ClaimDecision =>
  state.context.holder && state.context.token === token ? unchanged : refuseStale(state, token)
