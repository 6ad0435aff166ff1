/** A recorded event as stored, never upcast: what stands at an offset never changes. */
import { Schema } from "effect"

export const JournalEvent = Schema.Struct({
  offset: Schema.Int,
  stream: Schema.String,
  version: Schema.Int,
  type: Schema.String,
  schema: Schema.Int,
  at: Schema.Int.annotations({ description: "epoch ms of the hub clock" }),
  state: Schema.String,
  by: Schema.String,
  commandId: Schema.String,
  causation: Schema.NullOr(Schema.Int),
  correlation: Schema.NullOr(Schema.String),
  data: Schema.Unknown,
  hash: Schema.String
}).annotations({ identifier: "JournalEvent" })
