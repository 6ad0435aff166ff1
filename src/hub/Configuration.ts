/**
 * The configuration that a running hub goes by. It is read at start, put to senses and workflows before anything runs, and read again when asked
 * or when its file has changed; one that is refused leaves the old one in force (contracts: senses and workflows 6).
 */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubCommand } from "../actors/hub/HubCommand.js"
import type { HubKind } from "../actors/hub/hubKind.js"
import type { SenseKind } from "../actors/sense/decideSense.js"
import type { SenseCommand } from "../actors/sense/SenseCommand.js"
import type { ConfigInvalid } from "../config/ConfigProblem.js"
import { type LoadedConfig, loadWorkspaceConfig } from "../config/loadWorkspaceConfig.js"
import type { SenseConfig, WorkspaceConfig } from "../config/WorkspaceConfig.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { ReadRows } from "../projections/Projector.js"
import { listSenses } from "../projections/senseQueries.js"

export interface Reloaded {
  readonly hash: string
  /** `senses/a`, `workflows/b`. */
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
}

export interface ConfigurationServices {
  readonly system: ActorSystem["Type"]
  readonly read: ReadRows
  readonly hubKind: HubKind
  readonly senseKind: SenseKind
  /** Has the workflows be as configured. */
  readonly applyWorkflows: (config: WorkspaceConfig) => Effect.Effect<void>
}

/** What is in force, for those who are made before the hub is. */
export class CurrentConfig {
  constructor(private loaded: LoadedConfig) {}

  get(): LoadedConfig {
    return this.loaded
  }

  set(loaded: LoadedConfig): void {
    this.loaded = loaded
  }
}

export type Configuration = Effect.Effect.Success<ReturnType<typeof makeConfiguration>>

export const makeConfiguration = (
  workspace: string,
  current: CurrentConfig,
  { system, read, hubKind, senseKind, applyWorkflows }: ConfigurationServices
) =>
  Effect.gen(function* () {
    const oneAtATime = yield* Effect.makeSemaphore(1)
    let rejected: string | undefined

    const tellHub = (command: HubCommand, by = "hub") =>
      Effect.ignore(system.send(hubKind, "", command, { by }))
    /** What is so already, or cannot be now, is no fault here: the next start puts it right. */
    const tell = (name: string, command: SenseCommand) =>
      Effect.ignoreLogged(system.send(senseKind, name, command, { by: "hub" }))
    const inTurn = <A>(items: ReadonlyArray<A>, each: (item: A) => Effect.Effect<void>) =>
      Effect.forEach(items, each, { concurrency: "unbounded", discard: true })
    const register = ({ name, ...settings }: SenseConfig) =>
      tell(name, { type: "RegisterSense", ...settings })

    /** Before any invocation runs: senses are as configured, and what ran when the hub went is to be done again. */
    const recover: Effect.Effect<void, JournalUnavailable> = Effect.gen(function* () {
      const { config } = current.get()
      const configured = new Set(config.senses.map(({ name }) => name))
      const known = (yield* listSenses(read)).map(({ name }) => name)
      yield* tellHub({
        type: "RecordConfig",
        hash: config.hash,
        senses: [...configured],
        workflows: config.workflows.map(({ name }) => name)
      })
      yield* inTurn(
        known.filter((name) => !configured.has(name)),
        (name) => tell(name, { type: "RemoveSense" })
      )
      yield* inTurn(config.senses, register)
      // One that was just registered is armed by that.
      yield* inTurn(
        known.filter((name) => configured.has(name)),
        (name) => tell(name, { type: "ArmSense" })
      )
    })

    /** `by` is who asked for it; the hub itself when the file has changed. */
    const reload = (by: string): Effect.Effect<Reloaded, ConfigInvalid> =>
      Effect.gen(function* () {
        const loaded = yield* Effect.tapError(loadWorkspaceConfig(workspace), ({ hash, errors }) => {
          if (hash === rejected) return Effect.void
          rejected = hash
          return tellHub({ type: "RecordConfigRejection", hash, errors }, by)
        })
        const before = current.get().config
        const after = loaded.config
        const reloaded = differences(before, after)
        if (before.hash === after.hash && rejected === undefined) return reloaded
        rejected = undefined
        current.set(loaded)
        yield* tellHub({ type: "RecordConfigReload", ...reloaded }, by)
        const kept = new Set(after.senses.map(({ name }) => name))
        yield* inTurn(
          before.senses.filter(({ name }) => !kept.has(name)),
          ({ name }) => tell(name, { type: "RemoveSense" })
        )
        yield* inTurn(after.senses, register)
        yield* applyWorkflows(after)
        return reloaded
      }).pipe(oneAtATime.withPermits(1))

    return { current: () => current.get(), recover, reload }
  })

type Named = { readonly name: string }

export const differences = (before: WorkspaceConfig, after: WorkspaceConfig): Reloaded => {
  const parts = (["senses", "workflows"] as const).map((section) => {
    const old = new Map<string, Named>(before[section].map((each) => [each.name, each]))
    const young = new Map<string, Named>(after[section].map((each) => [each.name, each]))
    const path = (name: string) => `${section}/${name}`
    const isOther = (name: string) => JSON.stringify(old.get(name)) !== JSON.stringify(young.get(name))
    return {
      added: [...young.keys()].filter((name) => !old.has(name)).map(path),
      removed: [...old.keys()].filter((name) => !young.has(name)).map(path),
      changed: [...young.keys()].filter((name) => old.has(name) && isOther(name)).map(path)
    }
  })
  return {
    hash: after.hash,
    added: parts.flatMap(({ added }) => added),
    removed: parts.flatMap(({ removed }) => removed),
    changed: parts.flatMap(({ changed }) => changed)
  }
}
