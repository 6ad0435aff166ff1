/** Opens a journal for looking at it: the workspace's, or an exported file, and answers what `--until` and `--from` mean in it. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { readExport } from "../events/Archive.js"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { offsetAtTime } from "../events/Journal.js"
import * as SqliteStore from "../events/SqliteStore.js"
import { journalPath } from "../hub/holdLock.js"
import { CliFailure, usage } from "./CliFailure.js"

type Store = SqliteStore.SqliteStore["Type"]

const build = <E>(layer: Layer.Layer<SqliteStore.SqliteStore, E>): Effect.Effect<Store, E, Scope.Scope> =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, SqliteStore.SqliteStore))

/** The path of the journal in a state folder, if there is one. */
export const journalIn = (stateDir: string): Effect.Effect<string, CliFailure> => {
  const path = journalPath(stateDir)
  if (existsSync(path)) return Effect.succeed(path)
  return new CliFailure({
    tag: "NoJournal",
    message: `there is no journal at ${path}`,
    fix: "start a hub there first: mound dev",
    exitCode: 1
  })
}

/** The journal as it is at this moment, whatever a hub appends meanwhile. */
export const openMoment = (stateDir: string) =>
  Effect.flatMap(journalIn(stateDir), (path) => build(SqliteStore.layerMoment(path)))

/** The journal as it grows. */
export const openGrowing = (stateDir: string) =>
  Effect.flatMap(journalIn(stateDir), (path) => build(SqliteStore.layerReadOnly(path)))

/** An exported file, verified and copied into a store that lasts as long as the scope. */
export const openExport = (file: string) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "mound-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const store = yield* build(SqliteStore.layer(join(folder, "mound.db")))
    yield* readExport(file, (events) => EventRows.copyInto(store, events))
    return store
  })

/** An offset, or the last offset of an instant. */
export const offsetOf = (
  store: Store,
  option: string,
  text: Option.Option<string>
): Effect.Effect<Offset | undefined, CliFailure> =>
  Effect.gen(function* () {
    if (Option.isNone(text)) return undefined
    const value = text.value
    if (/^\d{1,15}$/.test(value)) return Number(value) as Offset
    const at = Date.parse(value)
    if (Number.isNaN(at))
      return yield* usage(`--${option}: must be an offset or an ISO 8601 date, not ${value}`)
    const journal = {
      head: EventRows.head(store),
      read: (after: Offset, limit: number) => EventRows.readAfter(store, after, limit)
    }
    return yield* Effect.orDie(offsetAtTime(journal, at))
  })
