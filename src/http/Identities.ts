/**
 * Who a caller is, by the token that it shows: a session by its own, an agent by one of the tokens file, the operator by the hub's.
 * Tokens are looked up by their digests, so how long that takes says nothing about them (contracts: ledger 5.4, hub 5, peers 4).
 */
import { createHash } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import { formatIdentity, type Identity, parseIdentity } from "../actors/peer/Identity.js"

export type AgentClass = "worker" | "privileged"
/** From the least to the most that a caller may do. */
export type Scope = "read" | "agent" | "operator"

export interface Agent {
  readonly agentId: string
  readonly class: AgentClass
  readonly scope: Scope
}

export interface Caller {
  /** As events name it, and as whom it holds claims; undefined for an operator, or whoever it is. */
  readonly name: string | undefined
  /** The peer that it is, if it is one. */
  readonly identity: Identity | undefined
  /** Set when it has shown its session's token. */
  readonly sessionId: string | undefined
  readonly class: AgentClass
  readonly isOperator: boolean
  /** It has proved who it is, and speaks for nobody else. Where no tokens are asked for every local caller is trusted. */
  readonly isBound: boolean
}

/** What a request has shown. */
export type Shown =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "UnknownToken" }
  | { readonly _tag: "Known"; readonly caller: Caller; readonly scope: Scope }

export interface IdentityRules {
  /** Any of them makes an operator. */
  readonly hubTokens: ReadonlyArray<string>
  /** Every caller must show a token, also one that only reads. */
  readonly isAskedOfAll: boolean
  /** Agents by the SHA-256 of their tokens; undefined when there are none. */
  readonly agents: (() => ReadonlyMap<string, Agent>) | undefined
  /** The session that a token is of. */
  readonly sessionOf: (token: string) => string | undefined
  /** Whose session it is, while it runs. */
  readonly ownerOf: (sessionId: string) => Identity | undefined
}

/** Whoever it is: an operator, or where no tokens are asked for anybody on this machine. */
export const anybody: Caller = {
  name: undefined,
  identity: undefined,
  sessionId: undefined,
  class: "privileged",
  isOperator: true,
  isBound: false
}
const stranger: Caller = { ...anybody, class: "worker", isOperator: false, isBound: true }

export type Identities = ReturnType<typeof makeIdentities>

export const makeIdentities = ({ hubTokens, isAskedOfAll, agents, sessionOf, ownerOf }: IdentityRules) => {
  const ofHub = new Set(hubTokens.map(digestOf))
  /** Whether commands want a token at all. */
  const isAsked = isAskedOfAll || agents !== undefined

  const shown = (bearer: string | undefined): Shown => {
    if (bearer === undefined) return nothing
    const digest = digestOf(bearer)
    if (ofHub.has(digest)) return { _tag: "Known", caller: anybody, scope: "operator" }
    const sessionId = sessionOf(bearer)
    const owner = sessionId === undefined ? undefined : ownerOf(sessionId)
    if (owner) {
      const caller = {
        ...stranger,
        name: formatIdentity(owner),
        identity: owner,
        sessionId,
        isBound: isAsked
      }
      return { _tag: "Known", caller, scope: isAsked ? "agent" : "operator" }
    }
    const agent = agents?.().get(digest)
    return agent ? { _tag: "Known", caller: callerOf(agent), scope: agent.scope } : unknownToken
  }

  return {
    isAsked,
    isAskedOfAll,
    hasAgents: agents !== undefined,
    /** What an operator shows, if anybody has to show anything. */
    operatorToken: hubTokens[0],
    shown,
    /** Whoever asks, as far as it has shown. Without tokens anybody on this machine is an operator. */
    callerOf: (bearer: string | undefined): Caller => {
      const found = shown(bearer)
      return found._tag === "Known" ? found.caller : isAsked ? stranger : anybody
    }
  }
}

/** What an event says of who sent its command. */
export const byOf = ({ name = "operator" }: Caller): string => name

/** A sender's own id for a command. Those who are told apart do not get one another's answers. */
export const commandIdFor = ({ name, isBound }: Caller, key: string | undefined): string | undefined =>
  key !== undefined && isBound && name !== undefined ? `${name}/${key}` : key

/** The token that a request shows, if it shows one. */
export const bearerOf = ({ authorization }: IncomingHttpHeaders): string | undefined =>
  /^Bearer (.+)$/i.exec(authorization ?? "")?.[1]

const ranks: { readonly [S in Scope]: number } = { read: 0, agent: 1, operator: 2 }
export const covers = (scope: Scope, need: Scope): boolean => ranks[scope] >= ranks[need]

const nothing: Shown = { _tag: "Nothing" }
const unknownToken: Shown = { _tag: "UnknownToken" }

const callerOf = ({ agentId, class: named, scope }: Agent): Caller => ({
  name: agentId,
  identity: parseIdentity(agentId),
  sessionId: undefined,
  class: named,
  isOperator: scope === "operator",
  isBound: true
})

const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex")
