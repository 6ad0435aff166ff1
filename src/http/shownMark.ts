/** A mark as readers see it: the record as published, with the hub's own clock, floor and intensity (contracts: ledger 2.2). */
import type { MarkRecord } from "../actors/claim/ClaimEvent.js"
import { intensity } from "../actors/claim/intensity.js"

export interface StoredMark {
  readonly record: MarkRecord
  readonly publishedAt: number
  readonly inflations: number
}

/** The keys in the order sent, then `publishedAt` and `inflations` (in place if the client sent them), `intensity` last. */
export const shownMark = ({ record, publishedAt, inflations }: StoredMark, now: number): MarkRecord => ({
  ...record,
  publishedAt,
  inflations,
  intensity: intensity(
    {
      baseIntensity: number(record.baseIntensity),
      decayRate: number(record.decayRate),
      publishedAt,
      inflations
    },
    now
  )
})

const number = (value: unknown): number => (typeof value === "number" ? value : 0)
