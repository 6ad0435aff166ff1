/** Why a command to the hub is refused (contracts: hub 4), beside the reasons that every command may meet. */
import { Schema } from "effect"
import type { Explanations } from "../Refused.js"

export const HubReason = Schema.Union(
  Schema.TaggedStruct("ActiveWork", {
    claims: Schema.Array(Schema.Struct({ id: Schema.String, peer: Schema.String })),
    runs: Schema.Array(Schema.String),
    total: Schema.Int
  }),
  Schema.TaggedStruct("NotDraining", {})
)
export type HubReason = typeof HubReason.Type

/** What people are told about each. */
export const hubExplanations: Explanations<HubReason> = {
  ActiveWork: (reason) => ({
    message: `${reason.total} claims or runs are active: ${reason.claims.map(({ id, peer }) => `${id} (${peer})`).join(", ")}`,
    fix: "wait for them, or stop with force: leases keep at least one grace after the next start"
  }),
  NotDraining: () => ({ message: "the hub is not stopping" })
}
