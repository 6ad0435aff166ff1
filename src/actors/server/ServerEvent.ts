/** What can happen to a registered server (contracts: streams 4). A heartbeat is no event. */
import { Schema } from "effect"
import type { Upcaster } from "../../events/Upcasters.js"

const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

/** What a server says of itself, beside its id. */
export const entryFields = {
  url: Schema.String,
  port: Schema.Int,
  pid: Schema.Int,
  metadata: Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
}

export const ServerEvent = Schema.Union(
  fact("ServerRegistered", entryFields),
  /** `forgetAfterMs` is how long it may stay silent until it is gone. */
  fact("ServerWentStale", { lastHeardAt: Schema.Number, silentMs: Schema.Number, forgetAfterMs: Schema.Int }),
  fact("ServerRevived", { silentMs: Schema.Number }),
  fact("ServerExpired", {}),
  fact("ServerUnregistered", { reason: Schema.Literal("request", "shutdown") })
)
export type ServerEvent = typeof ServerEvent.Type

/** All have had one shape so far. */
export const serverUpcasters: { readonly [Type in ServerEvent["type"]]: ReadonlyArray<Upcaster> } = {
  ServerRegistered: [],
  ServerWentStale: [],
  ServerRevived: [],
  ServerExpired: [],
  ServerUnregistered: []
}
