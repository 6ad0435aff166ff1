/** The routes that do something to a session that runs: attach, interrupt, compact (contracts: peers 5). */
import { Effect } from "effect"
import { formatIdentity, type Identity } from "../actors/peer/Identity.js"
import type { Offset } from "../events/Event.js"
import { makeStreamId } from "../events/Event.js"
import { findActor } from "../projections/registryQueries.js"
import type { PeerServices, RunningSession } from "./peerHandlers.js"
import type { PresenceOutcome } from "./peersApi.js"
import { makePresenceVerbs, type VerbCall } from "./presenceVerbs.js"
import { refusal } from "./refusals.js"
import { detailOf } from "./registryRows.js"
import type { CallFailure, Handlers } from "./serve.js"

type SessionHandlers = Pick<Handlers, "attachPeer" | "interruptPeer" | "compactPeer">

/** A session is given so long to show that its memory is smaller (contracts: peers 5). */
const compactMs = 290_000

export const makeSessionHandlers = (services: PeerServices): SessionHandlers => {
  const { journal, projector, sessionActions } = services
  const { theRunningOne, send, verb, stateOf, started } = makePresenceVerbs(services)

  const isLive = (identity: Identity) => stateOf(identity).startsWith("live.")

  const offline = (identity: Identity) =>
    refusal({ _tag: "Offline", identity: formatIdentity(identity), state: stateOf(identity) })

  const running = (identity: Identity): Effect.Effect<RunningSession, CallFailure> =>
    Effect.gen(function* () {
      const row = yield* findActor(projector.read, `presence/${formatIdentity(identity)}`)
      if (!row || row.session_id === null || !isLive(identity)) return yield* offline(identity)
      return { identity, sessionId: row.session_id, pid: detailOf(row).pid ?? null }
    })

  /** Goes on with the last session of one that is asleep; one that is up is left as it is. */
  const resumed = (
    identity: Identity,
    call: VerbCall,
    by: string,
    trigger: "attach" | "operator"
  ): Effect.Effect<PresenceOutcome, CallFailure> =>
    Effect.gen(function* () {
      if (isLive(identity)) return { ...identity, action: "live" }
      const { state } = yield* send(identity, { type: "WakePresence", intent: "resume", trigger }, call, by)
      return yield* started(identity, call, state.offset - 1)
    })

  /** The session itself tells that it has become smaller, by a control line. */
  const awaitCompacted = (identity: Identity, after: Offset) => {
    const stream = makeStreamId("presence", formatIdentity(identity))
    const look: Effect.Effect<void, CallFailure> = Effect.gen(function* () {
      const { offset } = yield* journal.head
      const events = yield* journal.read(after, 1_000, stream)
      if (events.some(({ type }) => type === "SessionCompacted")) return
      yield* journal.awaitBeyond(offset)
      return yield* look
    })
    return look
  }

  return {
    attachPeer: verb(theRunningOne, (identity, call, by) =>
      Effect.gen(function* () {
        const target = sessionActions.target(identity)
        if (!target) {
          return yield* refusal({
            _tag: "Unsupported",
            identity: formatIdentity(identity),
            what: "attached to"
          })
        }
        const outcome = yield* resumed(identity, call, by, "attach")
        if (outcome.action !== "live") return outcome
        const { sessionId } = yield* running(identity)
        yield* send(identity, { type: "AttachSession", sessionId }, { ...call, commandId: undefined }, by)
        return { ...outcome, action: "attached", target }
      })
    ),
    interruptPeer: verb(theRunningOne, (identity, call, by) =>
      Effect.gen(function* () {
        const session = yield* running(identity)
        const { sessionId } = session
        const { offset: before } = yield* journal.head
        // Recorded first: one that ends by it ends after it. A repeated request interrupts nothing again.
        const { events } = yield* send(identity, { type: "InterruptSession", sessionId }, call, by)
        const isToDo = events.some(({ offset }) => offset > before)
        if (isToDo && !(yield* sessionActions.interrupt(session))) return yield* offline(identity)
        return { ...identity, action: "interrupted" }
      })
    ),
    compactPeer: verb(theRunningOne, (identity, call, by) =>
      Effect.gen(function* () {
        const name = formatIdentity(identity)
        if (!sessionActions.canCompact(identity.runtime)) {
          return yield* refusal({ _tag: "Unsupported", identity: name, what: "made smaller" })
        }
        const state = stateOf(identity)
        if (["asleep.neverRun", "asleep.gone", "undeclared"].includes(state)) {
          return yield* refusal({ _tag: "NothingToCompact", identity: name })
        }
        const outcome = yield* resumed(identity, call, by, "operator")
        if (outcome.action !== "live") return outcome
        const session = yield* running(identity)
        const { offset } = yield* journal.head
        if (yield* sessionActions.compact(session)) {
          const { sessionId } = session
          const compacted = { type: "CompactSession", sessionId, evidence: "transcript" } as const
          yield* send(identity, compacted, { ...call, commandId: undefined }, by)
          return { ...identity, action: "compacted" }
        }
        const waitMs = Math.min(call.urlParams.wait ?? 0, compactMs)
        const said = yield* Effect.timeoutOption(awaitCompacted(identity, offset), waitMs)
        return { ...identity, action: said._tag === "Some" ? "compacted" : "unconfirmed" }
      })
    )
  }
}
