/**
 * Live measurements that health shows (contracts: hub 2): each is looked at every few seconds, raised when it has been beyond its limit
 * for its hold time, and cleared when it has come back further than that. A crossing is one event, not one a look.
 */
import { statfsSync } from "node:fs"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Effect, type Scope } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubKind, HubState } from "../actors/hub/hubKind.js"
import { keyOf } from "../actors/hub/hubMachine.js"
import type { Settings } from "../config/Settings.js"
import type { AgentFiles } from "./AgentFiles.js"
import type { HubLog } from "./hubLog.js"
import type { OrphanCount } from "./OrphanCount.js"

export interface Probe {
  readonly component: string
  readonly reason: string
  readonly subject: string
  readonly status: "degraded" | "failing"
  /** Beyond it for `holdMs`: raised. */
  readonly limit: number
  /** Not beyond it any more for `holdMs`: cleared. */
  readonly clearAt: number
  readonly holdMs: number
  /** Whether too much or too little is bad. */
  readonly bad: "above" | "below"
  readonly measure: () => number
}

export interface ProbeServices {
  readonly system: ActorSystem["Type"]
  readonly hubKind: HubKind
  readonly hub: () => HubState
  readonly settings: Settings
  readonly log: HubLog
  readonly agentFiles: AgentFiles | undefined
  readonly orphans: OrphanCount
  readonly now: () => number
}

const everyMs = 5_000
const secondMs = 1_000
const minuteMs = 60_000
const MiB = 1_048_576

/** Looks at everything, again and again, for as long as it is let. */
export const watch = (services: ProbeServices): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function* () {
    const watchers = (yield* makeProbes(services)).map((probe) => new Watcher(probe))
    return yield* Effect.forever(
      Effect.zipRight(
        Effect.forEach(watchers, (watcher) => look(watcher, services), { discard: true }),
        Effect.sleep(everyMs)
      )
    )
  })

/** What a look comes to: the crossing to record, if there is one. */
export type Crossing = "raise" | "clear" | undefined

/** Remembers since when a measurement has been on the other side of its limit. */
export class Watcher {
  #since: number | undefined

  constructor(readonly probe: Probe) {}

  look(value: number, isRaised: boolean, now: number): Crossing {
    const { limit, clearAt, holdMs, bad } = this.probe
    const isBeyond = (mark: number) => (bad === "above" ? value > mark : value < mark)
    const isOnItsWay = isRaised ? !isBeyond(clearAt) : isBeyond(limit)
    if (!isOnItsWay) {
      this.#since = undefined
      return undefined
    }
    this.#since ??= now
    if (now - this.#since < holdMs) return undefined
    this.#since = undefined
    return isRaised ? "clear" : "raise"
  }
}

const look = (watcher: Watcher, { system, hubKind, hub, now }: ProbeServices): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { component, reason, subject, status, limit, measure } = watcher.probe
    const name = { component, reason, subject }
    const value = measure()
    const crossing = watcher.look(value, keyOf(name) in hub().context.raised, now())
    if (crossing === undefined) return Effect.void
    const command =
      crossing === "raise"
        ? ({ type: "RaiseComponent", ...name, status, value: Math.round(value), limit } as const)
        : ({ type: "ClearComponent", ...name } as const)
    // A journal that takes no writes is told of by itself; the crossing is found again at the next look.
    return Effect.ignore(system.send(hubKind, "", command, { by: "hub" }))
  })

const makeProbes = ({ system, hub, settings, log, agentFiles, orphans, now }: ProbeServices) =>
  Effect.gen(function* () {
    const delay = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution: 20 })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable())
    )
    let slowDowns = 0
    let slowedAt = Number.NEGATIVE_INFINITY
    const whole = { subject: "", status: "degraded", bad: "above" } as const
    const disk = {
      component: "disk",
      subject: "",
      bad: "below",
      holdMs: 0,
      measure: () => freeBytes(settings.stateDir)
    } as const
    const late = {
      component: "deadlines",
      subject: "",
      bad: "above",
      holdMs: 0,
      measure: system.overdueMs
    } as const
    return [
      { ...disk, reason: "low", status: "degraded", limit: 1_024 * MiB, clearAt: 1_229 * MiB },
      { ...disk, reason: "full", status: "failing", limit: 64 * MiB, clearAt: 77 * MiB },
      { ...late, reason: "late", status: "degraded", limit: 5 * secondMs, clearAt: 5 * secondMs },
      { ...late, reason: "stuck", status: "failing", limit: minuteMs, clearAt: 5 * secondMs },
      {
        ...whole,
        component: "journal",
        reason: "queue_high",
        limit: 5_000,
        clearAt: 2_500,
        holdMs: 10 * secondMs,
        measure: system.waiting
      },
      {
        ...whole,
        component: "actors",
        reason: "slow_down",
        limit: 0,
        clearAt: 0,
        holdMs: 0,
        /** 1 for a minute after a command was pushed back. */
        measure: () => {
          const count = system.refusals.counts.get("SlowDown") ?? 0
          if (count > slowDowns) slowedAt = now()
          slowDowns = count
          return now() - slowedAt < minuteMs ? 1 : 0
        }
      },
      {
        ...whole,
        component: "process",
        reason: "eventloop_lag",
        limit: 200,
        clearAt: 100,
        holdMs: minuteMs,
        /** The 99th percentile since the last look, ms beyond the sampling itself. */
        measure: () => {
          const ms = delay.percentile(99) / 1e6
          delay.reset()
          return ms
        }
      },
      {
        ...whole,
        component: "process",
        reason: "memory_high",
        limit: 0.8 * settings["hub.memory_limit"],
        clearAt: 0.7 * settings["hub.memory_limit"],
        holdMs: 0,
        measure: () => process.memoryUsage.rss()
      },
      {
        ...whole,
        component: "auth",
        reason: "rejected",
        limit: 0,
        clearAt: 0,
        holdMs: 0,
        /** 1 while a file of tokens or kinds cannot be used: the one before it stays in force. */
        measure: () => Number(agentFiles?.isRejected() ?? false)
      },
      {
        ...whole,
        component: "backup",
        reason: "overdue",
        limit: 2 * (settings["journal.backup_every"] ?? Number.POSITIVE_INFINITY),
        clearAt: 2 * (settings["journal.backup_every"] ?? Number.POSITIVE_INFINITY),
        holdMs: 0,
        /** How old the newest one is; where there is none, how long it could have been taken. */
        measure: () => now() - (hub().context.lastBackup?.at ?? hub().context.readyAt ?? now())
      },
      {
        ...whole,
        component: "peers",
        reason: "orphans",
        limit: 0,
        clearAt: 0,
        holdMs: 0,
        measure: () => orphans.recent(now())
      },
      {
        ...whole,
        component: "exporters",
        reason: "lagging",
        subject: "hub.log",
        limit: 10_000,
        clearAt: 0,
        holdMs: 0,
        measure: log.lag
      }
    ] satisfies ReadonlyArray<Probe>
  })

const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}
