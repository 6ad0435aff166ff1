/**
 * What a claim's machine knows, and what each fact changes of it (contracts: ledger 3.1, the last column of 3.2). Pure functions
 * from context and event to the fields that change.
 */
import type { Offset } from "../../events/Event.js"
import type { Recorded } from "../fold.js"
import type { ClaimEvent, ClaimEventOf, Holder } from "./ClaimEvent.js"

/** What the rules need of a mark. The record itself stays in the journal and in the projection. */
export interface Mark {
  /** Of the deposit that holds the record. */
  readonly offset: Offset
  readonly stanceTarget: string
  readonly baseIntensity: number
  readonly decayRate: number
}

export interface ClaimContext {
  readonly mark: Mark | null
  readonly publishedAt: number
  readonly inflations: number
  /** Of the deposit that listed the mark; its place in the list. */
  readonly firstOffset: Offset | null
  /** Whoever holds the claim. It outlasts a sweep of what is claimed for ever, so that this can still be completed. */
  readonly holder: Holder | null
  /** Offset of the newest grant or transfer: rises over all claims, so a later holding always has the larger one. */
  readonly token: Offset | null
  /** Null while held for ever or bound. */
  readonly ttlMs: number | null
  readonly graceMs: number
  readonly grantedAt: number
  readonly leaseFrom: number
  readonly offer: { readonly to: string; readonly until: number } | null
  readonly attempts: number
  readonly maxAttempts: number | null
  /** Until then ClaimNext skips the mark. */
  readonly notBefore: number
  /** Finished for good: it cannot be claimed again, whatever becomes of its mark. */
  readonly settled: boolean
  readonly outcome: "completed" | "failed" | "exhausted" | null
  readonly lastEnd: { readonly token: Offset; readonly type: string } | null
}

type Change = Partial<ClaimContext>
type Of<Type extends ClaimEvent["type"]> = Recorded<ClaimEventOf<Type>>

export const initialContext: ClaimContext = {
  mark: null,
  publishedAt: 0,
  inflations: 0,
  firstOffset: null,
  holder: null,
  token: null,
  ttlMs: null,
  graceMs: 0,
  grantedAt: 0,
  leaseFrom: 0,
  offer: null,
  attempts: 0,
  maxAttempts: null,
  notBefore: 0,
  settled: false,
  outcome: null,
  lastEnd: null
}

export const isMarked = ({ mark }: ClaimContext): boolean => mark !== null

export const isForever = ({ holder, ttlMs }: ClaimContext): boolean =>
  holder !== null && ttlMs === null && holder.boundTo === undefined

/** Set and used up: no further grant is to be had by trying again. */
export const isExhausted = ({ attempts, maxAttempts }: ClaimContext): boolean =>
  maxAttempts !== null && attempts >= maxAttempts

/** Claimed for ever when its mark was swept: settled although nobody has said what came of it. */
export const isSweptWhileHeld = ({ settled, holder }: ClaimContext): boolean => settled && holder !== null

export const deposited = (context: ClaimContext, event: Of<"PheromoneDeposited">): Change => ({
  mark: {
    offset: event.offset,
    stanceTarget: String(event.record.stanceTarget ?? ""),
    baseIntensity: numberOr0(event.record.baseIntensity),
    decayRate: numberOr0(event.record.decayRate)
  },
  publishedAt: event.publishedAt ?? event.at,
  inflations: numberOr0(event.record.inflations),
  maxAttempts: event.maxAttempts ?? null,
  firstOffset: context.mark ? context.firstOffset : event.offset
})

/** A term that an imported record lacks is 0. */
const numberOr0 = (value: unknown): number => (typeof value === "number" ? value : 0)

export const inflated = ({ inflations }: ClaimContext): Change => ({ inflations: inflations + 1 })

/** The mark is gone; what was claimed for ever stays claimed, so finished work is never claimed twice. */
export const evaporated: Change = { mark: null, firstOffset: null, inflations: 0, maxAttempts: null }

export const granted = ({ attempts }: ClaimContext, event: Of<"ClaimGranted">): Change => ({
  ...leased(event, event),
  attempts: attempts + 1,
  notBefore: 0,
  outcome: null,
  lastEnd: null
})

export const transferred = (event: Of<"ClaimTransferred">): Change => leased(event.to, event)

const leased = (
  { peer, instance, boundTo }: Holder,
  event: Recorded<{ readonly ttlMs: number | null; readonly graceMs: number }>
): Change => ({
  holder: { peer, ...(instance !== undefined && { instance }), ...(boundTo !== undefined && { boundTo }) },
  token: event.offset,
  ttlMs: event.ttlMs,
  graceMs: event.graceMs,
  grantedAt: event.at,
  leaseFrom: event.at,
  offer: null
})

/** The lease begins anew: it was renewed, or an offer came to nothing. */
export const renewed = ({ at }: Recorded<object>): Change => ({ offer: null, leaseFrom: at })

export const offered = ({ to, offerMs, at }: Of<"HandoffOffered">): Change => ({
  offer: { to, until: at + offerMs }
})

/** Nobody holds it any more; a repeat of this very end is recognised. */
export const ended = ({ type, token }: { readonly type: string; readonly token: Offset }): Change => ({
  holder: null,
  offer: null,
  lastEnd: { token, type }
})

/** Given back untried: the attempt does not count. */
export const released = ({ attempts }: ClaimContext, event: Of<"ClaimReleased">): Change => ({
  ...ended(event),
  attempts: attempts - 1
})

export const failedForNow = (event: Of<"ClaimFailed">): Change => ({
  ...ended(event),
  notBefore: event.at + event.retryAfterMs
})

export const settled = (
  event: { readonly type: string; readonly token: Offset },
  outcome: NonNullable<ClaimContext["outcome"]>
): Change => ({ ...ended(event), settled: true, outcome })

/** As if it had never been claimed: also whoever held it when it was swept has lost it. */
export const reopened: Change = { holder: null, settled: false, attempts: 0, outcome: null, lastEnd: null }
