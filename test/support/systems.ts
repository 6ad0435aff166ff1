/** Actor systems for tests, on any journal, with the test's own clock. */
import { Effect, Layer, type Scope } from "effect"
import type { ActorHistory, ActorKind } from "../../src/actors/ActorKind.js"
import * as ActorSystem from "../../src/actors/ActorSystem.js"
import * as HubClock from "../../src/actors/HubClock.js"
import { Journal } from "../../src/events/Journal.js"
import * as MemoryJournal from "../../src/events/MemoryJournal.js"
import * as Snapshots from "../../src/events/Snapshots.js"
import * as SqliteJournal from "../../src/events/SqliteJournal.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { KnownEvents } from "../../src/events/Upcasters.js"
import type { Projection } from "../../src/projections/Projection.js"
import * as Projector from "../../src/projections/Projector.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"

export const knownOf = (kinds: ReadonlyArray<ActorHistory>) =>
  Layer.succeed(KnownEvents, new Map(kinds.flatMap(({ upcasters }) => Object.entries(upcasters))))

/** A journal on an array that outlives the systems on it. */
export const memoryJournalFor = (kinds: ReadonlyArray<ActorKind>) =>
  Layer.provide(MemoryJournal.layer, knownOf(kinds))

/** A journal, snapshots, projections and the store in a file. */
export const sqliteJournalFor = (
  kinds: ReadonlyArray<ActorHistory>,
  path: string,
  projections: ReadonlyArray<Projection> = []
) =>
  Layer.merge(SqliteJournal.layer, Snapshots.layer).pipe(
    Layer.provideMerge(Projector.layer(projections)),
    Layer.provideMerge(SqliteWriter.layer(projections)),
    Layer.provide(knownOf(kinds)),
    Layer.provideMerge(SqliteStore.layer(path)),
    Layer.orDie
  )

export interface BootOptions extends Partial<ActorSystem.ActorSystemOptions> {
  readonly kinds: ReadonlyArray<ActorKind>
  /** What is told to the actors before any of their invocations runs, as a hub does in its recovery. */
  readonly recovering?: (system: ActorSystem.ActorSystem["Type"]) => Effect.Effect<void>
  /** By default none are kept. */
  readonly snapshots?: Snapshots.Snapshots["Type"]
}

/** One life of an actor system over the journal in context: recovered and released. It ends with the scope. */
export const boot = (
  options: BootOptions
): Effect.Effect<ActorSystem.ActorSystem["Type"], never, Journal | Scope.Scope> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const { at } = yield* journal.head
    const layer = ActorSystem.layer(options).pipe(
      Layer.provideMerge(HubClock.layer(at)),
      Layer.provide(knownOf(options.kinds)),
      Layer.provide(
        options.snapshots ? Layer.succeed(Snapshots.Snapshots, options.snapshots) : Snapshots.layerNone
      ),
      Layer.provide(Layer.succeed(Journal, journal))
    )
    const context = yield* Layer.build(layer)
    const system = yield* Effect.provide(ActorSystem.ActorSystem, context)
    const clock = yield* Effect.provide(HubClock.HubClock, context)
    yield* system.recover
    yield* options.recovering?.(system) ?? Effect.void
    yield* system.release(clock.now())
    return system
  }).pipe(Effect.orDie)

/** Lets a second pass a second at a time, as it does; a single jump would be a jump. */
export const seconds = (count: number, adjust: (ms: number) => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.repeatN(Effect.zipRight(adjust(1_000), turns), Math.max(0, count - 1)).pipe(Effect.asVoid)

/** Lets fibers that wait for the sequencer get their turn: it takes one turn of the event loop for each batch. */
export const turns: Effect.Effect<void> = Effect.repeatN(
  Effect.async<void>((resume) => {
    setImmediate(() => resume(Effect.void))
  }),
  20
).pipe(Effect.asVoid)
