/** What a session asks for itself, and what is noted of one that runs (contracts: peers 5). */
import { idOf } from "../../events/Event.js"
import { refuse, unchanged } from "../ActorKind.js"
import type { Facts } from "./decidePresence.js"
import type { PresenceCommandOf } from "./PresenceCommand.js"
import type { PresenceFact } from "./PresenceEvent.js"
import type { PresenceState } from "./PresenceIndex.js"

export const selfFresh = (
  { name, context, stream }: PresenceState,
  { sessionId }: PresenceCommandOf<"SelfFresh">
): Facts => {
  if (context.session?.id !== sessionId) return refuse({ _tag: "NoSession", identity: idOf(stream) })
  if (name === "ending") {
    return context.ending?.reason === "self-fresh"
      ? unchanged
      : refuse({ _tag: "NoSession", identity: idOf(stream) })
  }
  return [endRequested(sessionId, "self-fresh")]
}

/** Done with the one message that its session takes; others take more, and are never done. */
export const finishWork = (
  { name, context, stream }: PresenceState,
  { sessionId, how }: PresenceCommandOf<"SelfDone">
): Facts => {
  const { session } = context
  if (!session || (sessionId !== undefined && session.id !== sessionId)) {
    return refuse({ _tag: "NoSession", identity: idOf(stream) })
  }
  const isDone = session.quietMs === null || session.isFinished || !name.startsWith("live.")
  return isDone ? unchanged : [{ type: "WorkerFinished", sessionId: session.id, by: how }]
}

/** What has just been done to a session; it was done to this one, or it is not noted. */
export const noteSession = (
  { name, context, stream }: PresenceState,
  command: PresenceCommandOf<"AttachSession" | "InterruptSession" | "CompactSession">
): Facts => {
  const { sessionId } = command
  if (!name.startsWith("live.") || context.session?.id !== sessionId) {
    return refuse({ _tag: "Offline", identity: idOf(stream), state: name })
  }
  switch (command.type) {
    case "AttachSession":
      return [{ type: "SessionAttached", sessionId }]
    case "InterruptSession":
      return [{ type: "SessionInterrupted", sessionId }]
    case "CompactSession":
      return [{ type: "SessionCompacted", sessionId, evidence: command.evidence }]
  }
}

export const endRequested = (sessionId: string, reason: "remove" | "renew" | "self-fresh"): PresenceFact => ({
  type: "SessionEndRequested",
  sessionId,
  reason,
  disposition: "discarded",
  idleForMs: null
})
