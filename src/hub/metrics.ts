/**
 * What a monitoring system scrapes (contracts: hub 5). Counters and histograms are fed as things happen, gauges (`hubGauges.ts`) are
 * read when they are asked for. Labels come from closed sets, never from ids.
 */
import { Effect } from "effect"
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client"
import type { Envelope, Outcome } from "../actors/CommandQueue.js"
import type { Journal } from "../events/Journal.js"
import type { Collected } from "../http/otlpMetrics.js"
import type { Tracing } from "../http/Tracing.js"
import { makeClaimMetrics } from "./claimMetrics.js"
import type { HubParts } from "./HubParts.js"
import { registerGauges } from "./hubGauges.js"
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
  const claims = makeClaimMetrics(registers)
  const peers = makePeerMetrics(registers)
  const requests = new Counter({
    name: "mound_http_requests_total",
    help: "Requests that were answered.",
    labelNames: ["route", "status"] as const,
    registers
  })
  const requestSeconds = new Histogram({
    name: "mound_http_seconds",
    help: "From a request's arrival to the end of its answer.",
    labelNames: ["route"] as const,
    buckets: seconds,
    registers
  })
  const defects = new Counter({
    name: "mound_defects_total",
    help: "Faults in the hub itself that a command or a request has met.",
    registers
  })
  const telemetryLost = new Counter({
    name: "mound_telemetry_lost_total",
    help: "Requests to the collector of telemetry that it has not taken.",
    registers
  })
  /** Brings up to date what is no count of this process. */
  let refresh: Effect.Effect<void> = Effect.void

  return {
    carriedOut: (envelope: Envelope, outcome: Outcome, now: number): void => {
      const { kind, command, arrivedAt } = envelope
      const { events } = outcome
      claims.carriedOut(envelope, outcome, now)
      commands.inc({
        kind: kind.name,
        command: command.type,
        outcome: events.length > 0 ? "appended" : "unchanged"
      })
      commandSeconds.observe({ kind: kind.name }, (now - arrivedAt) / 1_000)
      if (kind.name === "presence") for (const event of events) peers.see(event)
    },

    refused: (tag: string): void => refusals.inc({ tag }),

    answered: (route: string, status: number, tookSeconds: number): void => {
      requests.inc({ route, status })
      requestSeconds.observe({ route }, tookSeconds)
    },

    defect: (): void => defects.inc(),

    telemetryLost: (): void => telemetryLost.inc(),

    /** The same journal, its appends measured. */
    measured: (journal: Journal["Type"], tracing: Tracing): Journal["Type"] => ({
      ...journal,
      append: (batch) =>
        Effect.suspend(() => {
          const startedAt = performance.now()
          const measured = Effect.onExit(journal.append(batch), () =>
            Effect.sync(() => {
              appendSeconds.observe((performance.now() - startedAt) / 1_000)
              batchEvents.observe(batch.events.length)
            })
          )
          return tracing.span("journal.append", measured, {
            attributes: { "mound.events": batch.events.length }
          })
        })
    }),

    /** Begins to show what the hub itself can be asked. */
    observe: (parts: HubParts): void => {
      claims.observe(parts.claimKind)
      peers.observe(parts.presenceKind.index)
      parts.system.refusals.listen(claims.refused)
      refresh = registerGauges(registry, parts)
    },

    /** The text exposition format. */
    text: Effect.suspend(() =>
      Effect.zipRight(
        refresh,
        Effect.promise(() => registry.metrics())
      )
    ),
    /** The same as values. */
    collect: Effect.suspend(
      (): Effect.Effect<Collected> =>
        Effect.zipRight(
          refresh,
          Effect.promise(() => registry.getMetricsAsJSON())
        )
    ),
    contentType: registry.contentType
  }
}
