/**
 * The package itself, for a program that carries a hub inside: `import { startHub } from "mound"`. It is the hub of `mound dev`, with
 * the same files, lock, port and settings, but it handles no signals and prints nothing: that is its host's affair.
 */
import { Cause, Effect, Exit, Scope } from "effect"
import { environment, workingDirectory } from "./config/process.js"
import { type Environment, loadSettings, type SettingsInvalid } from "./config/Settings.js"
import { findWorkspace, type WorkspaceNotFound } from "./config/workspace.js"
import type { Health } from "./http/api.js"
import { healthMoments, healthOf } from "./http/healthOf.js"
import { type AnyReason, toFailure } from "./http/refusals.js"
import type { HubParts } from "./hub/HubParts.js"
import { type StartFailure, startHub as startIn } from "./hub/startHub.js"
import { version } from "./version.js"

/** For programs that pass messages on: what peers on the runtimes of `format: envelope` read. */
export { EnvelopeReader } from "./runtimes/EnvelopeReader.js"
export { type Envelope, encodeEnvelope } from "./runtimes/envelope.js"

export interface HubOptions {
  /** The folder whose hub it is; its `mound.yaml`, if it has one, holds for what is left out here. */
  readonly workspace: string
  /** By default the port of the last boot; 0 for any free one. */
  readonly port?: number
  /** By default 127.0.0.1. Anywhere else callers need the token in the state folder. */
  readonly host?: string
  /** How long a stop waits for what is under way, such as `30s`. */
  readonly drainTimeout?: string
  /** Read instead of the process's own variables. */
  readonly environment?: Environment
}

/** A hub in this process, ready. */
export interface Hub {
  readonly url: string
  readonly port: number
  /** Names this life of the hub; a restart has another. */
  readonly bootId: string
  readonly health: () => Promise<Health>
  /**
   * Drains and ends it, and completes once everything is let go of; false when the drain had to be cut short. Rejects with `StopRefused`
   * while claims are leased, unless it is forced: leases then keep until the next start.
   */
  readonly stop: (options?: StopOptions) => Promise<boolean>
  /** Completes like `stop`, whoever stopped it; rejects when the hub could not go on. */
  readonly stopped: Promise<boolean>
}

export interface StopOptions {
  readonly force?: boolean
  /** For the journal. */
  readonly reason?: string
}

/** The hub goes on: `_tag` of `reason` says why, its fields what is in the way. */
export class StopRefused extends Error {
  readonly _tag = "StopRefused"
  constructor(readonly reason: AnyReason) {
    super(toFailure(reason).message)
  }
}

/** Errors are of these classes: each has a `_tag`, a message, and a `fix` where there is something to do. */
export type HubFailure = StartFailure | SettingsInvalid | WorkspaceNotFound

/** Starts a hub and completes when it is ready. Rejects with a `HubFailure` and lets go of everything when it cannot start. */
export const startHub = async (options: HubOptions): Promise<Hub> => {
  const scope = Effect.runSync(Scope.make())
  const letGo = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    const { url, port, bootId, parts, ...hub } = await run(Scope.extend(open(options), scope))
    const stopped = run(hub.stopped)
      .then(({ clean }) => clean)
      .finally(letGo)
    // Whoever asks is told; a hub that nobody asks about must not end its host.
    stopped.catch(() => {})
    const stop = async ({ force = false, reason = "stop" }: StopOptions = {}) => {
      const refused = Effect.mapError(
        hub.stop({ force, reason }),
        (refusal) => new StopRefused(refusal.reason)
      )
      await run(refused)
      return stopped
    }
    return { url, port, bootId, health: () => run(healthNow(parts)), stop, stopped }
  } catch (error) {
    await letGo()
    throw error
  }
}

const open = ({ workspace, port, host, drainTimeout, environment: variables = environment }: HubOptions) =>
  Effect.gen(function* () {
    const folder = yield* findWorkspace(workspace, variables, workingDirectory)
    const { settings } = yield* loadSettings({
      workspace: folder,
      environment: variables,
      flags: {
        "http.port": port === undefined ? undefined : String(port),
        "http.host": host,
        "hub.drain_timeout": drainTimeout
      }
    })
    return yield* startIn(settings, version)
  })

const healthNow = (parts: HubParts) =>
  Effect.gen(function* () {
    const moments = yield* healthMoments({ ...parts, now: parts.clock.now }, undefined)
    const { name: state, context } = parts.hub()
    return yield* healthOf(
      {
        ...parts,
        logOutage: parts.log.outage,
        auditOutage: parts.audit.outage,
        sweepOutage: parts.sweeper.outage,
        stillWritten: parts.importer.stillWritten
      },
      moments,
      moments.health,
      {
        state,
        bootId: context.bootId
      }
    )
  }).pipe(Effect.scoped)

/** Rejects with the error itself, not with an account of the fiber that met it. */
const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}
