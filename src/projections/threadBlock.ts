/** A step as people page through a thread: its head, its meta as YAML, its content (contracts: senses and workflows 5.1). */
import { stringify } from "yaml"

export interface Block {
  readonly round: number
  readonly role: string
  /** Epoch ms. */
  readonly at: number
  readonly attempt: number
  readonly meta: { readonly [name: string]: unknown }
  readonly content: string
}

/** Its length in UTF-16 units is what a page's budget counts. */
export const threadBlock = ({ round, role, at, attempt, meta, content }: Block): string => {
  const again = attempt > 1 ? ` (attempt ${attempt})` : ""
  const head = `[#${round} ${role}] ${new Date(at).toISOString()}${again}\n`
  const shown = Object.keys(meta).length === 0 ? "" : `---\n${stringify(meta)}---\n`
  return `${head}${shown}${content}\n\n`
}
