/** `live.examining`: before a session is ended as idle, looks for activity that no event shows (contracts: peers 3.4). */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { SessionInput } from "../actors/presence/presenceMachine.js"
import type { PeerWorld } from "./PeerWorld.js"
import { SessionFolder } from "./SessionFolder.js"

export const makeExamine =
  (world: PeerWorld) =>
  (call: InvocationCall): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { session } = call.invocation.input as SessionInput
      const now = world.now()
      const sources = [
        ["event", session.activeAt],
        ["output", new SessionFolder(world.sessionsRoot, session.id).output().modifiedAt],
        ["request", world.sessions.of(session.id).requestedAt]
      ] as const
      const [kind, newest] = sources.reduce((best, each) => (each[1] > best[1] ? each : best))
      const activeAt = Math.min(now, newest)
      const idleForMs = now - activeAt
      const isIdle = idleForMs >= (session.idleMs ?? Number.POSITIVE_INFINITY)
      const report: PresenceCommand = isIdle
        ? { type: "EndSession", sessionId: session.id, reason: "idle", idleForMs }
        : { type: "ReportActivity", sessionId: session.id, kind, activeAt }
      return Effect.asVoid(Effect.orDie(call.send(report)))
    })
