/** The writer on the caller's own thread: for tools, and for tests that run from source. */
import { Layer } from "effect"
import * as SqliteStore from "../events/SqliteStore.js"
import { KnownEvents } from "../events/Upcasters.js"
import * as SqliteWriter from "../projections/SqliteWriter.js"
import { knownEvents, projections } from "../replay/installed.js"

export const layer = (path: string) =>
  SqliteWriter.layer(projections).pipe(
    Layer.provide(SqliteStore.layer(path)),
    Layer.provide(Layer.succeed(KnownEvents, knownEvents))
  )
