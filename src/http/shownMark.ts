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

/** A mark whose record is the text that its projection keeps: as `JSON.stringify` wrote it, without an `intensity`. */
export interface StoredText {
  readonly record: string
  readonly base: number
  readonly decay: number
  readonly publishedAt: number
  readonly inflations: number
}

/**
 * The JSON of `shownMark`, for lists: reading every record and writing it anew would be most of their time. A record that was published
 * has none of the hub's own keys, one that was imported ends with them; whatever else there is goes the long way.
 */
export const shownText = (
  { record, base, decay, publishedAt, inflations }: StoredText,
  now: number
): string => {
  const own = `"publishedAt":${publishedAt},"inflations":${inflations}}`
  const body = record.slice(0, -1)
  const strength = () =>
    JSON.stringify(intensity({ baseIntensity: base, decayRate: decay, publishedAt, inflations }, now))
  // A brace right behind a number closes the record itself: these keys are its own and, as keys are unique, the only ones.
  if (record.endsWith(`,${own}`)) return `${body},"intensity":${strength()}}`
  if (record.includes('"publishedAt":') || record.includes('"inflations":')) {
    return JSON.stringify(shownMark({ record: JSON.parse(record), publishedAt, inflations }, now))
  }
  return `${body}${record === "{}" ? "" : ","}${own.slice(0, -1)},"intensity":${strength()}}`
}

const number = (value: unknown): number => (typeof value === "number" ? value : 0)
