/**
 * What can be asked of a run (contracts: senses and workflows 4). `KillRun` and `ResumeRun` come from outside; the others from the
 * hub's own program: the reflexes, and what runs in the run's states. `token` is the offset of the event that began the work which a
 * command reports on: work that is no longer current has no say.
 */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import { Failing } from "../workflow/WorkflowEvent.js"
import {
  Content,
  CrashReason,
  DropReason,
  Executor,
  FailReason,
  InterruptReason,
  Meta,
  SuspendReason
} from "./RunEvent.js"

const command = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

const Reason = Schema.String.pipe(
  Schema.maxLength(2_000, { message: () => "must be at most 2000 characters" })
)
const token = Offset

/** What a role answered. A large content or meta is a reference already. */
export const Output = Schema.Struct({ content: Content, meta: Meta })
export type Output = typeof Output.Type

/** How a role wants to be played, as the loaded module says. */
export const Role = Schema.Struct({
  executor: Executor,
  inDoubt: Schema.Literal("retry", "hold"),
  maxAttempts: Schema.Int,
  /** Its own longest attempt; the workflow's when it has none. */
  timeoutMs: Schema.optional(Schema.Int),
  /** What whoever claims it is asked. */
  ask: Schema.optional(Schema.String)
})

export type Role = typeof Role.Type

/** What a moderator chose: the end, or a role, which the module may not have. */
export const Choice = Schema.Union(
  Schema.Struct({ end: Schema.Literal(true) }),
  Schema.Struct({ role: Schema.String, as: Schema.NullOr(Role) })
)

export type Choice = typeof Choice.Type

/** What a moderator said when it was asked about a step that is not recorded yet: it is recorded with that step. */
export const Next = Schema.Union(
  Schema.Struct({ choice: Choice, definitionHash: Schema.String }),
  Schema.Struct({ error: Failing })
)
export type Next = typeof Next.Type

export const KillRun = command("KillRun", { reason: Schema.optional(Reason) })
export const ResumeRun = command("ResumeRun", {
  /** Becomes the step of a run that is held. */
  output: Schema.optional(Output)
})

export const RunCommand = Schema.Union(
  KillRun,
  ResumeRun,
  command("StartRun", {}),
  command("DropRun", { reason: DropReason, by: Schema.optional(Schema.String) }),
  command("SelectRole", { token, choice: Choice, definitionHash: Schema.String }),
  /** Fails a run that cannot go on: its moderator failed, its history cannot be read. */
  command("FailRun", { token, reason: FailReason, error: Failing }),
  /** Without a token from whoever holds the claim on an offered role: its round and attempt name the offer. */
  command("RecordRoleOutput", {
    token: Schema.optional(token),
    round: Schema.Int,
    attempt: Schema.Int,
    ...Output.fields,
    next: Schema.optional(Next)
  }),
  command("RecordRoleError", {
    token: Schema.optional(token),
    round: Schema.Int,
    attempt: Schema.Int,
    error: Failing,
    retryable: Schema.Boolean
  }),
  command("RecordRoleClaim", { claim: Schema.String, peer: Schema.String, grant: Offset }),
  command("SuspendRun", { reason: SuspendReason, token: Schema.optional(token) }),
  command("RecoverRun", {
    token,
    workerId: Schema.NullOr(Schema.String),
    definitionHash: Schema.String,
    /** The answer of the attempt in doubt, if its worker wrote it down before it went. */
    outbox: Schema.optional(Schema.Struct({ ...Output.fields, attempt: Schema.Int }))
  }),
  command("InterruptRun", { reason: InterruptReason }),
  command("CrashRun", { reason: CrashReason, token }),
  command("FinishStop", { token })
)
export type RunCommand = typeof RunCommand.Type
