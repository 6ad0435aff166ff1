/** What the routes that are about presences have in common: which of a peer's they mean, and what they answer (contracts: peers 5). */
import { Effect } from "effect"
import { formatIdentity, type Identity } from "../actors/peer/Identity.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { Refused } from "../actors/Refused.js"
import { findActor } from "../projections/registryQueries.js"
import { awaitThat } from "./awaitThat.js"
import { callerOf } from "./callerOf.js"
import { chooseRuntime } from "./chooseRuntime.js"
import type { PeerServices } from "./peerHandlers.js"
import type { PresenceOutcome } from "./peersApi.js"
import { type AnyReason, refusal } from "./refusals.js"
import { detailOf } from "./registryRows.js"
import { type CallFailure, type Credentials, WithStatus } from "./serve.js"

/** What every verb's call holds. */
export interface VerbCall {
  readonly path: { readonly personality: string }
  readonly payload: { readonly runtime?: string | undefined }
  readonly urlParams: { readonly wait?: number | undefined }
  readonly commandId: string | undefined
  readonly credentials: Credentials
}

type Outcomes = { readonly outcomes: ReadonlyArray<PresenceOutcome> }

export const makePresenceVerbs = (services: PeerServices) => {
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
  /** The one that is up; for what is done to a running session it must be told which, if several are. */
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

  /** Like the one that is up, but refused where it cannot be told which of several is meant. */
  const theRunningOne = (call: VerbCall) =>
    Effect.flatMap(theLiveOne(call), (chosen) => {
      const { personality } = call.path
      const live = (peers.get(personality)?.runtimes ?? []).filter((runtime) =>
        stateOf({ runtime, personality }).startsWith("live.")
      )
      const isNamed = call.payload.runtime !== undefined || live.includes(chosen[0] as string)
      return isNamed || live.length < 2
        ? Effect.succeed(chosen)
        : refusal({ _tag: "Ambiguous", personality, runtimes: live })
    })

  /** The session that asks, by its token. */
  const ownSession = (credentials: Credentials) =>
    Effect.flatMap(callerOf(services, credentials), ({ identity, sessionId }) =>
      identity && sessionId !== undefined
        ? Effect.succeed({ identity, sessionId })
        : refusal({ _tag: "NotAllowed", need: "the token of a session that runs now" })
    )

  const sendSelf = (identity: Identity, command: PresenceCommand, commandId: string | undefined) => {
    const name = formatIdentity(identity)
    return system.send(presenceKind, name, command, { by: name, commandId })
  }

  return {
    all,
    byDefault,
    theLiveOne,
    theRunningOne,
    send,
    verb,
    stateOf,
    started,
    ownSession,
    sendSelf
  }
}

const underWay: ReadonlySet<string> = new Set(["waking", "stopping"])
