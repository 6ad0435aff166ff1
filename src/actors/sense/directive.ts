/** The directive with which a compute starts a workflow: `name|maxRounds|prompt` (contracts: senses and workflows 2.4). */

export interface Directive {
  readonly workflow: string
  readonly maxRounds: number
  readonly prompt: string
}

export type DirectiveFault =
  | "bad_form"
  | "bad_name"
  | "bad_rounds"
  | "empty_prompt"
  | "too_long"
  | "bad_type"
  | "unknown_workflow"

/** Names of senses, groups and workflows. */
export const isName = (text: string): boolean =>
  text.length <= 64 && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text)

/** More rounds than these count as these. */
const mostRounds = 1_000
const maxPromptBytes = 65_536

/** Only the first two bars split: the prompt keeps the rest as it is. */
export const parseDirective = (text: string): Directive | { readonly fault: DirectiveFault } => {
  const [, name, rounds, prompt] = /^([^|]*)\|([^|]*)\|([\s\S]*)$/.exec(text) ?? []
  if (name === undefined || rounds === undefined || prompt === undefined) return { fault: "bad_form" }
  const workflow = name.trim()
  if (!isName(workflow)) return { fault: "bad_name" }
  if (!/^[1-9][0-9]{0,5}$/.test(rounds.trim())) return { fault: "bad_rounds" }
  if (prompt.trim() === "") return { fault: "empty_prompt" }
  if (Buffer.byteLength(prompt) > maxPromptBytes) return { fault: "too_long" }
  return { workflow, maxRounds: Math.min(Number(rounds), mostRounds), prompt }
}
