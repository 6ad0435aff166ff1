/**
 * Tells a command that is sent again from another one under the same id. The journal keeps what a command led to, not the command: it
 * is the same if it is for the same actor, comes from the same sender, and may lead to such events.
 */
import { kindOf, type RecordedEvent } from "../events/Event.js"
import type { Envelope } from "./CommandQueue.js"
import type { SystemReason } from "./Refused.js"

/** What a command of an id led to, recorded or about to be: at least one event, the first one its own actor's. */
type Traces = ReadonlyArray<Pick<RecordedEvent, "stream" | "type" | "by">>

export const isRepeat = ({ kind, stream, command, by }: Envelope, traces: Traces): boolean => {
  const own = traces[0]?.stream
  const last = traces.findLast((trace) => trace.stream === own)
  if (!own || !last) return false
  const yields: { readonly [commandType: string]: ReadonlyArray<string> } = kind.yields
  return (
    (stream === undefined ? kindOf(own) === kind.name : own === stream) &&
    last.by === by &&
    yields[command.type]?.includes(last.type) === true
  )
}

/** The refusal of a command whose id is another one's. */
export const idReused = ({ commandId }: Envelope, traces: Traces): SystemReason => ({
  _tag: "CommandIdReused",
  commandId,
  stream: traces[0]?.stream ?? ""
})
