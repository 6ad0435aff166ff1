/** Journals for tests: on an array, and on real files in folders that go when the scope closes. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, type Scope } from "effect"
import type { NewEvent, Offset, StreamId, Version } from "../../src/events/Event.js"
import type { Journal } from "../../src/events/Journal.js"
import * as MemoryJournal from "../../src/events/MemoryJournal.js"
import * as SqliteJournal from "../../src/events/SqliteJournal.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { type EventTypes, KnownEvents } from "../../src/events/Upcasters.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"

/** A folder of its own, removed with the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "mound-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Event types of the tests that need no actor kind. `Changed` has had three shapes. */
export const testEventTypes: EventTypes = new Map([
  ["Happened", []],
  ["Changed", [(data) => ({ ...data, second: true }), (data) => ({ ...data, third: true })]]
])
export const testEvents = Layer.succeed(KnownEvents, testEventTypes)

export const memoryJournal: Layer.Layer<Journal> = Layer.provide(MemoryJournal.layer, testEvents)

/** A journal in a file, and its store. */
export const sqliteJournalAt = (path: string) =>
  SqliteJournal.layer.pipe(
    Layer.provideMerge(SqliteWriter.layer([])),
    Layer.provide(testEvents),
    Layer.provideMerge(Layer.orDie(SqliteStore.layer(path))),
    Layer.orDie
  )

export const sqliteJournal = Layer.unwrapScoped(
  Effect.map(temporaryFolder, (folder) => sqliteJournalAt(join(folder, "mound.db")))
)

/** An event that only its place matters of. */
export const happened = (stream: string, version: number, more: Partial<NewEvent> = {}): NewEvent => ({
  stream: stream as StreamId,
  version: version as Version,
  type: "Happened",
  schema: 1,
  at: 1_000 + version,
  state: "some",
  by: "test",
  commandId: `${stream}-${version}`,
  causation: null,
  correlation: null,
  data: { n: version },
  ...more
})

export const offset = (value: number): Offset => value as Offset
export const version = (value: number): Version => value as Version
export const stream = (value: string): StreamId => value as StreamId
