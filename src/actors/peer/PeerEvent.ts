/** What can happen to a peer's registration (contracts: peers 2, 3.1). */
import { Schema } from "effect"
import type { Upcaster } from "../../events/Upcasters.js"
import { intelligences, Personality, RuntimeName } from "./Identity.js"

/** How a peer is started on one runtime, beyond what the runtime's own configuration says. */
export const Launch = Schema.Struct({
  /** Appended to the runtime's argv; the whole command where the runtime has none. */
  args: Schema.Array(Schema.String),
  env: Schema.Record({ key: Schema.String, value: Schema.String })
})

export const Registration = Schema.Struct({
  personality: Personality,
  /** A real path. */
  cwd: Schema.String,
  runtimes: Schema.Array(RuntimeName),
  defaultRuntime: RuntimeName,
  intelligence: Schema.Literal(...intelligences),
  description: Schema.String,
  /** `always`: it is up whenever it is not stopped. */
  restart: Schema.Literal("onDemand", "always"),
  /** When a sleeping one goes on with its last session instead of a fresh one. */
  resume: Schema.Literal("topic", "always", "never"),
  /** `ephemeral`: a fresh session for each message. */
  wake: Schema.Literal("shared", "ephemeral"),
  launch: Schema.Record({ key: Schema.String, value: Launch }),
  /** Given to each fresh session before its first message. */
  seedPrompt: Schema.NullOr(Schema.String),
  /** Free JSON, for operators. */
  interfaces: Schema.Unknown
})
export type Registration = typeof Registration.Type

const { personality: _, cwd: __, ...amendable } = Registration.fields
const Changes = Schema.partial(Schema.Struct(amendable))
export type Changes = typeof Changes.Type

const fact = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const PeerEvent = Schema.Union(
  fact("PeerRegistered", Registration.fields),
  fact("PeerAmended", { changes: Changes }),
  fact("PeerRemovalBegun", { force: Schema.Boolean }),
  fact("PeerRemoved", { sessionsEnded: Schema.Int, messagesFailed: Schema.Int })
)
export type PeerEvent = typeof PeerEvent.Type

/** Sessions that take a single message came later. */
export const peerUpcasters: { readonly [Type in PeerEvent["type"]]: ReadonlyArray<Upcaster> } = {
  PeerRegistered: [(data) => ({ ...data, wake: "shared" })],
  PeerAmended: [],
  PeerRemovalBegun: [],
  PeerRemoved: []
}
