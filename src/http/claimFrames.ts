/** The frames of the old ledger's stream, each a function of one recorded event (contracts: ledger 5.3). */
import type { MarkRecord } from "../actors/claim/ClaimEvent.js"
import { idOf, kindOf, type RecordedEvent } from "../events/Event.js"
import { shownMark } from "./shownMark.js"

/** Followers share each event's frame: it is made once, however many there are. */
const frames = new WeakMap<RecordedEvent, string>()

/** The frame of a claim's event; undefined for an event that old clients have no name for. */
export const claimFrame = (event: RecordedEvent): string | undefined => {
  const made = frames.get(event)
  if (made !== undefined) return made
  const content = contentOf(event)
  if (!content) return undefined
  const frame = toFrame(event.offset, content.name, content.data)
  frames.set(event, frame)
  return frame
}

export const toFrame = (offset: number, name: string, data: unknown): string =>
  `id: ${offset}\nevent: ${name}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** What old clients are told of an event, by the name that they know it by. */
export const contentOf = (
  event: RecordedEvent
): { readonly name: string; readonly data: unknown } | undefined => {
  if (kindOf(event.stream) !== "claim") return undefined
  const { type, data, at, state } = event
  const id = idOf(event.stream)
  switch (type) {
    case "PheromoneDeposited": {
      const record = data.record as MarkRecord
      const inflations = typeof record.inflations === "number" ? record.inflations : 0
      const publishedAt = typeof data.publishedAt === "number" ? data.publishedAt : at
      return { name: "pheromone", data: shownMark({ record, publishedAt, inflations }, at) }
    }
    case "PheromoneInflated":
      return { name: "inflate", data: { id, intensity: data.intensity } }
    case "PheromoneEvaporated":
      return { name: "evaporate", data: { id } }
    case "ClaimGranted":
      return { name: "claim", data: { id } }
    case "ClaimReopened":
      return { name: "release", data: { id } }
    case "ClaimCompleted":
    case "ClaimFailed":
    case "ClaimExpired":
    case "ClaimReleased":
    case "ClaimRevoked":
      if (state === "open" || state === "unmarked") return { name: "release", data: { id } }
      return state === "done" ? { name: "done", data: { id, outcome: outcomeOf(event) } } : undefined
    default:
      return undefined
  }
}

const outcomeOf = ({ type, data }: RecordedEvent): string => {
  if (type === "ClaimCompleted") return "completed"
  return type === "ClaimFailed" && data.retry === false ? "failed" : "exhausted"
}
