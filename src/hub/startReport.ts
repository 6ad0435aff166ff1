/** What a background hub tells the process that started it, over the channel between them (contracts: hub 3.3). */
import { Schema } from "effect"

export const StartReport = Schema.Union(
  /** Still at it. Comes every half second, so that a long recovery is not taken for a hang. */
  Schema.Struct({ type: Schema.Literal("recovering") }),
  Schema.Struct({ type: Schema.Literal("ready") }),
  Schema.Struct({
    type: Schema.Literal("failed"),
    tag: Schema.String,
    message: Schema.String,
    fix: Schema.NullOr(Schema.String),
    exitCode: Schema.Int
  })
)
export type StartReport = typeof StartReport.Type

export const reportEveryMs = 500
