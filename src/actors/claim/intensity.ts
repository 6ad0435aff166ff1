/** What fades: `base * exp(-decay * seconds) + inflations` (contracts: ledger 2.2). */
export interface Fading {
  readonly baseIntensity: number
  /** Per second; 0 never fades. */
  readonly decayRate: number
  /** Epoch ms. */
  readonly publishedAt: number
  /** The floor that does not fade. */
  readonly inflations: number
}

/** Intensity at `now` (epoch ms), on doubles in this very order; computed on read, never stored as a changing value. */
export const intensity = (
  { baseIntensity, decayRate, publishedAt, inflations }: Fading,
  now: number
): number => baseIntensity * Math.exp((-decayRate * Math.max(0, now - publishedAt)) / 1000) + inflations
