/** What the hub and a workflow's worker say to each other. */
import { Schema } from "effect"
import { Choice, Output } from "../actors/run/RunCommand.js"
import { Content, Meta } from "../actors/run/RunEvent.js"
import { Failing } from "../actors/workflow/WorkflowEvent.js"
import { workerProtocol } from "./workerProtocol.js"

const message = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

/** How a run began. */
export const Start = Schema.Struct({
  prompt: Schema.String,
  maxRounds: Schema.Int,
  dryRun: Schema.Boolean,
  evidence: Schema.optional(Schema.Unknown),
  at: Schema.Number
})
export type Start = typeof Start.Type

export const Step = Schema.Struct({
  round: Schema.Int,
  role: Schema.String,
  content: Content,
  meta: Meta,
  at: Schema.Number
})
export type Step = typeof Step.Type

/** What a worker does not know of a run yet: its beginning, and the steps from `from` on. */
export const ThreadPart = Schema.Struct({
  runId: Schema.String,
  start: Schema.optional(Start),
  from: Schema.Int,
  steps: Schema.Array(Step)
})
export type ThreadPart = typeof ThreadPart.Type

/** Names a call in its answer: the fencing token of the work. */
const token = Schema.Int

const Load = message("Load", {
  workflow: Schema.String,
  workspace: Schema.String,
  /** The hub's state folder, which holds blobs, outbox and the loader's cache. */
  stateDir: Schema.String
})
const Choose = message("Choose", { token, thread: ThreadPart })
const Play = message("Play", {
  token,
  thread: ThreadPart,
  role: Schema.String,
  round: Schema.Int,
  attempt: Schema.Int
})
const Abort = message("Abort", { token })
/** The run has ended: nothing of it is asked again. */
const Forget = message("Forget", { runId: Schema.String })

const Loaded = message("Loaded", { definitionHash: Schema.String, roles: Schema.Array(Schema.String) })
const LoadFailed = message("LoadFailed", { error: Failing, definitionHash: Schema.String })
/** The moderator is being asked now: what kept the worker busy before was not its doing. */
const Choosing = message("Choosing", { token })
const Chosen = message("Chosen", { token, choice: Choice })
/** The moderator is asked next, and what it says follows under the same token. */
const Played = message("Played", { token, output: Output })
/** A call that came to nothing: the module threw, or answered what nobody can record, or a blob of the history is not what it was. */
const Failed = message("Failed", {
  token,
  error: Failing,
  retryable: Schema.Boolean,
  isHistory: Schema.Boolean
})

export const workflowProtocol = workerProtocol(
  Schema.Union(Load, Choose, Play, Abort, Forget),
  Schema.Union(Loaded, LoadFailed, Choosing, Chosen, Played, Failed)
)
export type ToWorkflow =
  | typeof Load.Type
  | typeof Choose.Type
  | typeof Play.Type
  | typeof Abort.Type
  | typeof Forget.Type
export type FromWorkflow =
  | typeof Loaded.Type
  | typeof LoadFailed.Type
  | typeof Choosing.Type
  | typeof Chosen.Type
  | typeof Played.Type
  | typeof Failed.Type
/** The answer to one call, and what the moderator says after a role has been played. */
export type CallAnswer = typeof Chosen.Type | typeof Played.Type | typeof Failed.Type
