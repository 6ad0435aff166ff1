/**
 * Quick answers about all claims together: which open mark is the strongest, how many claims a peer holds, how many there are in
 * each state. Kept equal to the claims' current states, so decisions across claims are exact and atomic.
 */
import { idOf, type Offset, type StreamId } from "../../events/Event.js"
import type { ActorState } from "../fold.js"
import type { ClaimContext } from "./ClaimContext.js"
import type { ClaimStateName } from "./claimMachine.js"
import { type Fading, intensity } from "./intensity.js"

/** A claim's state as this kind's fold makes it. */
export type ClaimState = ActorState & { readonly context: ClaimContext; readonly name: ClaimStateName }

/** A mark that ClaimNext may choose. */
export interface OpenMark extends Fading {
  readonly id: string
  readonly stanceTarget: string
  readonly notBefore: number
  /** Among equally strong marks the one that was listed first is taken. */
  readonly firstOffset: Offset
}

/** A claim whose lease ends by itself, or with a presence: it counts for its peer's quota and as active work. */
export interface LeasedClaim {
  readonly id: string
  readonly peer: string
}

/** What the index begins with at start, when no claim is in memory. */
export interface ClaimSeed {
  readonly counts: ReadonlyMap<string, number>
  readonly listed: number
  readonly open: ReadonlyArray<OpenMark>
  readonly leased: ReadonlyArray<LeasedClaim>
}

export interface Selection {
  /** Weight from 0 to 1 of each wanted stance; undefined wants all, each with weight 1. */
  readonly weights: ReadonlyMap<string, number> | undefined
  readonly minScore: number
  readonly prefix: string
}

export class ClaimIndex {
  readonly #open = new Map<string, OpenMark>()
  readonly #leasedBy = new Map<string, Set<string>>()
  readonly #counts = new Map<string, number>()
  #listed = 0

  /** Takes over how things stand in the journal, at start. */
  seed({ counts, listed, open, leased }: ClaimSeed): void {
    for (const [state, count] of counts) this.#counts.set(state, count)
    this.#listed = listed
    for (const mark of open) this.#open.set(mark.id, mark)
    for (const claim of leased) this.#lease(claim)
  }

  update(before: ClaimState, after: ClaimState): void {
    this.#count(before, -1)
    this.#count(after, 1)
    const id = idOf(after.stream)
    const open = openMark(after)
    if (open) this.#open.set(id, open)
    else this.#open.delete(id)
    const ended = leasedClaim(before)
    const leased = leasedClaim(after)
    if (ended) this.#unlease(ended)
    if (leased) this.#lease(leased)
  }

  /** Takes no ClaimNext to a claim whose history does not fold. */
  exclude(stream: StreamId): void {
    this.#open.delete(idOf(stream))
  }

  /** Marks that are listed: published and not evaporated. */
  get listed(): number {
    return this.#listed
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Claims in these states together. */
  count(...states: ReadonlyArray<ClaimStateName>): number {
    return states.reduce((sum, state) => sum + (this.#counts.get(state) ?? 0), 0)
  }

  /** Timed and bound claims that a peer holds. */
  heldBy(peer: string): number {
    return this.#leasedBy.get(peer)?.size ?? 0
  }

  /** All timed and bound claims that are held: a stopping hub counts them as active work. */
  leased(): ReadonlyArray<LeasedClaim> {
    return [...this.#leasedBy].flatMap(([peer, ids]) => [...ids].map((id) => ({ id, peer })))
  }

  /** The strongest open mark that a selection wants and its score; the longest listed of equals. */
  strongest(selection: Selection, now: number): { readonly id: string; readonly score: number } | undefined {
    let best: OpenMark | undefined
    let bestScore = Number.NEGATIVE_INFINITY
    for (const mark of this.#open.values()) {
      const score = scoreOf(mark, selection, now)
      if (score === undefined || score < bestScore) continue
      if (score === bestScore && best && best.firstOffset < mark.firstOffset) continue
      best = mark
      bestScore = score
    }
    return best && { id: best.id, score: bestScore }
  }

  #count({ version, name, context }: ClaimState, change: 1 | -1): void {
    if (version === 0) return
    this.#counts.set(name, this.count(name) + change)
    if (context.mark) this.#listed += change
  }

  #lease({ id, peer }: LeasedClaim): void {
    const ids = this.#leasedBy.get(peer) ?? new Set()
    this.#leasedBy.set(peer, ids.add(id))
  }

  #unlease({ id, peer }: LeasedClaim): void {
    const ids = this.#leasedBy.get(peer)
    ids?.delete(id)
    if (ids?.size === 0) this.#leasedBy.delete(peer)
  }
}

/** What a mark is worth to a selection, or undefined if it is not a candidate. */
export const scoreOf = (
  mark: OpenMark,
  { weights, minScore, prefix }: Selection,
  now: number
): number | undefined => {
  const weight = weights ? (weights.get(mark.stanceTarget) ?? 0) : 1
  if (weight <= 0 || mark.notBefore > now || !mark.id.startsWith(prefix)) return undefined
  const score = weight * intensity(mark, now)
  return score >= minScore ? score : undefined
}

/** The open mark that a claim's state offers, if it does. */
export const openMark = ({ stream, name, context }: ClaimState): OpenMark | null => {
  const { mark, publishedAt, inflations, notBefore, firstOffset } = context
  if (name !== "open" || !mark || firstOffset === null) return null
  const { stanceTarget, baseIntensity, decayRate } = mark
  return {
    id: idOf(stream),
    stanceTarget,
    baseIntensity,
    decayRate,
    publishedAt,
    inflations,
    notBefore,
    firstOffset
  }
}

const leasedClaim = ({ stream, name, context: { holder, ttlMs } }: ClaimState): LeasedClaim | null =>
  name.startsWith("held.") && holder && (ttlMs !== null || holder.boundTo !== undefined)
    ? { id: idOf(stream), peer: holder.peer }
    : null
