/** The routes that move presences: wake, new, stop, start, refresh, reset, and what a session asks for itself (contracts: peers 5). */
import { Effect } from "effect"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { PresenceState } from "../actors/presence/PresenceIndex.js"
import { awaitThat } from "./awaitThat.js"
import type { PeerServices } from "./peerHandlers.js"
import { makePresenceVerbs } from "./presenceVerbs.js"
import type { Handlers } from "./serve.js"

type PresenceHandlers = Pick<
  Handlers,
  "wakePeer" | "renewPeer" | "stopPeer" | "startPeer" | "refreshPeer" | "resetPeer" | "selfFresh" | "selfDone"
>

/** When a presence that is on its way down is asked to wake again. */
const endingMs = 50

export const makePresenceHandlers = (services: PeerServices): PresenceHandlers => {
  const { journal } = services
  const { all, byDefault, theLiveOne, send, verb, stateOf, started, ownSession, sendSelf } =
    makePresenceVerbs(services)

  return {
    wakePeer: (call) => {
      const { runtime: _, ...fields } = call.payload
      const wake: PresenceCommand = { type: "WakePresence", ...fields }
      return verb(byDefault, (identity, each, by) =>
        Effect.gen(function* () {
          // One that is just being ended can be woken once it has.
          const until = services.now() + (each.urlParams.wait ?? 0)
          while (stateOf(identity) === "ending" && services.now() < until) yield* Effect.sleep(endingMs)
          const { events, state } = yield* send(identity, wake, each, by)
          return yield* started(identity, each, events[0] ? events[0].offset - 1 : state.offset)
        })
      )(call)
    },
    renewPeer: (call) =>
      verb(theLiveOne, (identity, each, by) =>
        Effect.gen(function* () {
          const renew: PresenceCommand = { type: "RenewPresence", topic: call.payload.topic }
          const { state } = yield* send(identity, renew, each, by)
          return yield* started(identity, each, state.offset)
        })
      )(call),
    stopPeer: verb(all, (identity, each, by) =>
      Effect.gen(function* () {
        yield* send(identity, { type: "StopPresence" }, each, by)
        const isStopped = () => stateOf(identity) === "stopped"
        yield* awaitThat(journal, isStopped, each.urlParams.wait ?? 0)
        return { ...identity, action: isStopped() ? "stopped" : "stopping" }
      })
    ),
    startPeer: verb(all, (identity, each, by) =>
      Effect.map(send(identity, { type: "StartPresence" }, each, by), ({ events }) => ({
        ...identity,
        action: events.length > 0 ? "started" : "unchanged"
      }))
    ),
    refreshPeer: verb(all, (identity, each, by) =>
      Effect.map(send(identity, { type: "RefreshPresence" }, each, by), ({ events, state }) => {
        const isArmed = (state as PresenceState).context.freshNext !== null
        return { ...identity, action: events.length > 0 ? "armed" : isArmed ? "unchanged" : "skipped" }
      })
    ),
    resetPeer: verb(all, (identity, each, by) =>
      Effect.map(send(identity, { type: "ResetCrashLoop" }, each, by), ({ events }) => ({
        ...identity,
        action: events.length > 0 ? "cleared" : "unchanged"
      }))
    ),
    selfFresh: ({ credentials, commandId }) =>
      Effect.gen(function* () {
        const { identity, sessionId } = yield* ownSession(credentials)
        yield* sendSelf(identity, { type: "SelfFresh", sessionId }, commandId)
        return { sessionId }
      }),
    selfDone: ({ credentials, commandId }) =>
      Effect.gen(function* () {
        const { identity, sessionId } = yield* ownSession(credentials)
        yield* sendSelf(identity, { type: "SelfDone", sessionId, how: "self" }, commandId)
        return { sessionId }
      })
  }
}
