/** What is wrong with workflows and runs, from their own events (contracts: senses and workflows 4). */
import { idOf, kindOf, makeStreamId, type RecordedEvent, type StreamId } from "../events/Event.js"
import type { Raised } from "./health.js"

export const component = "workflows"
const inDoubt = "in_doubt"
const queueFullMs = 600_000

/** The reason that an event raises. */
export const raisedByWorkflow = ({ stream, type, data }: RecordedEvent): Raised | undefined => {
  const subject = idOf(stream)
  const raise = (reason: string, detail: string, forMs?: number): Raised => ({
    component,
    reason,
    subject,
    status: "degraded",
    ...(forMs !== undefined && { forMs }),
    detail
  })
  const messageOf = (error: unknown) => (error as { readonly message: string }).message
  switch (type) {
    case "WorkflowCircuitOpened": {
      const cause =
        data.cause === "losses" ? "its worker died five times within a minute" : "its module does not load"
      return raise("circuit_open", `${cause}; mend it and: mound workflow reload ${subject}`)
    }
    case "WorkflowReloadFailed":
      return raise("reload_failed", `the old code goes on: ${messageOf(data.error)}`)
    case "RunEvicted":
      return raise("queue_full", `run ${data.runId} was evicted by ${data.by}`, queueFullMs)
    case "RunHeld":
      return raise(
        inDoubt,
        `nobody knows what its last attempt did; look, then: mound workflow resume ${subject}`
      )
    default:
      return undefined
  }
}

/** The reasons that an event clears. */
export const clearedByWorkflow = ({
  stream,
  type,
  state
}: RecordedEvent): ReadonlyArray<Pick<Raised, "component" | "reason" | "subject">> => {
  const clear = (...reasons: ReadonlyArray<string>) =>
    reasons.map((reason) => ({ component, reason, subject: idOf(stream) }))
  switch (kindOf(stream)) {
    case "workflow":
      if (state === "absent") return clear("circuit_open", "reload_failed", "queue_full")
      if (type === "WorkflowCircuitClosed") return clear("circuit_open")
      return type === "WorkflowDrainEnded" ? clear("reload_failed") : []
    case "run":
      // Whatever a held run does next is an end of being held.
      return ["RunResumed", "RunKilled", "RunFailed", "RunInterrupted"].includes(type) ? clear(inDoubt) : []
    default:
      return []
  }
}

/** The stream that a reason's row is made from. */
export const streamOfReason = (reason: string, subject: string): StreamId =>
  makeStreamId(reason === inDoubt ? "run" : "workflow", subject)
