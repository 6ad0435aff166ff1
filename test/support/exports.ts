/** Exported journals as tests read and change them, and stores made from them. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import { readExport } from "../../src/events/Archive.js"
import * as EventRows from "../../src/events/EventRows.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { KnownEvents } from "../../src/events/Upcasters.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import * as Tables from "../../src/projections/Tables.js"
import { knownEvents, projections } from "../../src/replay/installed.js"
import { workspaceFolder } from "./binaries.js"

export type Store = SqliteStore.SqliteStore["Type"]

export const golden = new URL("../fixtures/golden.jsonl", import.meta.url).pathname

/** A store with the events of an exported file, at a path or in memory; no tables are made of them. */
export const storeOf = (file: string, path = ":memory:"): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(SqliteStore.layer(path))
    const store = Context.get(context, SqliteStore.SqliteStore)
    yield* readExport(file, (events) => EventRows.copyInto(store, events))
    return store
  }).pipe(Effect.orDie)

/** Makes the tables of today's projections in a store. */
export const project = (store: Store): Effect.Effect<void, never, Scope.Scope> =>
  SqliteWriter.layer(projections).pipe(
    Layer.provide(Layer.succeed(SqliteStore.SqliteStore, store)),
    Layer.provide(Layer.succeed(KnownEvents, knownEvents)),
    Layer.build,
    Effect.asVoid,
    Effect.orDie
  )

/** The digest of every projection's table, by name. */
export const digestsOf = (store: Store): Effect.Effect<{ readonly [name: string]: string }> =>
  Effect.forEach(projections, (projection) =>
    Effect.map(Tables.digest(store.read, projection), (digest) => [projection.name, digest] as const)
  ).pipe(Effect.map(Object.fromEntries), Effect.orDie)

/** A stopped workspace whose journal is the golden one, tables included. */
export const goldenWorkspace: Effect.Effect<string, never, Scope.Scope> = Effect.gen(function* () {
  const workspace = yield* workspaceFolder()
  mkdirSync(join(workspace, ".mound"), { mode: 0o700 })
  yield* Effect.scoped(Effect.flatMap(storeOf(golden, journalOf(workspace)), project))
  return workspace
})

export const journalOf = (workspace: string): string => join(workspace, ".mound", "mound.db")

/** Changes a stopped workspace's database behind its back. */
export const tamper = (workspace: string, ...statements: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(SqliteStore.layer(journalOf(workspace)))
    const store = Context.get(context, SqliteStore.SqliteStore)
    yield* store.transaction((connection) =>
      Effect.forEach(statements, (sql) => connection.executeRaw(sql, []), { discard: true })
    )
  }).pipe(Effect.scoped, Effect.orDie)
