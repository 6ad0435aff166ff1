/** Something thrown by user code, as text of bounded length: its message first, then where it came from. */

/** contracts: senses and workflows 2.3 */
const maxMessage = 2_048
const maxStack = 4_096

export const errorText = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return describe(thrown).slice(0, maxMessage)
  const head = `${thrown.name}: ${thrown.message}`
  const { stack = "" } = thrown
  const frames = stack.startsWith(head) ? stack.slice(head.length) : `\n${stack}`
  return `${head.slice(0, maxMessage)}${frames.slice(0, maxStack)}`.trimEnd()
}

const describe = (thrown: unknown): string => {
  try {
    return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? String(thrown))
  } catch {
    return String(thrown)
  }
}
