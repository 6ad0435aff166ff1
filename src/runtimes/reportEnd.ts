/** What follows when a session's process has ended: what it left of its group is ended too, and the end is reported, once. */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import { formatIdentity } from "../actors/peer/Identity.js"
import type { PresenceCommandOf } from "../actors/presence/PresenceCommand.js"
import type { Launched } from "../actors/presence/PresenceContext.js"
import { identityOf } from "./identityOf.js"
import type { PeerWorld } from "./PeerWorld.js"
import { endGroup } from "./ProcessHost.js"
import { type Exit, pruneSessions, SessionFolder } from "./SessionFolder.js"

/** What of the last output a death is recorded with (contracts: peers 5). */
const tailBytes = 2_048

export const reportEnd = (
  world: PeerWorld,
  call: InvocationCall,
  session: Launched,
  { code, signal }: Exit,
  detectedBy: "exit" | "reconcile",
  group: number | undefined
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const folder = new SessionFolder(world.sessionsRoot, session.id)
    if (group !== undefined) yield* endGroup(group, folder.sessionId, 0)
    if (session.host === "tmux") yield* world.tmux.close(formatIdentity(identityOf(call.stream)))
    const outputTail = folder.tail(tailBytes)
    const report: PresenceCommandOf<"ReportSessionEnded"> = {
      type: "ReportSessionEnded",
      sessionId: folder.sessionId,
      code,
      signal,
      detectedBy,
      outputTail
    }
    // The report ends the state, and with it this fiber: what comes after it must not be cut off.
    yield* Effect.uninterruptible(
      Effect.zipRight(
        Effect.orDie(call.send(report)),
        Effect.sync(() => {
          world.sessions.forget(folder.sessionId)
          const identity = formatIdentity(identityOf(call.stream))
          pruneSessions(world.sessionsRoot, identity, world.sessionsKept, folder.sessionId)
        })
      )
    )
  })
