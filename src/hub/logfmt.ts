/** Lines of `key=value`, as the old system wrote them (contracts: peers 6). */

export type Fields = ReadonlyArray<readonly [key: string, value: string | number | null | undefined]>

/** Fields in their order; absent ones are left out. */
export const logfmt = (fields: Fields): string =>
  fields
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => `${key}=${quote(String(value))}`)
    .join(" ")

/** Bare unless blanks, an equals sign, quotes or control characters would make it ambiguous. */
const quote = (value: string): string =>
  value === "" || /[\s="\u0000-\u001f\u007f]/.test(value)
    ? `"${value.replace(/["\\]/g, "\\$&").replace(/[\u0000-\u001f\u007f]/g, escape)}"`
    : value

const names: { readonly [character: string]: string } = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }
const escape = (character: string): string =>
  names[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
