/** The senses of a running hub: their kind, the processes that they compute in, their reflexes, and the watch over their files. */
import { existsSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect, Schedule, type Scope } from "effect"
import type { ActorKind } from "../actors/ActorKind.js"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { Reflex } from "../actors/Reflex.js"
import type { SenseKind } from "../actors/sense/decideSense.js"
import type { SenseCommand } from "../actors/sense/SenseCommand.js"
import { makeSenseKind } from "../actors/sense/senseKind.js"
import type { Settings } from "../config/Settings.js"
import type { Journal } from "../events/Journal.js"
import type { Projector } from "../projections/Projector.js"
import { latestSignals } from "../projections/senseQueries.js"
import { makeForkedSenseGroups } from "../runtimes/ForkedSenseGroups.js"
import { hashModule, moduleFiles } from "../runtimes/moduleFiles.js"
import type { SenseSignal } from "../runtimes/SenseContext.js"
import type { SenseGroups } from "../runtimes/SenseGroups.js"
import { makeSenseInvocations, type SenseWorld } from "../runtimes/senseInvocations.js"
import type { Workers } from "../runtimes/Workers.js"
import { watchFolders } from "../runtimes/watchFolders.js"
import type { Configuration, CurrentConfig } from "./Configuration.js"
import { type LaunchPort, launchReflex, signalReflex } from "./senseReflexes.js"
import { serveReflexes } from "./serveReflexes.js"

/** The kind. It is made before the hub that it is part of: what runs in its states asks for the world when it runs. */
export const makeHubSenseKind = (current: CurrentConfig, world: () => SenseWorld): SenseKind =>
  makeSenseKind(
    { hasWorkflow: (name) => current.get().config.workflows.some((workflow) => workflow.name === name) },
    makeSenseInvocations(world)
  )

export interface SensesServices {
  readonly settings: Settings
  readonly system: ActorSystem["Type"]
  readonly journal: Journal["Type"]
  readonly projector: Projector["Type"]
  readonly now: () => number
  readonly kind: SenseKind
  readonly configuration: Configuration
  readonly workers: Workers
  /** The file that a group's process runs. */
  readonly entry: string
  readonly watch: boolean
  /** Who takes launches; without it they wait in the journal. */
  readonly launches?: LaunchPort | undefined
  /** A workflow's code has changed. */
  readonly reloadWorkflow: (workflow: string) => Effect.Effect<void>
}

export interface Senses {
  readonly world: SenseWorld
  /** Before any invocation runs. */
  readonly recover: Effect.Effect<void>
  /** Reflexes and the watch over files, for as long as the hub is ready. */
  readonly serve: Effect.Effect<void, never, Scope.Scope>
}

/** When signals are looked for again that could not be read. */
const againMs = 1_000

export const makeSenses = (services: SensesServices): Effect.Effect<Senses, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings, workers, entry, now, projector, configuration, kind, launches } = services
    const { workspace, stateDir } = settings
    const groups = yield* makeForkedSenseGroups({ workers, entry, workspace, stateDir, now })
    const world: SenseWorld = {
      groups,
      now,
      latestSignals: (senses, upTo) =>
        latestSignals(projector.read, senses, upTo).pipe(
          Effect.retry(Schedule.spaced(againMs)),
          Effect.orDie,
          Effect.map((rows) => Object.fromEntries(rows.map((row) => [row.sense, toSignal(row)])))
        )
    }
    const reflexes: ReadonlyArray<Reflex> = [
      signalReflex(kind, () => configuration.current().config.senses),
      ...(launches ? [launchReflex(kind, launches)] : [])
    ]
    return {
      world,
      recover: Effect.zipRight(workers.endStrays, Effect.orDie(configuration.recover)),
      serve: Effect.gen(function* () {
        yield* serveReflexes(services, reflexes)
        if (services.watch) yield* Effect.forkScoped(watch(services, groups))
      })
    }
  })

const toSignal = ({ payload, at, offset }: { payload: string; at: number; offset: number }): SenseSignal => ({
  payload: JSON.parse(payload),
  at,
  offset
})

/** A module's folder, and what to do when its code is another. */
interface Watched {
  readonly folder: string
  readonly changed: Effect.Effect<void>
}

/** Looks at the configuration and at the code of every sense and workflow once files have settled; what has the same bytes is left alone. */
const watch = (
  { settings: { workspace }, configuration, system, kind, reloadWorkflow }: SensesServices,
  groups: SenseGroups
): Effect.Effect<never, never, Scope.Scope> => {
  // One that is kept out of its group by its circuit hears of it too.
  const reloadSense = (sense: string) =>
    Effect.zipRight(groups.changed(sense), closeCircuit(system, kind, sense))
  const modules = (): ReadonlyArray<Watched> => {
    const { senses, workflows } = configuration.current().config
    return [
      ...senses.map(({ name }) => ({ folder: join(workspace, "senses", name), changed: reloadSense(name) })),
      ...workflows.map(({ name }) => ({
        folder: join(workspace, "workflows", name),
        changed: reloadWorkflow(name)
      }))
    ]
  }
  const hashes = new Map(modules().map(({ folder }) => [folder, hashModule(workspace, folder)]))
  const folders = () => [
    workspace,
    ...["senses", "workflows"].map((section) => join(workspace, section)),
    ...modules().flatMap(({ folder }) => foldersIn(folder)),
    ...modules().flatMap(({ folder }) => moduleFiles(workspace, folder).map(dirname))
  ]
  const reload = ({ folder, changed }: Watched) =>
    Effect.suspend(() => {
      const hash = hashModule(workspace, folder)
      if (hashes.get(folder) === hash) return Effect.void
      hashes.set(folder, hash)
      return changed
    })
  return watchFolders(
    folders,
    Effect.zipRight(
      Effect.ignore(configuration.reload("hub")),
      Effect.suspend(() => Effect.forEach(modules(), reload, { discard: true }))
    )
  )
}

const closeCircuit = (system: ActorSystem["Type"], kind: SenseKind, sense: string): Effect.Effect<void> =>
  Effect.ignore(
    system.send(kind as ActorKind, sense, { type: "MendSense" } satisfies SenseCommand, { by: "hub" })
  )

/** A folder and those in it; editors and migrations use several. */
const foldersIn = (folder: string): ReadonlyArray<string> => {
  if (!existsSync(folder)) return []
  const inner = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
    .flatMap((entry) => foldersIn(join(folder, entry.name)))
  return [folder, ...inner]
}
