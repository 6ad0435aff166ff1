/** A lease: who gets it, how long it holds, whether that peer may have it, and when it ends (contracts: ledger 3.3, 4). */

import type { SystemReason } from "../Refused.js"
import { isForever } from "./ClaimContext.js"
import type { ClaimCommandOf, ClaimRules, ClaimWorld, HeldContext } from "./ClaimDecision.js"
import type { Holder } from "./ClaimEvent.js"
import type { ClaimReason } from "./ClaimRefusal.js"

export interface Lease {
  readonly holder: Holder
  /** Null for ever, or as long as the holder's presence is live. */
  readonly ttlMs: number | null
  readonly graceMs: number
}

/** What a command says of the lease that it asks for. */
export type LeaseRequest = Pick<
  ClaimCommandOf<"ClaimWork">,
  "peer" | "instance" | "ttlMs" | "graceMs" | "boundTo"
>

/** The lease that a request comes to; what it leaves out takes the defaults, in a transfer too. */
export const leaseOf = (
  { peer, instance, ttlMs, graceMs, boundTo }: LeaseRequest,
  rules: ClaimRules
): Lease => ({
  holder: { peer, ...(instance !== undefined && { instance }), ...(boundTo !== undefined && { boundTo }) },
  ttlMs: boundTo !== undefined ? null : ttlMs === undefined ? rules.defaultTtlMs : ttlMs,
  graceMs: graceMs ?? rules.defaultGraceMs
})

/**
 * Why a peer may not have a lease, if so. `from` is the holding that it would take over: a claim that it holds already does not
 * count twice.
 */
export const denyLease = (
  { peer, ttlMs, boundTo }: LeaseRequest,
  { rules, index }: ClaimWorld,
  from?: HeldContext
): ClaimReason | SystemReason | undefined => {
  if (boundTo !== undefined && ttlMs !== undefined) {
    return { _tag: "InvalidCommand", path: "ttlMs", problem: "and boundTo exclude each other" }
  }
  if (boundTo !== undefined && !rules.isLive(boundTo)) return { _tag: "PresenceNotLive", presence: boundTo }
  const limit = rules.heldLimitOf?.(peer) ?? rules.maxHeldPerPeer
  if (limit === undefined || ttlMs === null) return undefined
  const isOwn = from?.holder.peer === peer && !isForever(from)
  const held = index.heldBy(peer) - (isOwn ? 1 : 0)
  return held < limit ? undefined : { _tag: "QuotaReached", held, limit }
}

/**
 * The earliest instant at which a lease can end, null unless it is timed. After a restart or a clock jump no lease ends
 * before one grace has passed (contracts: hub 3.7).
 */
export const expiresAt = (
  {
    ttlMs,
    leaseFrom,
    graceMs
  }: { readonly ttlMs: number | null; readonly leaseFrom: number; readonly graceMs: number },
  floorAt: number
): number | null => {
  if (ttlMs === null) return null
  return leaseFrom < floorAt ? Math.max(leaseFrom + ttlMs, floorAt + graceMs) : leaseFrom + ttlMs
}
