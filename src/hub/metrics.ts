/**
 * What a monitoring system scrapes (contracts: hub 5). Counters and histograms are fed as things happen, gauges are read when they are
 * asked for. Labels come from closed sets, never from ids.
 */
import { Effect } from "effect"
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client"
import type { Envelope, Outcome } from "../actors/CommandQueue.js"
import type { Journal } from "../events/Journal.js"
import type { HubParts } from "./HubParts.js"
import { makePeerMetrics } from "./peerMetrics.js"

/** From 100 us to 10 s. */
const seconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
]
const batchSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]

export type Metrics = ReturnType<typeof makeMetrics>

/** One hub's metrics. `observe` adds what only a running hub can be asked. */
export const makeMetrics = () => {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: "mound_" })
  const commands = new Counter({
    name: "mound_commands_total",
    help: "Commands that were carried out.",
    labelNames: ["kind", "command", "outcome"] as const,
    registers
  })
  const commandSeconds = new Histogram({
    name: "mound_command_seconds",
    help: "From a command's arrival to its answer.",
    labelNames: ["kind"] as const,
    buckets: seconds,
    registers
  })
  const refusals = new Counter({
    name: "mound_refusals_total",
    help: "Commands that were refused, by reason.",
    labelNames: ["tag"] as const,
    registers
  })
  const appendSeconds = new Histogram({
    name: "mound_journal_append_seconds",
    help: "One durable append, with its fsync.",
    buckets: seconds,
    registers
  })
  const batchEvents = new Histogram({
    name: "mound_journal_batch_events",
    help: "Events of one append.",
    buckets: batchSizes,
    registers
  })
  const peers = makePeerMetrics(registers)
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `mound_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      }
    })

  return {
    carriedOut: ({ kind, command, arrivedAt }: Envelope, { events }: Outcome, now: number): void => {
      commands.inc({
        kind: kind.name,
        command: command.type,
        outcome: events.length > 0 ? "appended" : "unchanged"
      })
      commandSeconds.observe({ kind: kind.name }, (now - arrivedAt) / 1_000)
      if (kind.name === "presence") for (const event of events) peers.see(event)
    },

    refused: (tag: string): void => refusals.inc({ tag }),

    /** The same journal, its appends measured. */
    measured: (journal: Journal["Type"]): Journal["Type"] => ({
      ...journal,
      append: (batch) =>
        Effect.suspend(() => {
          const startedAt = performance.now()
          return Effect.onExit(journal.append(batch), () =>
            Effect.sync(() => {
              appendSeconds.observe((performance.now() - startedAt) / 1_000)
              batchEvents.observe(batch.events.length)
            })
          )
        })
    }),

    /** Begins to show what the hub itself can be asked. */
    observe: ({ system, hub, log, followers, claimKind, presenceKind }: HubParts): void => {
      peers.observe(presenceKind.index)
      gauge("up", "1 while the hub is ready.", () => Number(hub().name === "ready"))
      gauge("command_queue_depth", "Commands that wait for their turn.", system.waiting)
      gauge(
        "deadline_lag_seconds",
        "How long the most overdue deadline has waited.",
        () => system.overdueMs() / 1_000
      )
      gauge("actors_live", "Actors in memory.", system.live)
      gauge("invocations", "Invocations that do something.", () => system.running().length)
      gauge("followers", "Connections that follow a stream.", () => followers.count)
      gauge("log_lag_events", "Events that the hub log has still to take.", log.lag)
      gauge("quarantined_streams", "Streams whose history does not fold.", () => system.quarantined().length)
      gauge("claims_held", "Claims that a peer holds.", () =>
        claimKind.index.count("held.active", "held.grace", "held.offered")
      )
      gauge("journal_writable", "1 while the journal takes writes.", () =>
        Number(system.outage() === undefined)
      )
    },

    /** The text exposition format. */
    text: (): Promise<string> => registry.metrics(),
    contentType: registry.contentType
  }
}
