/** `ending`: ends a session's whole process group, and reports how it went (contracts: peers 3.4). The only one that ends a child. */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { SessionInput } from "../actors/presence/presenceInputs.js"
import { identityOf } from "./identityOf.js"
import type { PeerWorld } from "./PeerWorld.js"
import { endGroup, endOf } from "./ProcessHost.js"
import { reportEnd } from "./reportEnd.js"
import { SessionFolder } from "./SessionFolder.js"

/** What a runtime that is configured no more had of time. */
const defaultGraceMs = 5_000

export const makeEndSession =
  (world: PeerWorld) =>
  (call: InvocationCall): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { session } = call.invocation.input as SessionInput
      const folder = new SessionFolder(world.sessionsRoot, session.id)
      const memory = world.sessions.of(session.id)
      const graceMs = world.runtime(identityOf(call.stream).runtime)?.endGraceMs ?? defaultGraceMs
      return Effect.gen(function* () {
        // Whoever was starting it has started it by now, or never will.
        yield* memory.exclusively(
          Effect.sync(() => {
            memory.isOver = true
          })
        )
        const name = session.process ?? folder.wrapper()
        const wasOver = endOf(folder, memory, name) !== undefined
        if (name) yield* endGroup(name.pid, session.id, graceMs)
        const exit = endOf(folder, memory, name) ?? { code: null, signal: null }
        yield* reportEnd(
          world,
          call,
          session,
          exit,
          wasOver && !memory.isOwn ? "reconcile" : "exit",
          undefined
        )
      })
    })
