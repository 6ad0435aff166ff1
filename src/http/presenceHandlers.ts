/** The routes that move presences: wake, new, stop, start, refresh, reset, and what a session asks for itself (contracts: peers 5). */
import { Effect } from "effect"
import { formatIdentity, type Identity } from "../actors/peer/Identity.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { PresenceState } from "../actors/presence/PresenceIndex.js"
import type { Refused } from "../actors/Refused.js"
import { findActor } from "../projections/registryQueries.js"
import { awaitThat } from "./awaitThat.js"
import { callerOf } from "./callerOf.js"
import { chooseRuntime } from "./chooseRuntime.js"
import type { PeerServices } from "./peerHandlers.js"
import type { PresenceOutcome } from "./peersApi.js"
import { type AnyReason, refusal } from "./refusals.js"
import { detailOf } from "./registryRows.js"
import { type CallFailure, type Credentials, type Handlers, WithStatus } from "./serve.js"

type PresenceHandlers = Pick<
  Handlers,
  "wakePeer" | "renewPeer" | "stopPeer" | "startPeer" | "refreshPeer" | "resetPeer" | "selfFresh"
>

/** What every verb's call holds. */
interface VerbCall {
  readonly path: { readonly personality: string }
  readonly payload: { readonly runtime?: string | undefined }
  readonly urlParams: { readonly wait?: number | undefined }
  readonly commandId: string | undefined
  readonly credentials: Credentials
}

type Outcomes = { readonly outcomes: ReadonlyArray<PresenceOutcome> }

/** When a presence that is on its way down is asked to wake again. */
const endingMs = 50

export const makePresenceHandlers = (services: PeerServices): PresenceHandlers => {
  const { system, peers, presences, presenceKind, journal, projector } = services

  const runtimesOf = (personality: string): Effect.Effect<ReadonlyArray<string>, Refused<AnyReason>> => {
    const peer = peers.get(personality)
    return peer ? Effect.succeed(peer.runtimes) : refusal({ _tag: "UnknownPeer", personality })
  }
  const all = ({ path, payload }: VerbCall) =>
    payload.runtime === undefined ? runtimesOf(path.personality) : Effect.succeed([payload.runtime])
  const byDefault = ({ path, payload }: VerbCall) =>
    Effect.map(runtimesOf(path.personality), () => [
      payload.runtime ?? (peers.get(path.personality)?.defaultRuntime as string)
    ])
  const theLiveOne = ({ path, payload }: VerbCall) =>
    Effect.map(runtimesOf(path.personality), (runtimes) => {
      const { personality } = path
      const known = runtimes.map((runtime) => {
        const name = formatIdentity({ runtime, personality })
        const state = presences.get(name)?.state ?? ""
        return { name, status: state.startsWith("live.") || state === "ending" ? "live" : "asleep" }
      })
      const chosen = chooseRuntime(known, peers.get(personality)?.defaultRuntime ?? "")
      return [payload.runtime ?? chosen]
    })

  const byOf = (credentials: Credentials) =>
    Effect.map(callerOf(services, credentials), ({ name = "operator" }) => name)

  const send = (identity: Identity, command: PresenceCommand, call: VerbCall, by: string) =>
    system.send(presenceKind, formatIdentity(identity), command, {
      by,
      // One request may be for several presences: each has its own.
      commandId: call.commandId && `${call.commandId}:${identity.runtime}`
    })

  const verb =
    (
      targets: (call: VerbCall) => Effect.Effect<ReadonlyArray<string>, Refused<AnyReason>>,
      work: (identity: Identity, call: VerbCall, by: string) => Effect.Effect<PresenceOutcome, CallFailure>
    ) =>
    (call: VerbCall): Effect.Effect<Outcomes | WithStatus<Outcomes>, CallFailure> =>
      Effect.gen(function* () {
        const by = yield* byOf(call.credentials)
        const { personality } = call.path
        const runtimes = yield* targets(call)
        const outcomes = yield* Effect.forEach(
          runtimes,
          (runtime) => work({ runtime, personality }, call, by),
          { concurrency: "unbounded" }
        )
        const isUnderWay = outcomes.some(({ action }) => underWay.has(action))
        return isUnderWay ? new WithStatus(202, { outcomes }) : { outcomes }
      })

  const stateOf = (identity: Identity): string =>
    presences.get(formatIdentity(identity))?.state ?? "undeclared"

  /** The start of a session, waited for as long as the request says. */
  const started = (identity: Identity, { urlParams: { wait = 0 } }: VerbCall, since: number) =>
    Effect.gen(function* () {
      const isSettled = () => {
        const state = stateOf(identity)
        return !state.startsWith("waking.") && state !== "ending"
      }
      yield* awaitThat(journal, isSettled, wait)
      const row = yield* findActor(projector.read, `presence/${formatIdentity(identity)}`)
      const { mode, cause, decision = 0, lastEnd } = row ? detailOf(row) : {}
      const state = stateOf(identity)
      const isUp = state.startsWith("live.")
      const isDecided = decision > since || isUp
      const failure = !isUp && isSettled() && lastEnd && lastEnd.offset > since ? lastEnd : undefined
      return {
        ...identity,
        action: isUp ? "live" : isSettled() ? state : "waking",
        ...(isDecided && mode !== undefined && { mode }),
        ...(isDecided && cause !== undefined && { cause }),
        ...(failure && { reason: String((failure as { readonly reason?: string }).reason ?? failure.type) })
      } satisfies PresenceOutcome
    })

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
        const { identity, sessionId } = yield* callerOf(services, credentials)
        if (!identity || sessionId === undefined) {
          return yield* refusal({ _tag: "NotAllowed", need: "the token of a session that runs now" })
        }
        const name = formatIdentity(identity)
        yield* system.send(presenceKind, name, { type: "SelfFresh", sessionId }, { by: name, commandId })
        return { sessionId }
      })
  }
}

const underWay: ReadonlySet<string> = new Set(["waking", "stopping"])
