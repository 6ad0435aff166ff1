/** Reads one setting's value, whether it comes from YAML (typed) or from the environment (text). */

/** A value, or what is wrong with it. */
export type Parsed<A> = { readonly value: A } | { readonly problem: string }
export type Parser<A> = (raw: unknown) => Parsed<A>

const valid = <A>(value: A): Parsed<A> => ({ value })
const wrong = (problem: string) => ({ problem })

const units: { readonly [unit: string]: number } = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizes: { readonly [unit: string]: number } = { "": 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 }

export const boolean: Parser<boolean> = (raw) => {
  if (raw === true || raw === "true" || raw === "1") return valid(true)
  if (raw === false || raw === "false" || raw === "0") return valid(false)
  return wrong("must be true or false")
}

export const integer =
  (least: number, most: number): Parser<number> =>
  (raw) => {
    const value = typeof raw === "string" && /^-?\d+$/.test(raw) ? Number(raw) : raw
    const fits = typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
    return fits ? valid(value) : wrong(`must be an integer from ${least} to ${most}`)
  }

export const number: Parser<number> = (raw) => {
  const value = typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw
  return typeof value === "number" && Number.isFinite(value) ? valid(value) : wrong("must be a finite number")
}

export const text: Parser<string> = (raw) => (typeof raw === "string" ? valid(raw) : wrong("must be a text"))

/** One of a closed set of words, in any case. */
export const word =
  <const Words extends ReadonlyArray<string>>(words: Words): Parser<Words[number]> =>
  (raw) => {
    const found = words.find((each) => each === String(raw).toUpperCase())
    return found === undefined ? wrong(`must be one of ${words.join(", ")}`) : valid(found)
  }

export const texts: Parser<ReadonlyArray<string>> = (raw) => {
  const list = typeof raw === "string" ? raw.split(",").map((item) => item.trim()) : raw
  return Array.isArray(list) && list.every((item) => typeof item === "string")
    ? valid(list)
    : wrong("must be a list of texts")
}

/** `250ms`, `30s`, `5m`, `1h`, `1d`; in ms. */
export const duration =
  (leastMs: number, mostMs: number): Parser<number> =>
  (raw) => {
    const match = /^(\d+)(ms|s|m|h|d)$/.exec(String(raw))
    const ms = match ? Number(match[1]) * (units[match[2] as string] as number) : Number.NaN
    return ms >= leastMs && ms <= mostMs
      ? valid(ms)
      : wrong(`must be a duration such as 250ms, 30s or 5m, from ${leastMs} to ${mostMs} ms`)
  }

/** `65536`, `64KiB`, `16MiB`; in bytes. */
export const size =
  (least: number, most: number): Parser<number> =>
  (raw) => {
    const match = /^(\d+)(KiB|MiB|GiB|)$/.exec(String(raw))
    const bytes = match ? Number(match[1]) * (sizes[match[2] as string] as number) : Number.NaN
    return bytes >= least && bytes <= most
      ? valid(bytes)
      : wrong(`must be a size such as 64KiB or 16MiB, from ${least} to ${most} bytes`)
  }

/** The word `off` (or 0), or a value. */
export const offOr =
  <A>(parser: Parser<A>): Parser<A | undefined> =>
  (raw) =>
    raw === "off" || raw === false || raw === 0 || raw === "0" ? valid(undefined) : parser(raw)

/** An address of the web, without a password: what may be shown to anybody. */
export const webUrl: Parser<string> = (raw) => {
  const url = typeof raw === "string" && URL.canParse(raw) ? new URL(raw) : undefined
  const fits = url && /^https?:$/.test(url.protocol) && url.username === "" && url.password === ""
  return fits ? valid(String(raw)) : wrong("must be an http or https url, without a password in it")
}

/** `name=value,name=value`, the values percent-encoded. Says nothing of what they are: they may be secrets. */
export const headers: Parser<{ readonly [name: string]: string }> = (raw) => {
  const found: { [name: string]: string } = {}
  for (const each of String(raw).split(",")) {
    if (each.trim() === "") continue
    const [, name, value] = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([\x21-\x7e]*)\s*$/.exec(each) ?? []
    const decoded = name === undefined ? undefined : percentDecoded(value as string)
    if (decoded === undefined) return wrong("must be name=value, several with commas between them")
    found[name as string] = decoded
  }
  return valid(found)
}

const percentDecoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
