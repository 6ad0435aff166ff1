/**
 * `live.delivering`: hands one message to a session and waits for evidence that it arrived. Evidence ends the state, and this with
 * it; without any, it is reported so (contracts: peers 3.5).
 */
import { join } from "node:path"
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { PresenceState } from "../actors/presence/PresenceIndex.js"
import type { SessionInput } from "../actors/presence/presenceMachine.js"
import { identityOf } from "./identityOf.js"
import { messageLine } from "./messageLine.js"
import type { PeerWorld } from "./PeerWorld.js"
import { writeLine } from "./ProcessHost.js"
import { SessionFolder } from "./SessionFolder.js"

export const makeDrain =
  (world: PeerWorld) =>
  (call: InvocationCall): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { session } = call.invocation.input as SessionInput
      const begin: PresenceCommand = { type: "BeginDelivery", sessionId: session.id }
      const { state, events } = yield* Effect.orDie(call.send(begin))
      const { inFlight } = (state as PresenceState).context
      // Nothing in hand: the state was left while this was on its way.
      if (!inFlight) return
      const withinMs = world.runtime(identityOf(call.stream).runtime)?.confirmWithinMs ?? 0
      const { messageId, offset, attempts } = inFlight
      const since = world.now()
      // One that was in hand before has perhaps been written: it gets its whole time, and is not written twice for it.
      if (events.length > 0) {
        const message = yield* world.message(offset)
        const folder = new SessionFolder(world.sessionsRoot, session.id)
        const files = yield* world.attachments.deliver(
          message.attachments,
          join(folder.path, "attachments", messageId)
        )
        const line = messageLine(message, attempts, files)
        const write = writeLine(folder, world.sessions.of(session.id), line)
        yield* Effect.timeoutOption(write, withinMs)
      }
      yield* Effect.sleep(Math.max(0, since + withinMs - world.now()))
      const report: PresenceCommand = {
        type: "ReportNoEvidence",
        sessionId: session.id,
        messageId,
        attempt: attempts,
        waitedMs: world.now() - since
      }
      yield* Effect.orDie(call.send(report))
    })
