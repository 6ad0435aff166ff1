/** How a claim goes from one holder to the next while it stays held: by a handoff, or by reclaiming it (contracts: ledger 4). */
import { accept, refuse } from "../ActorKind.js"
import {
  asHolder,
  type ClaimCommandOf,
  type ClaimDecision,
  type ClaimWorld,
  type HeldContext,
  heldContext,
  refuseUnbound
} from "./ClaimDecision.js"
import type { ClaimState } from "./ClaimIndex.js"
import { denyLease, expiresAt, type LeaseRequest, leaseOf } from "./Lease.js"

/** How long an offer stands unless it says so itself (contracts: ledger 4). */
const defaultOfferMs = 60_000

export const decideTransfer = (
  state: ClaimState,
  command: ClaimCommandOf<
    "OfferHandoff" | "WithdrawHandoff" | "DeclineHandoff" | "AcceptHandoff" | "ReclaimWork"
  >,
  world: ClaimWorld
): ClaimDecision => {
  switch (command.type) {
    case "OfferHandoff": {
      const { token, to, offerMs = defaultOfferMs } = command
      // An offer that lapses would leave the lease without an end if nothing kept it going.
      return asHolder(
        state,
        command,
        (held) => refuseUnbound(held, world) ?? accept({ type: "HandoffOffered", token, to, offerMs })
      )
    }
    case "WithdrawHandoff": {
      const { token } = command
      return asHolder(state, command, ({ offer }) =>
        offer ? accept({ type: "HandoffWithdrawn", token, to: offer.to }) : refuseNoOffer(state)
      )
    }
    case "DeclineHandoff":
      return asAddressee(state, command.peer, ({ token }) =>
        accept({ type: "HandoffDeclined", token, to: command.peer })
      )
    case "AcceptHandoff":
      return asAddressee(state, command.peer, (held) => transfer(held, command, { cause: "handoff" }, world))
    case "ReclaimWork":
      return reclaim(state, command, world)
  }
}

/** In its grace anybody may take a claim over, but only the one that they have seen; before that only by force. */
const reclaim = (
  state: ClaimState,
  command: ClaimCommandOf<"ReclaimWork">,
  world: ClaimWorld
): ClaimDecision => {
  const { context, name } = state
  const held = heldContext(state)
  if (!held) return refuse({ _tag: "NotHeld", state: name })
  if (held.token !== command.expectedToken) return refuse({ _tag: "TokenChanged", current: context.token })
  if (name !== "held.grace" && !command.force) {
    return refuse({ _tag: "HolderLive", by: held.holder.peer, expiresAt: expiresAt(held, world.floorAt) })
  }
  return transfer(held, command, { cause: "reclaim", reason: command.reason }, world)
}

const asAddressee = (
  state: ClaimState,
  peer: string,
  decide: (held: HeldContext) => ClaimDecision
): ClaimDecision => {
  const held = heldContext(state)
  if (!held?.offer) return refuseNoOffer(state)
  if (held.offer.to !== peer) return refuse({ _tag: "NotAddressee", to: held.offer.to })
  return decide(held)
}

const refuseNoOffer = ({ name }: ClaimState): ClaimDecision => refuse({ _tag: "NoOffer", state: name })

const transfer = (
  held: HeldContext,
  request: LeaseRequest,
  why: { readonly cause: "handoff" | "reclaim"; readonly reason?: string },
  world: ClaimWorld
): ClaimDecision => {
  const denied = denyLease(request, world, held)
  if (denied) return refuse(denied)
  const { holder: to, ttlMs, graceMs } = leaseOf(request, world.rules)
  const { holder: from, token: previousToken } = held
  return accept({ type: "ClaimTransferred", from, to, previousToken, ttlMs, graceMs, ...why })
}
