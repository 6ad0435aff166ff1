/** Single values of `mound.yaml`, each with its limits and the words for what is wrong with it (contracts: senses and workflows 2.1). */
import type { Place, YamlReader } from "./YamlReader.js"

const units: { readonly [unit: string]: number } = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const hour = 3_600_000
export const limits = { hour, week: 168 * hour, month: 720 * hour }

/** `250ms`, `30s`, `5m`, `1h`, `7d`; in ms. Undefined, with an error, for anything else. */
export const durationMs = (
  reader: YamlReader,
  place: Place,
  mostMs: number = Number.MAX_SAFE_INTEGER,
  leastMs = 1
): number | undefined => {
  const value = reader.scalar(place)
  const ms = typeof value === "string" ? parseDuration(value) : undefined
  if (ms === undefined) {
    const message = `${JSON.stringify(value ?? null)} is no duration`
    reader.error(place, "bad_duration", message, "a whole number above 0 and a unit: 250ms, 30s, 5m, 1h, 7d")
    return undefined
  }
  if (ms >= leastMs && ms <= mostMs) return ms
  reader.error(place, "out_of_range", `must be from ${inWords(leastMs)} to ${inWords(mostMs)}`)
  return undefined
}

/** Undefined for a text that is no duration. */
export const parseDuration = (text: string): number | undefined => {
  const [, amount, unit] = /^([0-9]+)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Number(amount) * (units[unit ?? ""] ?? Number.NaN)
  return ms > 0 && Number.isSafeInteger(ms) ? ms : undefined
}

const inWords = (ms: number): string => {
  const unit = ["d", "h", "m", "s"].find((each) => ms % (units[each] as number) === 0) ?? "ms"
  return `${ms / (units[unit] as number)}${unit}`
}

export const integer = (
  reader: YamlReader,
  place: Place,
  least: number,
  most: number
): number | undefined => {
  const value = reader.scalar(place)
  if (typeof value !== "number" || !Number.isInteger(value)) {
    reader.error(place, "wrong_type", `must be an integer from ${least} to ${most}`)
    return undefined
  }
  if (value >= least && value <= most) return value
  reader.error(place, "out_of_range", `must be an integer from ${least} to ${most}`)
  return undefined
}

export const oneOf = <const Words extends ReadonlyArray<string>>(
  reader: YamlReader,
  place: Place,
  words: Words
): Words[number] | undefined => {
  const value = reader.scalar(place)
  if (typeof value === "string" && words.includes(value)) return value
  reader.error(
    place,
    typeof value === "string" ? "out_of_range" : "wrong_type",
    `must be ${words.join(" or ")}`
  )
  return undefined
}

const namePattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const maxNameLength = 64

/** Whether a name is one; the fault is named at `place`. */
export const checkName = (reader: YamlReader, place: Place, name: string): boolean => {
  if (namePattern.test(name) && name.length <= maxNameLength) return true
  const message = `${JSON.stringify(name)} is no name`
  reader.error(
    place,
    "bad_name",
    message,
    "lower-case words of letters and digits, joined by -; at most 64 characters"
  )
  return false
}

/** A name as a value. */
export const nameValue = (reader: YamlReader, place: Place): string | undefined => {
  const value = reader.scalar(place)
  if (typeof value !== "string") {
    reader.error(place, "wrong_type", "must be a name")
    return undefined
  }
  return checkName(reader, place, value) ? value : undefined
}
