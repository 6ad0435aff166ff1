/** Why a command to a sense is refused (contracts: senses and workflows 4), beside the reasons that every command may meet. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Explanations } from "../Refused.js"
import { maxDepth } from "./SenseCommand.js"

export const SenseReason = Schema.Union(
  Schema.TaggedStruct("UnknownSense", { name: Schema.String }),
  Schema.TaggedStruct("SenseBroken", { name: Schema.String, error: Schema.String }),
  Schema.TaggedStruct("CircuitOpen", { name: Schema.String, until: Schema.Number }),
  Schema.TaggedStruct("CausalDepth", { depth: Schema.Int }),
  Schema.TaggedStruct("StaleToken", {
    given: Offset,
    current: Schema.NullOr(Offset),
    state: Schema.String
  })
)
export type SenseReason = typeof SenseReason.Type

/** What people are told about each. `StaleToken` is explained where claims are: it is one reason of the whole protocol. */
export const senseExplanations: Explanations<Exclude<SenseReason, { readonly _tag: "StaleToken" }>> = {
  UnknownSense: ({ name }) => ({
    message: `there is no sense ${name}`,
    fix: "mound sense list names them; they are configured in mound.yaml"
  }),
  SenseBroken: ({ name, error }) => ({
    message: `the code of ${name} does not load: ${error.split("\n")[0]}`,
    fix: `mend senses/${name}; it is loaded again when it is saved`
  }),
  CircuitOpen: ({ name, until }) => ({
    message: `${name} took its process down too often and is left out until ${new Date(until).toISOString()}`,
    fix: `mend senses/${name}, or try at once: mound sense reset ${name}`
  }),
  CausalDepth: ({ depth }) => ({
    message: `signals and runs led to one another ${depth} times: it stops at ${maxDepth}`,
    fix: "look for the loop with mound journal show"
  })
}
