/** What senses have to do with health (contracts: senses and workflows 4): which of their events raise a reason, and which clear one. */
import { idOf, kindOf, type RecordedEvent } from "../events/Event.js"
import type { Raised } from "./health.js"

const hourMs = 3_600_000
/** So many failures in a row are no accident. */
const failingFrom = 3

type Reason = Pick<Raised, "component" | "reason" | "subject">

export const raisedBySense = ({ type, data, stream }: RecordedEvent): Raised | undefined => {
  if (kindOf(stream) !== "sense") return undefined
  const raise = (reason: string, detail: string, forMs?: number): Raised => ({
    component: "senses",
    reason,
    subject: idOf(stream),
    status: "degraded",
    detail,
    ...(forMs !== undefined && { forMs })
  })
  switch (type) {
    case "SenseLoadFailed":
      return raise("broken", String(data.error).split("\n")[0] ?? "")
    case "SenseCircuitOpened":
      return raise("circuit_open", `its process was lost ${data.losses} times within a minute`)
    case "SenseComputeFailed":
    case "SenseComputeTimedOut":
      return (data.failures as number) < failingFrom
        ? undefined
        : raise("failing", `${data.failures} computes in a row failed`)
    case "SenseDirectiveRejected":
      return raise("directive_rejected", `${data.reason}: ${data.text}`, hourMs)
    default:
      return undefined
  }
}

export const clearedBySense = ({ type, stream }: RecordedEvent): ReadonlyArray<Reason> => {
  if (kindOf(stream) !== "sense") return []
  return (clears[type] ?? []).map((reason) => ({ component: "senses", reason, subject: idOf(stream) }))
}

const clears: { readonly [type: string]: ReadonlyArray<string> } = {
  SenseLoaded: ["broken"],
  SenseComputeCompleted: ["failing"],
  SenseCircuitHalfOpened: ["circuit_open"],
  SenseCircuitClosed: ["circuit_open"],
  SenseRemoved: ["broken", "failing", "circuit_open", "directive_rejected"]
}
