/** The projections as they are asked: live, as of an offset, and what they come to. */
import { Context, Effect, Layer, type Scope } from "effect"
import type { Offset } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { makeInMemory, SqliteStore } from "../events/SqliteStore.js"
import { type EventTypes, KnownEvents, type UnknownEvent } from "../events/Upcasters.js"
import { type Rebuilt, Writer } from "../events/Writer.js"
import { foldStreams } from "./foldStreams.js"
import type { Projection } from "./Projection.js"
import * as Tables from "./Tables.js"

/** Reads rows of projections, live or as they were at an offset. */
export type ReadRows = SqliteStore["Type"]["read"]

export class Projector extends Context.Tag("mound/Projector")<
  Projector,
  {
    readonly projections: ReadonlyArray<Projection>
    readonly read: ReadRows
    /** Rows as they were when the journal ended at `offset`; gone when the scope closes. */
    readonly asOf: (
      name: string,
      offset: Offset
    ) => Effect.Effect<ReadRows, JournalUnavailable | UnknownEvent, Scope.Scope>
    /** Makes a projection's table anew while it goes on serving. */
    readonly rebuild: (name: string) => Effect.Effect<Rebuilt, JournalUnavailable | UnknownEvent>
    /** SHA-256 over a projection's rows in key order. */
    readonly digest: (name: string) => Effect.Effect<string, JournalUnavailable>
  }
>() {}

/** Reads through the store, and has rebuilt by its writer. */
export const layer = (
  projections: ReadonlyArray<Projection>
): Layer.Layer<Projector, never, SqliteStore | Writer | KnownEvents> =>
  Layer.effect(
    Projector,
    Effect.gen(function* () {
      const store = yield* SqliteStore
      const writer = yield* Writer
      const known = yield* KnownEvents
      const named = (name: string) => projections.find((each) => each.name === name) as Projection
      return Projector.of({
        projections,
        read: store.read,
        asOf: (name, offset) => readAsOf(store, known, named(name), offset),
        rebuild: writer.rebuild,
        digest: (name) => Tables.digest(store.read, named(name))
      })
    })
  )

/** A copy of a projection in a database of its own, as its rows were when the journal ended at `offset`. */
const readAsOf = (store: SqliteStore["Type"], known: EventTypes, projection: Projection, offset: Offset) =>
  Effect.gen(function* () {
    const copy = yield* makeInMemory
    yield* copy.transaction((connection) => Tables.create(connection, projection, projection.name))
    yield* foldStreams(store, known, projection, offset, (finished) =>
      copy.transaction((connection) => Tables.upsert(connection, projection, projection.name, finished))
    )
    return copy.read
  })
