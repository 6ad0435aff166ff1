/** Sweeps of the ledger: on request, and at the configured interval (contracts: ledger 6.4). */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { ClaimReason } from "../actors/claim/ClaimRefusal.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import { type Candidate, type SweepResult, sweep } from "../actors/claim/sweep.js"
import type { Refused } from "../actors/Refused.js"
import type { Settings } from "../config/Settings.js"
import type { Version } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { listedBytes, sweepable } from "../projections/claimQueries.js"
import type { Projector } from "../projections/Projector.js"
import type { AuditLog } from "./auditLog.js"
import type { LogOutage } from "./hubLog.js"

export interface SweeperServices {
  readonly system: ActorSystem["Type"]
  readonly kind: ClaimKind
  readonly projector: Projector["Type"]
  readonly now: () => number
  readonly settings: Settings
  readonly audit: Pick<AuditLog, "note" | "isOn">
}

interface Pass {
  readonly floor: number
  readonly cause: Candidate["cause"]
  readonly isDryRun: boolean
  /** Who asked for it. */
  readonly by: string
}

/** The floor of a pass that runs because the ledger is too large. */
const fullFloor = 1

export const makeSweeper = ({ system, kind, projector, now, settings, audit }: SweeperServices) => {
  let outage: LogOutage | undefined
  const pass = ({ floor, cause, isDryRun, by }: Pass) =>
    Effect.gen(function* () {
      const openAfter = settings["ledger.sweep.open_after"]
      const openBefore = openAfter === undefined ? undefined : now() - openAfter
      const found = yield* sweepable(projector.read, { floor, openBefore }, now())
      const candidates = found.map(
        ({ id, state, version }) =>
          ({
            id,
            version: version as Version,
            cause: state === "open" ? "age" : cause
          }) as const
      )
      if (isDryRun) return { kept: kind.index.listed - candidates.length, dropped: candidates.length }
      return yield* audited(sweep(system, kind, candidates, { floor, by }))
    })

  /** The old log knows a sweep as what it was there: the ledger made smaller. */
  const audited = <E>(sweeping: Effect.Effect<SweepResult, E>) =>
    Effect.gen(function* () {
      if (!audit.isOn) return yield* sweeping
      const bytesBefore = yield* listedBytes(projector.read)
      const startedAt = now()
      const { kept, dropped } = yield* sweeping
      const durationMs = now() - startedAt
      const bytesAfter = yield* listedBytes(projector.read)
      audit.note("compaction_done", { store: "sqlite", kept, dropped, durationMs, bytesBefore, bytesAfter })
      return { kept, dropped }
    })

  return {
    /** One pass now; with `isDryRun` it only says what one would drop. */
    run: ({
      floor = settings["ledger.sweep.floor"],
      isDryRun,
      by
    }: Pick<Pass, "isDryRun" | "by"> & { readonly floor: number | undefined }) =>
      pass({ floor, cause: "sweep", isDryRun, by }),
    /** Why the passes of the schedule fail, and since when; undefined when the newest one did not. */
    outage: () => outage,
    /** A pass at every interval, for ever: with a higher floor while the ledger is too large. */
    schedule: Effect.suspend(() => {
      const interval = settings["ledger.sweep.interval"]
      if (interval === undefined) return Effect.never
      const maxBytes = settings["ledger.sweep.max_bytes"] ?? Number.POSITIVE_INFINITY
      const tick = Effect.gen(function* () {
        const isTooLarge = (yield* listedBytes(projector.read)) > maxBytes
        const floor = isTooLarge
          ? Math.max(fullFloor, settings["ledger.sweep.floor"])
          : settings["ledger.sweep.floor"]
        return yield* pass({ floor, cause: isTooLarge ? "size" : "sweep", isDryRun: false, by: "hub" })
      })
      // A pass that cannot write now is made up for by the next one.
      const told = Effect.tapBoth(tick, {
        onSuccess: () =>
          Effect.sync(() => {
            outage = undefined
          }),
        onFailure: (error) =>
          Effect.sync(() => {
            audit.note("decay_gc_error", { err: errorText(error) })
            outage ??= { since: now(), detail: errorText(error) }
          })
      })
      return Effect.forever(Effect.zipRight(Effect.sleep(interval), Effect.ignore(told)))
    })
  }
}

const errorText = (error: Refused<ClaimReason> | JournalUnavailable): string =>
  error._tag === "Refused" ? error.reason._tag : error.message

export type Sweeper = ReturnType<typeof makeSweeper>
