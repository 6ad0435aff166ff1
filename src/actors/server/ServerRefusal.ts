/** Why a command to a server's entry is refused (contracts: streams 4), beside the reasons that every command may meet. */
import { Schema } from "effect"
import { Offset } from "../../events/Event.js"
import type { Explanations } from "../Refused.js"

export const ServerReason = Schema.Union(
  Schema.TaggedStruct("ServerNotRegistered", { id: Schema.String }),
  Schema.TaggedStruct("StaleServerToken", { given: Offset, current: Schema.NullOr(Offset) }),
  Schema.TaggedStruct("HeardSince", {}),
  Schema.TaggedStruct("TooManyServers", { limit: Schema.Int })
)
export type ServerReason = typeof ServerReason.Type

/** What people are told about each. */
export const serverExplanations: Explanations<ServerReason> = {
  ServerNotRegistered: ({ id }) => ({
    message: `no server ${id} is registered`,
    fix: "register it: POST /servers"
  }),
  StaleServerToken: ({ given, current }) => ({
    message: `the token ${given} is of an older registration; the id now belongs to the one of token ${current}`,
    fix: "another process has registered under this id: choose an id of your own"
  }),
  HeardSince: () => ({ message: "the server has been heard of since" }),
  TooManyServers: ({ limit }) => ({ message: `${limit} servers are registered already` })
}
