/** What can be asked of the hub. All but `DrainHub` and `RecordBackup` come from the hub's own program (contracts: hub 4). */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import { hubFields } from "./HubEvent.js"

const command = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const DrainHub = command("DrainHub", {
  force: Schema.optional(Schema.Boolean),
  reason: Schema.optional(
    Schema.String.pipe(
      Schema.minLength(1, { message: () => "must not be empty" }),
      Schema.maxLength(200, { message: () => "must be at most 200 characters" })
    )
  ),
  drainTimeoutMs: Schema.optional(
    Schema.Int.pipe(
      Schema.between(1_000, 600_000, { message: () => "must be an integer from 1000 to 600000" })
    )
  )
})

/** A backup was taken from outside: the hub only takes note, since a request must not choose paths to write. */
export const RecordBackup = command("RecordBackup", hubFields.backup)

export const HubCommand = Schema.Union(
  command("StartHub", { ...hubFields.started, head: Schema.Struct({ offset: Offset, at: Schema.Number }) }),
  command("BindHub", { ...hubFields.bound, reassigned: Schema.NullOr(Schema.Struct(hubFields.reassigned)) }),
  command("CompleteRecovery", hubFields.recovered),
  command("FailStart", hubFields.startFailed),
  DrainHub,
  command("CutDrainShort", { cause: Schema.Literal("signal") }),
  command("CompleteDrain", {}),
  command("StopHub", {}),
  command("RecordClockJump", hubFields.jumped),
  command("RecordDefect", hubFields.defect),
  command("ResumeWrites", hubFields.resumed),
  command("RecordRebuild", { ...hubFields.rebuilt, liveDigest: Schema.NullOr(Schema.String) }),
  command("RecordRestore", hubFields.restored),
  command("RecordConfig", hubFields.configLoaded),
  command("RecordConfigReload", hubFields.configReloaded),
  command("RecordConfigRejection", hubFields.configRejected),
  command("RaiseComponent", hubFields.degraded),
  command("ClearComponent", hubFields.component),
  RecordBackup,
  command("RecordImport", hubFields.imported),
  command("RecordArchive", hubFields.archived)
)
export type HubCommand = typeof HubCommand.Type
