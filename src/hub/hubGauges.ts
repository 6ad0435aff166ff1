/** What a running hub can be asked at any moment, as gauges of `/metrics` (contracts: hub 5). */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { Gauge, type Registry } from "prom-client"
import { healthRows } from "../projections/healthQueries.js"
import type { HubParts } from "./HubParts.js"
import { journalPath } from "./holdLock.js"

const states = ["stopped", "starting", "recovering", "ready", "draining"] as const
const severity: { readonly [status: string]: number } = { degraded: 1, failing: 2 }

/** Registers them all. Answers with what must run before each look: it reads what only the store knows. */
export const registerGauges = (registry: Registry, parts: HubParts): Effect.Effect<void> => {
  const { system, hub, log, followers, claimKind, runKind, settings, projector, journal, clock } = parts
  const registers = [registry]
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `mound_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      }
    })
  /** One line for each value of a label. What was there before and is not any more has no line. */
  const gauges = (
    name: string,
    help: string,
    label: string,
    read: () => Iterable<readonly [string, number]>
  ) =>
    new Gauge({
      name: `mound_${name}`,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset()
        for (const [value, count] of read()) this.set({ [label]: value }, count)
      }
    })
  let head = 0
  let health: ReadonlyMap<string, number> = new Map()

  gauge("up", "1 while the hub is ready.", () => Number(hub().name === "ready"))
  gauges("state", "1 for the state that the hub is in.", "state", () => {
    const [now] = hub().name.split(".")
    return states.map((state) => [state, Number(state === now)] as const)
  })
  gauge("journal_offset", "Offset of the newest event.", () => head)
  gauges("journal_bytes", "Size on disk.", "file", () => sizesIn(settings.stateDir))
  gauge("journal_writable", "1 while the journal takes writes.", () => Number(system.outage() === undefined))
  gauge("command_queue_depth", "Commands that wait for their turn.", system.waiting)
  gauge("deadlines_armed", "Timers that are armed.", system.armed)
  gauge(
    "deadline_lag_seconds",
    "How long the most overdue timer has waited.",
    () => system.overdueMs() / 1_000
  )
  gauge("actors_live", "Actors in memory.", system.live)
  gauges("invocations", "Invocations that do something.", "src", () =>
    countBy(system.running(), ({ src }) => src)
  )
  gauge("followers", "Connections that follow a stream.", () => followers.count)
  gauge("log_lag_events", "Events that the hub log has still to take.", log.lag)
  gauge("quarantined_streams", "Streams whose history does not fold.", () => system.quarantined().length)
  gauge("claims_held", "Claims that a peer holds.", () =>
    claimKind.index.count("held.active", "held.grace", "held.offered")
  )
  gauge("runs_running", "Runs in progress.", () => runKind.index.running().length)
  gauges("health", "1 for a component that is degraded, 2 for one that fails.", "component", () => health)

  return Effect.gen(function* () {
    head = (yield* journal.head).offset
    const rows = yield* healthRows(projector.read, clock.now())
    const worst = new Map<string, number>(system.outage() ? [["journal", 2]] : [])
    for (const { component, status } of rows)
      worst.set(component, Math.max(worst.get(component) ?? 0, severity[status] ?? 0))
    health = worst
  }).pipe(Effect.ignore)
}

const countBy = <A>(items: Iterable<A>, keyOf: (item: A) => string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1)
  return counts
}

const sizesIn = (stateDir: string): ReadonlyArray<readonly [string, number]> => {
  const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const path = journalPath(stateDir)
  const archive = join(stateDir, "archive")
  const segments = statSync(archive, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(archive) : []
  return [
    ["database", size(path)],
    ["wal", size(`${path}-wal`)],
    ["archive", segments.reduce((sum, name) => sum + size(join(archive, name)), 0)]
  ]
}
