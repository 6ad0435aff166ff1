/** Why a command to a workflow is refused (contracts: senses and workflows 4), beside the reasons that every command may meet. */
import { Schema } from "effect"
import type { Explanations } from "../Refused.js"

export const WorkflowReason = Schema.Union(
  Schema.TaggedStruct("UnknownWorkflow", { workflow: Schema.String }),
  Schema.TaggedStruct("CausalDepth", { depth: Schema.Int, limit: Schema.Int })
)
export type WorkflowReason = typeof WorkflowReason.Type

/** What people are told about each. */
export const workflowExplanations: Explanations<WorkflowReason> = {
  UnknownWorkflow: ({ workflow }) => ({
    message: `there is no workflow ${JSON.stringify(workflow)}`,
    fix: "list it under workflows: in mound.yaml, or check the name: mound workflow list"
  }),
  CausalDepth: ({ depth, limit }) => ({
    message: `this is step ${depth} of a chain of senses and runs that cause one another; the limit is ${limit}`,
    fix: "look for a workflow that triggers the sense that launches it"
  })
}
