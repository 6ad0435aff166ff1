/**
 * What an append writes besides the events, in its own transaction: the projections. The port stands here so
 * that the journal need not know them.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, Layer } from "effect"
import type { RecordedEvent } from "./Event.js"

export class AppendParticipant extends Context.Tag("mound/AppendParticipant")<
  AppendParticipant,
  {
    /** Called inside the appending transaction; a failure rolls the whole append back. */
    readonly apply: (
      connection: Connection,
      events: ReadonlyArray<RecordedEvent>
    ) => Effect.Effect<void, SqlError>
  }
>() {}

/** A journal on its own, without read models. */
export const layerNone = Layer.succeed(AppendParticipant, { apply: () => Effect.void })
