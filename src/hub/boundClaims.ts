/** What becomes of leases that are bound to a presence when its session ends (contracts: ledger 3.3). */
import { Effect } from "effect"
import type { ActorKind } from "../actors/ActorKind.js"
import type { ClaimCommand } from "../actors/claim/ClaimCommand.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import type { Reflex, ReflexCommand } from "../actors/Reflex.js"
import type { Offset } from "../events/Event.js"
import { claimsBoundTo } from "../projections/claimQueries.js"
import type { ReadRows } from "../projections/Projector.js"

/**
 * A session that is parked may come again: its leases get their grace. Of one that is gone the work is free at once. What was granted or
 * renewed since is the next session's, and is left alone.
 */
export const boundClaims = (kind: ClaimKind, read: ReadRows): Reflex => ({
  name: "bound-claims",
  on: new Set(["SessionEnded"]),
  rule: ({ stream, offset, at, data }) => {
    // One that was never ready has held nothing.
    if (data.ready !== true) return []
    return Effect.map(claimsBoundTo(read, stream), (rows) =>
      rows
        .filter(({ token, lease_from }) => (token ?? offset) < offset && (lease_from ?? 0) <= at)
        .map(({ id, token }): ReflexCommand => {
          const held = { token: token as Offset }
          const command: ClaimCommand =
            data.disposition === "parked"
              ? { type: "SuspectClaim", ...held }
              : { type: "RevokeClaim", ...held, reason: `the session of ${stream} has ended: ${data.reason}` }
          return { kind: kind as ActorKind, id, command, target: id }
        })
    )
  }
})
