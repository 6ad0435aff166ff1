/** Reads a request's body as JSON, strictly: what cannot be understood exactly is refused, and nothing overflows a stack. */

/** Nesting beyond this is not data but an attack (contracts: ledger 2.1). */
const maxDepth = 128

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The parsed value, or undefined for bytes that are no JSON text: bad UTF-8, bad syntax, too deep. An empty body is `{}`. */
export const parseJson = (bytes: Uint8Array): { readonly value: unknown } | undefined => {
  if (bytes.length === 0) return { value: {} }
  try {
    const text = utf8.decode(bytes)
    return isShallow(text) ? { value: JSON.parse(text) } : undefined
  } catch {
    return undefined
  }
}

const isShallow = (text: string): boolean => {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === 92) index++
      else if (code === 34) inString = false
    } else if (code === 34) inString = true
    else if (code === 91 || code === 123) {
      depth++
      if (depth > maxDepth) return false
    } else if (code === 93 || code === 125) depth--
  }
  return true
}
