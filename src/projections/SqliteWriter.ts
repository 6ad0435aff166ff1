/**
 * The writer in SQLite: events, agendas, projection rows and snapshots through the store's one writing connection, so that a reader
 * sees its own writes and a rebuild of a projection is the same to the last byte.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { Effect, Layer } from "effect"
import type { RecordedEvent, StreamId, Version } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { type Head, headAfter, seal } from "../events/HashChain.js"
import { advance, type JournalUnavailable, type VersionConflict } from "../events/Journal.js"
import { moveToSegment, vacuum } from "../events/moveToSegment.js"
import { saveSnapshots } from "../events/Snapshots.js"
import { SqliteStore } from "../events/SqliteStore.js"
import { KnownEvents, type UnknownEvent, upcastOwn } from "../events/Upcasters.js"
import { type Committed, type EncodedBatch, Writer } from "../events/Writer.js"
import { applyTo } from "./applyTo.js"
import type { Projection } from "./Projection.js"
import { rebuildTable } from "./rebuildTable.js"
import * as Tables from "./Tables.js"

/** Tables whose projection is new, or was made by another version, are made before anything else. */
export const layer = (
  projections: ReadonlyArray<Projection>
): Layer.Layer<Writer, JournalUnavailable | UnknownEvent, SqliteStore | KnownEvents> =>
  Layer.effect(Writer, make(projections))

const make = (projections: ReadonlyArray<Projection>) =>
  Effect.gen(function* () {
    const store = yield* SqliteStore
    const known = yield* KnownEvents
    yield* EventRows.makeJournalId(store)
    // A table of another version, or none, has nothing to be compared with.
    const stale = yield* Tables.outdated(store, projections)
    yield* Effect.forEach(stale, (each) => rebuildTable(store, known, each, false), { discard: true })
    /** Undefined while in doubt: after a failed commit only the store knows. */
    let head: Head | undefined

    const project = (connection: Connection, events: ReadonlyArray<RecordedEvent>) => {
      const current = events.map((event) => upcastOwn(known, event))
      return Effect.forEach(projections, (each) => applyTo(connection, each, each.name, current), {
        discard: true
      })
    }
    const settledHead = Effect.gen(function* () {
      head ??= yield* EventRows.head(store)
      return head
    })

    const commit = (batches: ReadonlyArray<EncodedBatch>) =>
      Effect.gen(function* () {
        const before = yield* settledHead
        head = undefined
        const committed = yield* store.transaction((connection) =>
          Effect.gen(function* () {
            const conflicts = conflictsOf(batches, yield* EventRows.versions(connection, streamsOf(batches)))
            const accepted = batches.filter((_, index) => !conflicts[index])
            const events = seal(
              before,
              accepted.flatMap((batch) => batch.events)
            )
            yield* EventRows.insert(connection, events)
            yield* EventRows.replaceAgendas(
              connection,
              accepted.flatMap((batch) => batch.agendas)
            )
            yield* project(connection, events)
            return { events, conflicts }
          })
        )
        head = headAfter(before, committed.events)
        return answersOf(batches, committed.conflicts, committed.events)
      })

    return Writer.of({
      head: settledHead,
      commit,
      saveSnapshots: (snapshots) => store.transaction((connection) => saveSnapshots(connection, snapshots)),
      archive: (from, upTo) => moveToSegment(store, from, upTo),
      vacuum: vacuum(store),
      rebuild: (name) => {
        const projection = projections.find((each) => each.name === name)
        return projection
          ? rebuildTable(store, known, projection, true)
          : Effect.dieMessage(`there is no projection ${name}`)
      }
    })
  })

const streamsOf = (batches: ReadonlyArray<EncodedBatch>): ReadonlySet<StreamId> =>
  new Set(batches.flatMap(({ events }) => events.map(({ stream }) => stream)))

/** For each batch what keeps it from being appended after the ones before it, if anything does. */
const conflictsOf = (
  batches: ReadonlyArray<EncodedBatch>,
  versions: Map<StreamId, Version>
): ReadonlyArray<VersionConflict | undefined> => batches.map(({ events }) => advance(versions, events))

const answersOf = (
  batches: ReadonlyArray<EncodedBatch>,
  conflicts: ReadonlyArray<VersionConflict | undefined>,
  events: ReadonlyArray<RecordedEvent>
): ReadonlyArray<Committed | VersionConflict> => {
  let from = 0
  return batches.map((batch, index) => {
    const conflict = conflicts[index]
    if (conflict) return conflict
    const own = events.slice(from, from + batch.events.length)
    from += own.length
    return { first: own[0]?.offset ?? (0 as Committed["first"]), hashes: own.map(({ hash }) => hash) }
  })
}
