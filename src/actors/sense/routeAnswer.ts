/** What a compute's answer means: nothing, a signal, or a launch (the table of contracts: senses and workflows 2.4). Pure. */
import { type Directive, type DirectiveFault, parseDirective } from "./directive.js"

/** A directive that is not followed, and why. */
export interface RejectedDirective {
  readonly text: string
  readonly reason: DirectiveFault
}

export type RoutedAnswer =
  | { readonly outcome: "silent" }
  | { readonly outcome: "signal"; readonly payload: unknown; readonly rejected?: RejectedDirective }
  /** The answer's other keys go with the run. */
  | ({ readonly outcome: "launch"; readonly evidence?: { readonly [key: string]: unknown } } & Directive)

/** contracts: 4, SenseDirectiveRejected */
const maxText = 500

/** `answer` is what survived JSON. Whether the workflow exists is not known here. */
export const routeAnswer = (answer: unknown): RoutedAnswer => {
  if (answer === null || answer === undefined) return { outcome: "silent" }
  if (typeof answer !== "object" || Array.isArray(answer) || !Object.hasOwn(answer, "workflow")) {
    return { outcome: "signal", payload: answer }
  }
  const { workflow, ...others } = answer as { readonly [key: string]: unknown }
  if (workflow === null || workflow === "") return { outcome: "signal", payload: others }
  if (typeof workflow !== "string") {
    const text = JSON.stringify(workflow).slice(0, maxText)
    return { outcome: "signal", payload: others, rejected: { text, reason: "bad_type" } }
  }
  const directive = parseDirective(workflow)
  if ("fault" in directive) {
    const rejected = { text: workflow.slice(0, maxText), reason: directive.fault }
    return { outcome: "signal", payload: others, rejected }
  }
  const hasOthers = Object.keys(others).length > 0
  return { outcome: "launch", ...directive, ...(hasOthers && { evidence: others }) }
}
