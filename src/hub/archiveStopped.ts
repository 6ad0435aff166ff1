/** Archives the journal of a workspace in which no hub runs: under the lock, so that none starts meanwhile. */
import { Context, Effect, Layer } from "effect"
import * as ActorSystem from "../actors/ActorSystem.js"
import * as HubClock from "../actors/HubClock.js"
import * as EventRows from "../events/EventRows.js"
import { Journal } from "../events/Journal.js"
import * as Snapshots from "../events/Snapshots.js"
import * as SqliteJournal from "../events/SqliteJournal.js"
import * as SqliteStore from "../events/SqliteStore.js"
import { KnownEvents } from "../events/Upcasters.js"
import { Writer } from "../events/Writer.js"
import * as SqliteWriter from "../projections/SqliteWriter.js"
import { knownEvents, projections } from "../replay/installed.js"
import { type ArchiveRequest, archiveJournal } from "./archiveJournal.js"
import { holdLock, journalPath } from "./holdLock.js"
import { recordingHubKind } from "./recordingHubKind.js"

export const archiveStopped = (stateDir: string, request: ArchiveRequest) =>
  Effect.gen(function* () {
    yield* holdLock(stateDir)
    const opened = yield* Layer.build(SqliteStore.layer(journalPath(stateDir)))
    const store = Context.get(opened, SqliteStore.SqliteStore)
    const kinds = Layer.succeed(KnownEvents, knownEvents)
    const stored = Layer.succeedContext(opened)
    const writer = yield* Layer.build(
      SqliteWriter.layer(projections).pipe(Layer.provide(Layer.merge(kinds, stored)))
    )
    const journals = SqliteJournal.layer.pipe(
      Layer.provide(Layer.mergeAll(kinds, stored, Layer.succeedContext(writer)))
    )
    const journal = Context.get(yield* Layer.build(journals), Journal)
    const { at } = yield* journal.head
    const built = yield* ActorSystem.layer({ kinds: [recordingHubKind] }).pipe(
      Layer.provide(Layer.mergeAll(Layer.succeed(Journal, journal), HubClock.layer(at), Snapshots.layerNone)),
      Layer.provide(kinds),
      Layer.build
    )
    const system = Context.get(built, ActorSystem.ActorSystem)
    const newest = yield* EventRows.newestOfType(store, "JournalArchived")
    const archivedTo = newest ? (newest.data.toOffset as number) : 0
    return yield* archiveJournal(
      {
        journal,
        rows: store.read,
        writer: Context.get(writer, Writer),
        archivedTo: () => archivedTo,
        record: (segment) =>
          system.send(recordingHubKind, "", { type: "RecordArchive", ...segment }, { by: "operator" })
      },
      request
    )
  }).pipe(Effect.scoped)
