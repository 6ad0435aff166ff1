/** What every part of a hub stands on: the journal with its writer and its readers, the clock, the actors and the read models. */
import { Context, Effect, Layer } from "effect"
import * as ActorSystem from "../actors/ActorSystem.js"
import * as HubClock from "../actors/HubClock.js"
import { Journal, type JournalUnavailable } from "../events/Journal.js"
import type { FormatTooNew } from "../events/migrations.js"
import * as Snapshots from "../events/Snapshots.js"
import * as SqliteJournal from "../events/SqliteJournal.js"
import * as SqliteStore from "../events/SqliteStore.js"
import { KnownEvents, type UnknownEvent } from "../events/Upcasters.js"
import { verify } from "../events/verify.js"
import { Writer } from "../events/Writer.js"
import type { Tracing } from "../http/Tracing.js"
import * as Projector from "../projections/Projector.js"
import { knownEvents, projections } from "../replay/installed.js"
import type { HubParts } from "./HubParts.js"
import type { Metrics } from "./metrics.js"
import { JournalCorrupt } from "./StartFailure.js"
import { tracedSystem } from "./telemetry.js"

/** Events at the end of the chain that a start checks. */
const verifiedAtStart = 10_000

/** Opens the store for writing and for reading, checks the end of its chain, and puts the journal and the actors on it. */
export const openServices = (
  path: string,
  writer: Layer.Layer<Writer, JournalUnavailable | FormatTooNew | UnknownEvent>,
  { metrics, tracing }: Pick<HubParts, "metrics" | "tracing">,
  options: ActorSystem.ActorSystemOptions
) =>
  Effect.gen(function* () {
    const writing = yield* Layer.build(writer)
    const reading = yield* Layer.build(SqliteStore.layerReadOnly(path))
    const store = Context.get(reading, SqliteStore.SqliteStore)
    const { fault, head } = yield* verify(store, { last: verifiedAtStart })
    if (fault) return yield* new JournalCorrupt({ path, offset: fault.offset, problem: fault.detail })
    const built = yield* ActorSystem.layer(options).pipe(
      Layer.provideMerge(
        Layer.mergeAll(measuredJournal(metrics, tracing), Snapshots.layer, Projector.layer(projections))
      ),
      Layer.provideMerge(Layer.merge(HubClock.layer(head.at), Layer.succeed(KnownEvents, knownEvents))),
      Layer.provide(Layer.merge(Layer.succeedContext(writing), Layer.succeedContext(reading))),
      Layer.build
    )
    return {
      head,
      writer: Context.get(writing, Writer),
      journal: Context.get(built, Journal),
      system: tracedSystem(Context.get(built, ActorSystem.ActorSystem), tracing),
      projector: Context.get(built, Projector.Projector),
      clock: Context.get(built, HubClock.HubClock)
    }
  })

const measuredJournal = (metrics: Metrics, tracing: Tracing) =>
  Layer.effect(
    Journal,
    Effect.map(Journal, (journal) => metrics.measured(journal, tracing))
  ).pipe(Layer.provide(SqliteJournal.layer))
