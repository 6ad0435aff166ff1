/** What a monitoring system scrapes of peers: how many are how, what becomes of messages, wakes and deaths (contracts: peers 6). */
import { Counter, Gauge, Histogram, type Registry } from "prom-client"
import type { PresenceIndex } from "../actors/presence/PresenceIndex.js"
import type { RecordedEvent } from "../events/Event.js"

/** From a tenth of a second to the longest boot. */
const wakeBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240]

/** What an event says of a message's state. */
const messageStates: { readonly [type: string]: (data: RecordedEvent["data"]) => string | undefined } = {
  MessageAccepted: () => "queued",
  DeliveryAttempted: () => "attempted",
  DeliveryConfirmed: () => "confirmed",
  DeliveryUnconfirmed: ({ final }) => (final === true ? "unconfirmed" : undefined),
  MessageFailed: () => "failed"
}

export const makePeerMetrics = (registers: Array<Registry>) => {
  const messages = new Counter({
    name: "mound_messages_total",
    help: "Messages that came to be in a state.",
    labelNames: ["state"] as const,
    registers
  })
  const wakes = new Histogram({
    name: "mound_wake_seconds",
    help: "From the start of a session's process until it was ready.",
    labelNames: ["mode"] as const,
    buckets: wakeBuckets,
    registers
  })
  const deaths = new Counter({
    name: "mound_deaths_total",
    help: "Sessions that ended as nobody had asked, and not in good order.",
    registers
  })
  /** Of sessions that are not ready yet. */
  const modes = new Map<string, string>()

  return {
    see: ({ type, data }: RecordedEvent): void => {
      const state = messageStates[type]?.(data)
      if (state !== undefined) messages.inc({ state })
      const sessionId = String(data.sessionId)
      if (type === "WakeModeChosen") modes.set(sessionId, String(data.mode))
      if (type === "SessionReady") {
        const mode = modes.get(sessionId)
        if (mode !== undefined) wakes.observe({ mode }, Number(data.afterMs) / 1_000)
      }
      if (type === "SessionReady" || type === "SessionEnded" || type === "WakeFailed") modes.delete(sessionId)
      if (data.death === true) deaths.inc()
    },
    observe: (index: PresenceIndex): void => {
      new Gauge({
        name: "mound_presences",
        help: "Peers on their runtimes, by state.",
        labelNames: ["state"] as const,
        registers,
        collect() {
          for (const [state, count] of index.counts) this.set({ state }, count)
        }
      })
    }
  }
}
