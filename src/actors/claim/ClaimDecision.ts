/** What a decision about a claim looks at and may answer, and the refusals that several commands share. */
import { idOf, type Offset } from "../../events/Event.js"
import { type DecideContext, type Decision, refuse } from "../ActorKind.js"
import type { ClaimCommand } from "./ClaimCommand.js"
import type { ClaimContext } from "./ClaimContext.js"
import type { ClaimEvent, Holder } from "./ClaimEvent.js"
import type { ClaimIndex, ClaimState } from "./ClaimIndex.js"
import type { ClaimReason } from "./ClaimRefusal.js"
import { expiresAt } from "./Lease.js"

/** What the rules of claims can be configured with (`ledger.*`). */
export interface ClaimRules {
  readonly defaultTtlMs: number
  readonly defaultGraceMs: number
  /** Timed and bound claims that a peer may hold; undefined for any number. */
  readonly maxHeldPerPeer: number | undefined
  /** The same for a peer that has a number of its own. */
  readonly heldLimitOf?: (peer: string) => number | undefined
  /** Stances that may be published; undefined for any. */
  readonly stances: ReadonlySet<string> | undefined
  /** Whether the presence of this stream is live now: a lease may be bound to it. */
  readonly isLive: (presence: string) => boolean
}

/** What a decision looks at besides the claim itself. */
export interface ClaimWorld extends DecideContext {
  readonly rules: ClaimRules
  readonly index: ClaimIndex
}

export type ClaimDecision = Decision<ClaimEvent, ClaimReason>

/** Commands of these types. */
export type ClaimCommandOf<Type extends ClaimCommand["type"]> = Extract<ClaimCommand, { readonly type: Type }>

/** The context of a claim that somebody holds. */
export type HeldContext = ClaimContext & { readonly holder: Holder; readonly token: Offset }

/** The context if the claim is held, in whatever phase of its lease. */
export const heldContext = ({ name, context }: ClaimState): HeldContext | undefined =>
  name.startsWith("held.") ? (context as HeldContext) : undefined

/** A holder acts by its token, which is current in every phase of its lease and in none after it. */
export const asHolder = (
  state: ClaimState,
  { token, holder }: { readonly token: Offset; readonly holder?: string | undefined },
  decide: (held: HeldContext) => ClaimDecision
): ClaimDecision => {
  const held = heldContext(state)
  if (held?.token !== token) return refuseStale(state, token)
  return refuseOther(held, holder) ?? decide(held)
}

/** Whoever has proved to be another peer than the holder does not act in its name. */
export const refuseOther = (
  { holder }: Pick<ClaimContext, "holder">,
  proved: string | undefined
): ClaimDecision | undefined =>
  proved === undefined || proved === holder?.peer
    ? undefined
    : refuse({ _tag: "NotAllowed", need: `to be ${holder?.peer ?? "the holder"}, who holds this claim` })

/** What keeps a bound lease going has gone: its holder may end it, and nothing else. */
export const refuseUnbound = (
  { holder: { boundTo } }: HeldContext,
  { rules }: ClaimWorld
): ClaimDecision | undefined =>
  boundTo === undefined || rules.isLive(boundTo)
    ? undefined
    : refuse({ _tag: "PresenceNotLive", presence: boundTo })

export const refuseStale = ({ context, name }: ClaimState, given: Offset): ClaimDecision =>
  refuse({ _tag: "StaleToken", given, current: context.token, state: name })

export const refuseUnknown = ({ stream }: ClaimState): ClaimDecision =>
  refuse({ _tag: "UnknownClaim", id: idOf(stream) })

export const refuseClaimed = (
  { name }: ClaimState,
  held: HeldContext,
  { floorAt }: ClaimWorld
): ClaimDecision =>
  refuse({
    _tag: "AlreadyClaimed",
    by: held.holder.peer,
    ...(held.holder.instance !== undefined && { instance: held.holder.instance }),
    token: held.token,
    since: held.grantedAt,
    expiresAt: expiresAt(held, floorAt),
    state: name
  })
