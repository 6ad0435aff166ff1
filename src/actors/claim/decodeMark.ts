/** Checks a mark as it is published, in the old ledger's order and with its words (contracts: ledger 2.1). */
import type { MarkRecord } from "./ClaimEvent.js"

/** The word for the first fault of a record; clients of the old ledger know these. */
export type MarkFault =
  | "missing id"
  | "stanceTarget"
  | "baseIntensity"
  | "decayRate"
  | "seq"
  | "inflations"
  | "invalid id"

const maxIdBytes = 512
const maxStanceBytes = 1_024

/** The record without its `intensity`, which is the hub's own to say, or the first fault. */
export const decodeMark = (body: unknown): MarkRecord | MarkFault => {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return "missing id"
  const record: { [key: string]: unknown } = { ...body }
  const fault = faultOf(record)
  if (fault) return fault
  delete record.intensity
  return record
}

const faultOf = ({
  id,
  stanceTarget,
  baseIntensity,
  decayRate,
  seq,
  inflations
}: MarkRecord): MarkFault | undefined => {
  if (typeof id !== "string" || id === "") return "missing id"
  if (typeof stanceTarget !== "string" || Buffer.byteLength(stanceTarget) > maxStanceBytes)
    return "stanceTarget"
  if (!isFinite(baseIntensity)) return "baseIntensity"
  if (!isFinite(decayRate) || decayRate < 0) return "decayRate"
  if (seq !== undefined && !isFinite(seq)) return "seq"
  if (inflations !== undefined && !isCount(inflations)) return "inflations"
  if (!isValidId(id)) return "invalid id"
  return undefined
}

const isFinite = (value: unknown): value is number => Number.isFinite(value)
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** An id must be able to stand in a URL's path and in a log line. */
export const isValidId = (id: string): boolean =>
  Buffer.byteLength(id) <= maxIdBytes &&
  id.isWellFormed() &&
  !/[\u0000-\u001f\u007f]/.test(id) &&
  id !== "." &&
  id !== ".."
