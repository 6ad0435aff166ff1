/**
 * Who asks: a session by its token, a peer by the header that old clients send, or else an operator. Whatever a request claims and
 * cannot be is refused, never passed over (contracts: peers 4).
 */
import { Effect } from "effect"
import { formatIdentity, type Identity, parseIdentity } from "../actors/peer/Identity.js"
import type { PeerIndex } from "../actors/peer/PeerIndex.js"
import type { PresenceIndex } from "../actors/presence/PresenceIndex.js"
import type { Refused } from "../actors/Refused.js"
import { type AnyReason, refusal } from "./refusals.js"
import type { Credentials } from "./serve.js"

export interface CallerServices {
  readonly peers: PeerIndex
  readonly presences: PresenceIndex
  /** The session that a token is of. */
  readonly sessionOf: (token: string) => string | undefined
  /** The hub's own token, if it asks for one. */
  readonly hubToken: string | undefined
  /** Whether the old header counts. */
  readonly acceptsHeader: boolean
}

export interface Caller {
  /** Undefined for an operator. */
  readonly identity: Identity | undefined
  /** Set when it has shown its session's token. */
  readonly sessionId: string | undefined
}

export const operator: Identity = { personality: "operator", runtime: "operator" }

export const callerOf = (
  services: CallerServices,
  { bearer, identity: claimed }: Credentials
): Effect.Effect<Caller, Refused<AnyReason>> =>
  Effect.suspend((): Effect.Effect<Caller, Refused<AnyReason>> => {
    const sessionId = bearer === undefined ? undefined : services.sessionOf(bearer)
    const owner = sessionId === undefined ? undefined : ownerOf(services.presences, sessionId)
    if (owner) {
      const disagrees = claimed !== undefined && claimed !== formatIdentity(owner)
      return disagrees
        ? refusal({ _tag: "NotAllowed", need: "the token of the identity that the header names" })
        : Effect.succeed({ identity: owner, sessionId })
    }
    const isOperator = claimed === undefined && (bearer === undefined || bearer === services.hubToken)
    if (isOperator) return Effect.succeed({ identity: undefined, sessionId: undefined })
    if (claimed === undefined || !services.acceptsHeader) {
      return refusal({ _tag: "NotAllowed", need: "the token of a session that runs now" })
    }
    const identity = parseIdentity(claimed)
    const runtimes = identity && services.peers.get(identity.personality)?.runtimes
    if (!identity || !runtimes?.includes(identity.runtime)) {
      return refusal({ _tag: "UnknownSender", sender: claimed })
    }
    return Effect.succeed({ identity, sessionId: undefined })
  })

const ownerOf = (presences: PresenceIndex, sessionId: string): Identity | undefined => {
  for (const presence of presences.all()) {
    if (presence.sessionId === sessionId) return parseIdentity(presence.identity)
  }
  return undefined
}
