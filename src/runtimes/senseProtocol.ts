/** What passes between the hub and the process of a group of senses. */
import { Schema } from "effect"
import { Answer } from "../actors/sense/SenseCommand.js"
import { SenseCause } from "../actors/sense/SenseEvent.js"
import { Offset } from "../events/Event.js"
import { workerProtocol } from "./workerProtocol.js"

const message = <Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

const Signal = Schema.Struct({ payload: Schema.Unknown, at: Schema.Number, offset: Schema.Number })

const ToWorker = Schema.Union(
  message("Load", { sense: Schema.String, stateDir: Schema.String, now: Schema.Number }),
  message("Compute", {
    sense: Schema.String,
    token: Offset,
    now: Schema.Number,
    causes: Schema.Array(SenseCause),
    state: Schema.Unknown,
    signals: Schema.Record({ key: Schema.String, value: Signal })
  }),
  message("Abort", { sense: Schema.String, token: Offset })
)
export type ToSenseWorker = typeof ToWorker.Type

const ToHub = Schema.Union(
  message("Loaded", {
    sense: Schema.String,
    hash: Schema.String,
    /** Files that were applied now. */
    migrations: Schema.Array(Schema.String)
  }),
  message("LoadFailed", { sense: Schema.String, hash: Schema.String, error: Schema.String }),
  /** User code is called now: until it answers, it is what a loss is blamed on. */
  message("Began", { sense: Schema.String, token: Offset }),
  message("Answered", {
    sense: Schema.String,
    token: Offset,
    answer: Answer,
    state: Schema.optional(Schema.Unknown),
    durationMs: Schema.Int
  }),
  message("Failed", { sense: Schema.String, token: Offset, error: Schema.String, durationMs: Schema.Int })
)
export type FromSenseWorker = typeof ToHub.Type

export const senseProtocol = workerProtocol(ToWorker, ToHub)
