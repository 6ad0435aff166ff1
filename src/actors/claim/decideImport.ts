/** What an entry of an old ledger leads to: its final state, in one step (contracts: ledger 6.2). */
import { accept, unchanged } from "../ActorKind.js"
import type { ClaimCommandOf, ClaimDecision, ClaimWorld } from "./ClaimDecision.js"
import type { ClaimState } from "./ClaimIndex.js"

/** An id that has a history here already stays as it is. Limits and the list of stances do not apply: nothing is dropped. */
export const decideImport = (
  { version }: ClaimState,
  { record, publishedAt, claim }: ClaimCommandOf<"ImportClaim">,
  { rules }: ClaimWorld
): ClaimDecision => {
  if (version > 0) return unchanged
  const deposited = record && ({ type: "PheromoneDeposited", record, publishedAt } as const)
  const granted = claim && {
    type: "ClaimGranted" as const,
    peer: "anonymous",
    ttlMs: null,
    graceMs: rules.defaultGraceMs,
    attempt: 1,
    ...(!record && { preclaim: true }),
    importedToken: claim.token,
    ...(claim.claimedAt !== undefined && { claimedAt: claim.claimedAt })
  }
  return accept(...(deposited ? [deposited] : []), ...(granted ? [granted] : []))
}
