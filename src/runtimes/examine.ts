/** `live.examining`: before a session is ended as idle, looks for activity that no event shows (contracts: peers 3.4). */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import { formatIdentity, type Identity } from "../actors/peer/Identity.js"
import type { Registration } from "../actors/peer/PeerEvent.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { Launched } from "../actors/presence/PresenceContext.js"
import type { ExamineInput } from "../actors/presence/presenceInputs.js"
import { processRuntime } from "../config/runtimePresets.js"
import { identityOf } from "./identityOf.js"
import { fill, templatesOf } from "./launch.js"
import type { PeerWorld } from "./PeerWorld.js"
import { SessionFolder } from "./SessionFolder.js"
import { Transcript } from "./Transcript.js"

export const makeExamine =
  (world: PeerWorld) =>
  (call: InvocationCall): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { session, activeAt: knownAt, idleMs } = call.invocation.input as ExamineInput
      const identity = identityOf(call.stream)
      const isAttended = session.host === "tmux" && (yield* world.tmux.isAttended(formatIdentity(identity)))
      const registration = yield* world.registration(identity.personality)
      const now = world.now()
      const sources = [
        ["event", knownAt],
        outputOf(world, identity, registration, session),
        ["request", world.sessions.of(session.id).requestedAt],
        ["attached", isAttended ? now : 0]
      ] as const
      const [kind, newest] = sources.reduce((best, each) => (each[1] > best[1] ? each : best))
      const activeAt = Math.min(now, newest)
      const idleForMs = now - activeAt
      const isIdle = idleForMs >= (idleMs ?? Number.POSITIVE_INFINITY)
      const report: PresenceCommand = isIdle
        ? { type: "EndSession", sessionId: session.id, reason: "idle", idleForMs }
        : { type: "ReportActivity", sessionId: session.id, kind, activeAt }
      yield* Effect.orDie(call.send(report))
    })

/** The newest that the session wrote: what it prints, or where a program redraws its screen all the time what it writes down. */
const outputOf = (
  world: PeerWorld,
  identity: Identity,
  registration: Registration | undefined,
  session: Launched
): readonly [kind: string, at: number] => {
  const folder = new SessionFolder(world.sessionsRoot, session.id)
  const { activity, transcript } = world.runtime(identity.runtime) ?? processRuntime
  if (activity === "output" || transcript === undefined || !registration) {
    return ["output", folder.output().modifiedAt]
  }
  const templates = templatesOf(world, identity, registration, session.id, null)
  return ["transcript", new Transcript(folder, fill(transcript, templates)).modifiedAt]
}
