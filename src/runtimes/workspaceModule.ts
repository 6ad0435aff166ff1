/**
 * What the code of a workspace may import as `mound/workspace`, and as `@uncaged/nerve-core` where it comes from the old system: names,
 * two pure functions, and the types of what it is handed.
 */
import { type Directive, parseDirective } from "../actors/sense/directive.js"
import { type RoutedAnswer, routeAnswer } from "../actors/sense/routeAnswer.js"

/** The role of the frame that a run begins with. */
export const START = "__start__"
/** What a moderator answers when the run is complete. */
export const END = "__end__"

/** `name|maxRounds|prompt` in its parts; null for a text that is no directive. */
export const parseSenseWorkflowDirective = (text: string): Directive | null => {
  const directive = parseDirective(text)
  return "fault" in directive ? null : directive
}

/** What Mound makes of a compute's answer. */
export const routeSenseComputeOutput = (answer: unknown): RoutedAnswer => routeAnswer(answer)

export type { SenseContext } from "./SenseContext.js"
export type {
  Moderator,
  Role,
  RoleAnswer,
  RoleContext,
  StartFrame,
  StepFrame,
  Thread
} from "./WorkflowContext.js"
export type { Directive, RoutedAnswer }
