/** Sweeps of the ledger: on request, and at the configured interval (contracts: ledger 6.4). */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import { type Candidate, sweep } from "../actors/claim/sweep.js"
import type { Settings } from "../config/Settings.js"
import type { Version } from "../events/Event.js"
import { listedBytes, sweepable } from "../projections/claimQueries.js"
import type { Projector } from "../projections/Projector.js"

export interface SweeperServices {
  readonly system: ActorSystem["Type"]
  readonly kind: ClaimKind
  readonly projector: Projector["Type"]
  readonly now: () => number
  readonly settings: Settings
}

/** The floor of a pass that runs because the ledger is too large. */
const fullFloor = 1

export const makeSweeper = ({ system, kind, projector, now, settings }: SweeperServices) => {
  const pass = (floor: number, cause: Candidate["cause"], isDryRun: boolean) =>
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
      return yield* sweep(system, kind, candidates, floor)
    })

  return {
    /** One pass now; with `isDryRun` it only says what one would drop. */
    run: ({
      floor = settings["ledger.sweep.floor"],
      isDryRun
    }: {
      floor: number | undefined
      isDryRun: boolean
    }) => pass(floor, "sweep", isDryRun),
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
        return yield* pass(floor, isTooLarge ? "size" : "sweep", false)
      })
      // A pass that cannot write now is made up for by the next one.
      return Effect.forever(Effect.zipRight(Effect.sleep(interval), Effect.ignore(tick)))
    })
  }
}

export type Sweeper = ReturnType<typeof makeSweeper>
