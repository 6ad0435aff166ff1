/** What a monitoring system scrapes of marks and claims (contracts: ledger 6.5). Their states are a closed set; ids are never labels. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client"
import type { Envelope, Outcome } from "../actors/CommandQueue.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import type { RefusalEntry } from "../actors/RefusalFeed.js"

/** From 100 us to 1 s: answers wait for the disk. */
const seconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

export const makeClaimMetrics = (registers: Array<Registry>) => {
  const published = new Histogram({
    name: "mound_publish_seconds",
    help: "From the arrival of a mark to its answer.",
    buckets: seconds,
    registers
  })
  const claimed = new Histogram({
    name: "mound_claim_seconds",
    help: "From the arrival of a claim to its grant; a claim that waits for a mark counts its wait.",
    buckets: seconds,
    registers
  })
  const expired = new Counter({
    name: "mound_claim_expired_total",
    help: "Claims whose grace ran out.",
    registers
  })
  const conflicts = new Counter({
    name: "mound_claim_conflicts_total",
    help: "Claims on what is held or done already.",
    registers
  })

  return {
    carriedOut: ({ kind, command, arrivedAt }: Envelope, { events }: Outcome, now: number): void => {
      if (kind.name !== "claim") return
      switch (command.type) {
        case "DepositPheromone":
          return published.observe((now - arrivedAt) / 1_000)
        case "ClaimWork":
        case "ClaimNext":
          return claimed.observe((now - arrivedAt) / 1_000)
        case "ClaimExpired":
          // A deadline that was overtaken leads to nothing.
          return expired.inc(events.length)
      }
    },

    refused: ({ kind, command, reason: { _tag } }: RefusalEntry): void => {
      const isConflict = _tag === "AlreadyClaimed" || _tag === "AlreadyDone"
      if (kind === "claim" && command === "ClaimWork" && isConflict) conflicts.inc()
    },

    /** Claims by state, as of when they are asked for. */
    observe: ({ index }: ClaimKind): void => {
      new Gauge({
        name: "mound_claims",
        help: "Claims in each state.",
        labelNames: ["state"] as const,
        registers,
        collect() {
          for (const [state, count] of index.counts) this.set({ state }, count)
        }
      })
    }
  }
}
