/** Opens a journal for looking at it: the workspace's, or an exported file, and answers what `--until` and `--from` mean in it. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Args } from "@effect/cli"
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { readExport } from "../events/Archive.js"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { type JournalUnavailable, offsetAtTime } from "../events/Journal.js"
import type { FormatTooNew } from "../events/migrations.js"
import * as SqliteStore from "../events/SqliteStore.js"
import { journalPath } from "../hub/holdLock.js"
import { type CliFailure, failed, toCliFailure, usage } from "./CliFailure.js"
import { stateDirOf } from "./common.js"

export type Store = SqliteStore.SqliteStore["Type"]

export const exportedFile = Args.file({ name: "FILE", exists: "yes" }).pipe(
  Args.withDescription("an exported journal instead of the workspace's"),
  Args.optional
)

const build = (
  layer: Layer.Layer<SqliteStore.SqliteStore, JournalUnavailable | FormatTooNew>
): Effect.Effect<Store, CliFailure, Scope.Scope> =>
  Layer.build(layer).pipe(
    Effect.map((context) => Context.get(context, SqliteStore.SqliteStore)),
    Effect.mapError((error) => {
      const { tag, message, fix } = toCliFailure(error)
      return failed(tag, message, fix ?? "restore a backup, or import an export into another workspace")
    })
  )

/** Where the journal of a state folder is, if it has one. */
export const journalIn = (stateDir: string): Effect.Effect<string, CliFailure> => {
  const path = journalPath(stateDir)
  if (existsSync(path)) return Effect.succeed(path)
  return failed("NoJournal", `there is no journal at ${path}`, "start a hub there first: mound start")
}

/** The journal as it is at this moment, whatever a hub appends meanwhile. */
export const openMoment = (stateDir: string) =>
  Effect.flatMap(journalIn(stateDir), (path) => build(SqliteStore.layerMoment(path)))

/** The journal as it grows. */
export const openGrowing = (stateDir: string) =>
  Effect.flatMap(journalIn(stateDir), (path) => build(SqliteStore.layerReadOnly(path)))

/** An exported file, verified and copied into a store that lasts as long as the scope. */
const openExport = (file: string) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "mound-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const store = yield* build(SqliteStore.layer(join(folder, "mound.db")))
    yield* readExport(file, (events) => EventRows.copyInto(store, events))
    return store
  })

/** The exported file that was named, else the workspace's journal. */
export const openNamed = (options: {
  readonly file: Option.Option<string>
  readonly workspace: Option.Option<string>
}) =>
  Option.match(options.file, {
    onNone: () => Effect.flatMap(stateDirOf(options.workspace), openMoment),
    onSome: openExport
  })

/** `2026-11-25`, or with a time; what else `Date.parse` takes for a date is more likely a slip. */
const isoDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/

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
    const at = isoDate.test(value) ? Date.parse(value) : Number.NaN
    if (Number.isNaN(at)) {
      return yield* usage(`--${option}: must be an offset or an ISO 8601 date, not ${value}`)
    }
    const journal = {
      head: EventRows.head(store),
      read: (after: Offset, limit: number) => EventRows.readAfter(store, after, limit)
    }
    return yield* Effect.orDie(offsetAtTime(journal, at))
  })
