/** Why a command to a run is refused (contracts: senses and workflows 4), beside the reasons that every command may meet. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Explanations } from "../Refused.js"

/** Work that is over reports to nobody: only the hub's own program can meet this one. */
const Stale = Schema.TaggedStruct("StaleToken", {
  given: Offset,
  current: Schema.NullOr(Offset),
  state: Schema.String
})

const Shown = Schema.Union(
  Schema.TaggedStruct("UnknownRun", { runId: Schema.String }),
  Schema.TaggedStruct("AlreadyEnded", { status: Schema.String }),
  Schema.TaggedStruct("NotResumable", { state: Schema.String }),
  Schema.TaggedStruct("UnknownWorkflow", { workflow: Schema.String })
)

export type RunReason = typeof Stale.Type | typeof Shown.Type

/** What people are told about each that is a run's alone. */
export const runExplanations: Explanations<
  Extract<RunReason, { readonly _tag: "UnknownRun" | "AlreadyEnded" | "NotResumable" }>
> = {
  UnknownRun: ({ runId }) => ({
    message: `there is no run ${JSON.stringify(runId)}`,
    fix: "list them: mound workflow list --all"
  }),
  AlreadyEnded: ({ status }) => ({ message: `this run has ended: it is ${status}` }),
  NotResumable: ({ state }) => ({
    message: `this run is ${state}: only one that crashed, was interrupted or is held can be resumed`,
    fix: "look at it: mound workflow inspect RUN; --output is for one that is held"
  })
}
