/** As whom a caller takes, holds and ends claims (contracts: ledger 4): with a token as its own peer, without one as whom it names. */
import { Effect } from "effect"
import { presenceStream } from "../actors/peer/Identity.js"
import type { Refused } from "../actors/Refused.js"
import type { Caller } from "./Identities.js"
import { type AnyReason, refusal } from "./refusals.js"

/** What a request says of who is to have a claim, and how long. */
interface Taking {
  readonly peer?: string | undefined
  readonly instance?: string | undefined
  readonly ttlMs?: number | null | undefined
  readonly boundTo?: string | undefined
}

/** The peer that a request is for. */
export const peerOf = (
  { peer }: Pick<Taking, "peer">,
  { name, isBound }: Caller
): Effect.Effect<string, Refused<AnyReason>> => {
  const meant = peer ?? name
  if (meant === undefined) {
    return refusal({ _tag: "InvalidCommand", path: "peer", problem: "is missing" })
  }
  return isBound && meant !== name
    ? refusal({ _tag: "NotAllowed", need: `the token of ${meant}` })
    : Effect.succeed(meant)
}

/** A session that takes a claim for itself holds it as that session, and as long as its presence is live unless it asks for a time. */
export const takingBy = <Payload extends Taking>(
  payload: Payload,
  caller: Caller
): Effect.Effect<Payload & { readonly peer: string }, Refused<AnyReason>> =>
  Effect.map(peerOf(payload, caller), (peer) => {
    const { identity, sessionId, name } = caller
    if (!identity || sessionId === undefined || peer !== name) return { ...payload, peer }
    const hasEnd = payload.ttlMs !== undefined || payload.boundTo !== undefined
    return {
      ...payload,
      peer,
      instance: payload.instance ?? sessionId,
      ...(!hasEnd && { boundTo: presenceStream(identity) })
    }
  })

/** What a command of a claim's holder says of who sends it. */
export const holderOf = ({ name, isBound }: Caller): { readonly holder?: string } =>
  isBound && name !== undefined ? { holder: name } : {}
