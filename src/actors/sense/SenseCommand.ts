/** What can be asked of a sense (contracts: senses and workflows 4). People and programs may trigger and reset it; the rest is the hub's own. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import { SenseCause, SenseSettings, senseFields } from "./SenseEvent.js"

const command = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

/** Why, without what only the decision knows: the time of a call from outside. */
const AskedCause = Schema.Struct({ ...SenseCause.fields, at: Schema.optional(Schema.Number) })

/** The answer of a compute, routed. */
export const Answer = Schema.Union(
  Schema.Struct({ outcome: Schema.Literal("silent") }),
  Schema.Struct({
    outcome: Schema.Literal("signal"),
    payload: Schema.Unknown,
    rejected: Schema.optional(Schema.Struct(senseFields.rejected))
  }),
  Schema.Struct({
    outcome: Schema.Literal("launch"),
    ...senseFields.directive,
    evidence: Schema.optional(Schema.Unknown)
  })
)
export type Answer = typeof Answer.Type

export const TriggerSense = command("TriggerSense", { cause: AskedCause, depth: Schema.Int })
export const ResetSense = command("ResetSense", {})

export const SenseCommand = Schema.Union(
  TriggerSense,
  ResetSense,
  command("RegisterSense", SenseSettings.fields),
  command("RemoveSense", {}),
  command("ArmSense", {}),
  command("StartCompute", {}),
  command("RecordComputeResult", {
    token: Offset,
    answer: Answer,
    state: Schema.optional(Schema.Unknown),
    durationMs: Schema.Int
  }),
  command("RecordComputeError", { token: Offset, error: Schema.String, durationMs: Schema.Int }),
  command("RecordComputeAborted", { token: Offset }),
  command("RecordSenseLoad", {
    loaded: Schema.optional(Schema.Struct(senseFields.loaded)),
    error: Schema.optional(Schema.String)
  }),
  command("RecordSenseLoss", senseFields.loss),
  command("ReloadSense", { reason: Schema.Literal("changed", "sibling", "group") }),
  command("MendSense", {}),
  command("RejectLaunch", senseFields.rejected)
)
export type SenseCommand = typeof SenseCommand.Type

/** Signals and runs may lead to one another so many times (contracts: 3.1). */
export const maxDepth = 8
