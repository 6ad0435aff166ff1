/** Who may ask this hub, as it is configured: its own tokens, its sessions', and those of agents. */
import { Effect } from "effect"
import { type Identity, parseIdentity } from "../actors/peer/Identity.js"
import type { AuthFileInvalid } from "../config/agents.js"
import type { Settings } from "../config/Settings.js"
import { type Identities, makeIdentities } from "../http/Identities.js"
import { type MarkRules, makeMarkRules } from "../http/MarkRules.js"
import { RateLimits, type RateRules } from "../http/RateLimits.js"
import { type AgentFiles, openAgentFiles } from "./AgentFiles.js"
import type { HubParts } from "./HubParts.js"
import type { PeerParts } from "./peers.js"
import { type HubTokens, isLoopback } from "./preconditions.js"

/** Undefined where agents have no tokens. */
export const agentFilesOf = (settings: Settings): Effect.Effect<AgentFiles | undefined, AuthFileInvalid> => {
  const tokensPath = settings["ledger.auth.tokens_file"]
  return tokensPath === undefined
    ? Effect.succeed(undefined)
    : openAgentFiles(tokensPath, settings["ledger.auth.kind_registry"])
}

export const makeHubIdentities = (
  { tokens, isAskedOfAll }: HubTokens,
  files: AgentFiles | undefined,
  { sessions, presenceKind }: PeerParts,
  now: () => number
): Identities =>
  makeIdentities({
    hubTokens: tokens,
    isAskedOfAll,
    agents: files?.agents,
    sessionOf: (token) => sessions.requested(token, now()),
    ownerOf: (sessionId): Identity | undefined => {
      for (const presence of presenceKind.index.all()) {
        if (presence.sessionId === sessionId) return parseIdentity(presence.identity)
      }
      return undefined
    }
  })

/** Undefined where anybody may leave any mark. */
export const markRulesOf = ({ settings, agentFiles, clock, audit }: HubParts): MarkRules | undefined => {
  const max = settings["ledger.auth.inflate_max"]
  const windowMs = settings["ledger.auth.inflate_window"]
  const inflations = max && windowMs ? { max, windowMs } : undefined
  const { now } = clock
  return agentFiles && makeMarkRules({ kinds: agentFiles.kinds, inflations, now, audit: audit.note })
}

/** Only a hub that can be reached from elsewhere has limits. */
export const rateLimitsOf = ({ settings, clock }: HubParts, rates: RateRules): RateLimits | undefined =>
  isLoopback(settings["http.host"]) ? undefined : new RateLimits(rates, clock.now)
