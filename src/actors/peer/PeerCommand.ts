/** What can be asked of a peer's registration, with every limit of contracts: peers 2. The HTTP bodies are made of these fields. */
import { Schema } from "effect"
import { IntelligenceWord, RuntimeName } from "./Identity.js"
import { Launch } from "./PeerEvent.js"

const KiB = 1_024
const text = (most: number) =>
  Schema.String.pipe(Schema.maxLength(most, { message: () => `must be at most ${most} characters` }))
const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value) ?? "")
const atMost = (bytes: number) => (value: unknown) =>
  jsonBytes(value) <= bytes || `must be at most ${bytes / KiB} KiB of JSON`

/** A longer one is cut, and the answer says so. */
export const maxDescription = 450

const fields = {
  runtimes: Schema.optional(
    Schema.Array(RuntimeName).pipe(
      Schema.minItems(1, { message: () => "must name at least one runtime" }),
      Schema.maxItems(8, { message: () => "must be at most 8 runtimes" })
    )
  ),
  defaultRuntime: Schema.optional(RuntimeName),
  intelligence: Schema.optional(IntelligenceWord),
  description: Schema.optional(text(16_000)),
  restart: Schema.optional(Schema.Literal("onDemand", "always")),
  resume: Schema.optional(Schema.Literal("topic", "always", "never")),
  wake: Schema.optional(Schema.Literal("shared", "ephemeral")),
  launch: Schema.optional(
    Schema.Record({ key: RuntimeName, value: Schema.partial(Launch) }).pipe(Schema.filter(atMost(64 * KiB)))
  ),
  seedPrompt: Schema.optional(Schema.NullOr(text(16_000))),
  interfaces: Schema.optional(Schema.Unknown.pipe(Schema.filter(atMost(16 * KiB))))
}

/** Adds a peer, or merges into the one of that name. `cwd` is a real path here: the edge has resolved it. */
export const RegisterPeer = Schema.Struct({
  type: Schema.Literal("RegisterPeer"),
  cwd: Schema.String,
  ...fields
})
/** Replaces what is given: unlike a registration it can also drop a runtime or blank a description. */
export const AmendPeer = Schema.Struct({ type: Schema.Literal("AmendPeer"), ...fields })
export const RemovePeer = Schema.Struct({
  type: Schema.Literal("RemovePeer"),
  force: Schema.optional(Schema.Boolean)
})
/** Reported by `retirePresences`. */
export const CompleteRemoval = Schema.Struct({
  type: Schema.Literal("CompleteRemoval"),
  sessionsEnded: Schema.Int,
  messagesFailed: Schema.Int
})

export const PeerCommand = Schema.Union(RegisterPeer, AmendPeer, RemovePeer, CompleteRemoval)
export type PeerCommand = typeof PeerCommand.Type
export type Wanted = Omit<typeof AmendPeer.Type, "type">
