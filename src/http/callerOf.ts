/**
 * Who asks on the routes of peers, where a peer may also name itself by the header that old clients send. Whatever a request claims
 * and cannot be is refused, never passed over (contracts: peers 4).
 */
import { Effect } from "effect"
import { type Identity, parseIdentity } from "../actors/peer/Identity.js"
import type { PeerIndex } from "../actors/peer/PeerIndex.js"
import type { PresenceIndex } from "../actors/presence/PresenceIndex.js"
import type { Refused } from "../actors/Refused.js"
import type { Caller, Identities } from "./Identities.js"
import { type AnyReason, refusal } from "./refusals.js"
import type { Credentials } from "./serve.js"

export interface CallerServices {
  readonly peers: PeerIndex
  readonly presences: PresenceIndex
  readonly identities: Identities
  /** Whether the old header counts. */
  readonly acceptsHeader: boolean
}

export const operator: Identity = { personality: "operator", runtime: "operator" }

export const callerOf = (
  { peers, identities, acceptsHeader }: CallerServices,
  { bearer, identity: claimed }: Credentials
): Effect.Effect<Caller, Refused<AnyReason>> =>
  Effect.suspend((): Effect.Effect<Caller, Refused<AnyReason>> => {
    const shown = identities.shown(bearer)
    const known = shown._tag === "Known" ? shown.caller : undefined
    if (claimed === undefined) {
      if (known) return Effect.succeed(known)
      return bearer === undefined
        ? Effect.succeed(identities.callerOf(undefined))
        : refusal({ _tag: "NotAllowed", need: "the token of a session that runs now" })
    }
    if (known?.name !== undefined) {
      return known.name === claimed
        ? Effect.succeed(known)
        : refusal({ _tag: "NotAllowed", need: "the token of the identity that the header names" })
    }
    if (!acceptsHeader) return refusal({ _tag: "NotAllowed", need: "the token of a session that runs now" })
    const identity = parseIdentity(claimed)
    const runtimes = identity && peers.get(identity.personality)?.runtimes
    if (!identity || !runtimes?.includes(identity.runtime)) {
      return refusal({ _tag: "UnknownSender", sender: claimed })
    }
    return Effect.succeed({
      name: claimed,
      identity,
      sessionId: undefined,
      class: "worker",
      isOperator: false,
      isBound: false
    })
  })
