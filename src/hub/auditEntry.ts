/** Lines of the old ledger's audit log: one JSON object each, its time and event first (contracts: ledger 6.5). */
import type { RefusalEntry } from "../actors/RefusalFeed.js"
import { idOf, type RecordedEvent, type StreamId } from "../events/Event.js"
import { contentOf } from "../http/claimFrames.js"

export interface AuditEntry {
  /** Epoch ms. */
  readonly ts: number
  readonly event: string
  readonly [field: string]: unknown
}

/** What the journal has of a mark or a claim, in the old log's words; our own fields come last. */
export const eventAudit = (event: RecordedEvent): AuditEntry | undefined => {
  const content = contentOf(event)
  if (!content) return undefined
  const { name, data } = content
  const { id, intensity } = data as { readonly id: string; readonly intensity?: number }
  const { at: ts, offset } = event
  switch (name) {
    case "pheromone":
      return { ts, event: "publish", id, intensity, offset }
    case "inflate":
      return { ts, event: "inflate", id, intensity, offset }
    case "claim":
      return { ts, event: "claim", id, offset, peer: event.data.peer }
    default:
      return { ts, event: name, id, offset }
  }
}

/** What was refused, whichever route asked. Refusals are in no journal. */
export const refusalAudit = (entry: RefusalEntry): AuditEntry | undefined => {
  const { at: ts, kind, command, stream, reason } = entry
  if (kind !== "claim" || stream === undefined) return undefined
  const id = idOf(stream as StreamId)
  switch (reason._tag) {
    case "AlreadyClaimed":
    case "AlreadyDone":
      return command === "ClaimWork" ? { ts, event: "claim_conflict", id } : undefined
    case "UnknownClaim":
      if (command === "InflatePheromone") return { ts, event: "inflate_missing", id }
      return command === "ClaimWork" ? { ts, event: "claim_missing", id } : undefined
    case "StanceUnknown":
      return { ts, event: "stance_unknown", id, stanceTarget: fieldOf(reason, "stanceTarget") }
    default:
      return undefined
  }
}

const fieldOf = (reason: object, name: string): unknown =>
  (reason as { readonly [field: string]: unknown })[name]
