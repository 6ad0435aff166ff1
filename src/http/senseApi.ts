/** The part of the protocol that is about senses, their signals and the configuration (contracts: senses and workflows 5). */
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"

const Instant = Schema.Int.annotations({ description: "epoch ms of the hub clock" })
const orNull = Schema.NullOr
const number = Schema.NumberFromString
const name = Schema.Struct({ name: Schema.String })

export const SenseRow = Schema.Struct({
  name: Schema.String,
  group: Schema.String,
  state: Schema.String,
  module: orNull(Schema.String),
  circuit: orNull(Schema.String),
  lastStartAt: orNull(Instant),
  lastOutcome: orNull(Schema.String),
  lastSignalOffset: orNull(Schema.Int),
  lastError: orNull(Schema.String),
  dueAt: orNull(Instant),
  failures: Schema.Int,
  computes: Schema.Int,
  signals: Schema.Int,
  settings: Schema.Unknown,
  offset: Schema.Int
}).annotations({ identifier: "SenseRow" })
export type SenseRow = typeof SenseRow.Type

export const SignalRow = Schema.Struct({
  sense: Schema.String,
  offset: Schema.Int,
  at: Instant,
  payload: Schema.Unknown,
  depth: Schema.Int
}).annotations({ identifier: "SignalRow" })

/** Accepted: the compute is due then. */
const Accepted = Schema.Struct({ offset: Schema.Int, dueAt: Instant, coalesced: Schema.Boolean }).annotations(
  {
    identifier: "SenseTriggered"
  }
)

/** Waited for: how the compute that answers to this trigger ended. */
const Ended = Schema.Struct({
  outcome: Schema.String,
  payload: Schema.optional(Schema.Unknown),
  workflow: Schema.optional(Schema.String),
  error: Schema.optional(Schema.String),
  offset: Schema.Int
}).annotations({ identifier: "ComputeEnded" })

const Reloaded = Schema.Struct({
  hash: Schema.String,
  added: Schema.Array(Schema.String),
  removed: Schema.Array(Schema.String),
  changed: Schema.Array(Schema.String)
}).annotations({ identifier: "Reloaded" })

export const maxWaitMs = 60_000

export const senses = HttpApiGroup.make("senses")
  .add(
    HttpApiEndpoint.get("senses", "/senses").addSuccess(
      Schema.Struct({ offset: Schema.Int, rows: Schema.Array(SenseRow) })
    )
  )
  .add(HttpApiEndpoint.get("sense", "/senses/:name").setPath(name).addSuccess(SenseRow))
  .add(
    HttpApiEndpoint.post("triggerSense", "/senses/:name/trigger")
      .setPath(name)
      .setUrlParams(
        Schema.Struct({ wait: Schema.optional(number.pipe(Schema.int(), Schema.between(0, maxWaitMs))) })
      )
      .addSuccess(Ended)
      .addSuccess(Accepted, { status: 202 })
      .annotate(OpenApi.Description, "Have a sense compute; with `wait` (ms) the answer comes when it has.")
  )
  .add(
    HttpApiEndpoint.post("resetSense", "/senses/:name/reset")
      .setPath(name)
      .addSuccess(Schema.Struct({ state: Schema.String, offset: Schema.Int }))
      .annotate(OpenApi.Description, "Closes the circuit, and loads code anew that was broken.")
  )
  .add(
    HttpApiEndpoint.get("signals", "/signals")
      .setUrlParams(
        Schema.Struct({
          sense: Schema.optional(Schema.String),
          limit: Schema.optional(number.pipe(Schema.int(), Schema.between(1, 1_000))),
          cursor: Schema.optional(Schema.String)
        })
      )
      .addSuccess(
        Schema.Struct({ offset: Schema.Int, rows: Schema.Array(SignalRow), next: orNull(Schema.String) })
      )
      .annotate(OpenApi.Description, "The newest first.")
  )
  .annotate(OpenApi.Description, "What is watched, when it was looked at, and what was seen.")

export const configuration = HttpApiGroup.make("configuration")
  .add(HttpApiEndpoint.get("config", "/config").addSuccess(Schema.Unknown))
  .add(HttpApiEndpoint.post("reloadConfig", "/config/reload").addSuccess(Reloaded))
  .annotate(OpenApi.Description, "The configuration in force.")
