/**
 * What can be asked of a workflow (contracts: senses and workflows 4). `RequestRun`, `ResetWorkflow` and `ReloadWorkflow` come from
 * outside; the others from the hub's own program: its configuration, its worker, the reflexes.
 */
import { Schema } from "effect"
import { Evidence, Origin } from "../run/RunEvent.js"
import { DrainReason, Failing, WorkflowSettings, workflowFields } from "./WorkflowEvent.js"

const command = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

const maxPromptBytes = 65_536
const Prompt = Schema.String.pipe(
  Schema.filter((text) => text.trim() !== "", { message: () => "must not be blank" }),
  Schema.filter((text) => Buffer.byteLength(text) <= maxPromptBytes, {
    message: () => `must be at most ${maxPromptBytes} bytes`
  })
)
export const MaxRounds = Schema.Int.pipe(
  Schema.between(1, 1_000, { message: () => "must be an integer from 1 to 1000" })
)

export const RequestRun = command("RequestRun", {
  /** Fresh, from the sender. A repeated command keeps the first one's. */
  runId: Schema.String,
  prompt: Prompt,
  maxRounds: Schema.optional(MaxRounds),
  dryRun: Schema.optional(Schema.Boolean),
  evidence: Schema.optional(Evidence),
  origin: Origin,
  /** Steps of cause and effect between senses and runs that led here. */
  depth: Schema.optional(Schema.NonNegativeInt)
})

export const WorkflowCommand = Schema.Union(
  RequestRun,
  command("RegisterWorkflow", { settings: WorkflowSettings }),
  command("RemoveWorkflow", {}),
  command("AdmitRun", { runId: Schema.String }),
  command("ReleaseRun", { runId: Schema.String, status: Schema.String }),
  command("RecordWorkerReady", workflowFields.ready),
  command("RecordWorkerLoss", workflowFields.lost),
  command("RecordLoadFailure", { error: Failing }),
  command("RecordReloadFailure", { error: Failing, hash: Schema.NullOr(Schema.String) }),
  command("StartDrain", { reason: DrainReason, hash: Schema.NullOr(Schema.String) }),
  command("EndDrain", {}),
  command("ResetWorkflow", {})
)
export type WorkflowCommand = typeof WorkflowCommand.Type
