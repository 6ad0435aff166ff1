/** Senses in forked processes, one for each group, started when the first sense of a group comes and ended with the last. */
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { idOf } from "../events/Event.js"
import { hashModule } from "./moduleFiles.js"
import { SenseGroup } from "./SenseGroup.js"
import type { SenseGroups } from "./SenseGroups.js"
import { senseProtocol } from "./senseProtocol.js"
import type { Workers } from "./Workers.js"

export interface ForkedSenseGroupsOptions {
  readonly workers: Workers
  /** The file that a group's process runs. */
  readonly entry: string
  readonly workspace: string
  readonly stateDir: string
  readonly now: () => number
}

/** The processes live in the scope. */
export const makeForkedSenseGroups = ({
  workers,
  entry,
  workspace,
  stateDir,
  now
}: ForkedSenseGroupsOptions): Effect.Effect<SenseGroups, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const groups = new Map<string, SenseGroup>()

    const groupNamed = (name: string): Effect.Effect<SenseGroup> =>
      Effect.suspend(() => {
        const known = groups.get(name)
        if (known) return Effect.succeed(known)
        const start = workers.start({ name: `group-${name}`, entry, protocol: senseProtocol })
        const group = new SenseGroup({ start, stateDir, now })
        groups.set(name, group)
        return Effect.succeed(group)
      })
    const groupOf = (sense: string): SenseGroup | undefined =>
      [...groups.values()].find((group) => group.has(sense))
    const inGroup = <A>(sense: string, use: (group: SenseGroup) => Effect.Effect<A>): Effect.Effect<A> =>
      Effect.suspend(() => {
        const group = groupOf(sense)
        return group ? use(group) : Effect.never
      })

    return {
      member: (name, call) =>
        Effect.gen(function* () {
          const sense = idOf(call.stream)
          const group = yield* groupNamed(name)
          const isFirst = group.isEmpty
          group.join(sense, call)
          if (isFirst) {
            const ended = Effect.sync(() => {
              if (groups.get(name) === group) groups.delete(name)
            })
            yield* Effect.forkIn(Effect.ensuring(group.run, ended), scope)
          }
          return yield* Effect.ensuring(
            Effect.never,
            Effect.sync(() => {
              group.leave(sense)
              // Whoever comes next makes a group of its own: this one only ends.
              if (group.isEmpty) groups.delete(name)
            })
          )
        }),
      ready: (sense) => inGroup(sense, (group) => group.ready(sense)),
      compute: (sense, request) => inGroup(sense, (group) => group.compute(sense, request)),
      abort: (sense, token) => inGroup(sense, (group) => group.abort(sense, token)),
      condemn: (sense, token) => Effect.suspend(() => groupOf(sense)?.condemn(sense, token) ?? Effect.void),
      reload: (sense) => Effect.sync(() => groupOf(sense)?.restart(sense)),
      changed: (sense) =>
        Effect.sync(() => {
          const group = groupOf(sense)
          const hash = hashModule(workspace, join(workspace, "senses", sense))
          if (group && group.hashOf(sense) !== null && group.hashOf(sense) !== hash) group.restart(sense)
        })
    }
  })
