/** The routes of peers: registration, the registry, and why a presence is as it is (contracts: peers 5). */
import { realpathSync, statSync } from "node:fs"
import { isAbsolute } from "node:path"
import { Effect, Schema } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import { type Identity, Personality } from "../actors/peer/Identity.js"
import { maxDescription, type PeerCommand } from "../actors/peer/PeerCommand.js"
import type { PeerState } from "../actors/peer/PeerIndex.js"
import type { PeerKind } from "../actors/peer/peerKind.js"
import type { PresenceKind } from "../actors/presence/presenceKind.js"
import type { Refused } from "../actors/Refused.js"
import { actorsOf, countRemoval, listRegistry, type StoredActor } from "../projections/registryQueries.js"
import { pageOfServers } from "../projections/serverQueries.js"
import { type Clockwork, type Moment, momentOf } from "./asOf.js"
import { awaitThat } from "./awaitThat.js"
import { type CallerServices, callerOf } from "./callerOf.js"
import { chooseRuntime } from "./chooseRuntime.js"
import type { PeerRow, PresenceRow } from "./peersApi.js"
import { type AnyReason, refusal } from "./refusals.js"
import { toPeerRow, toPresenceRow, toServerRow } from "./registryRows.js"
import type { CallFailure, Credentials, Handlers } from "./serve.js"
import { whyPeer } from "./whyPeer.js"

export interface PeerServices extends Clockwork, CallerServices {
  readonly system: ActorSystem["Type"]
  readonly peerKind: PeerKind
  readonly presenceKind: PresenceKind
  readonly deathWindowMs: number
  readonly sessionActions: SessionActions
}

/** What is done to a session that runs. */
export interface SessionActions {
  /** The command that shows its screen; undefined where it has none. */
  readonly target: (identity: Identity) => ReadonlyArray<string> | undefined
  readonly interrupt: (session: RunningSession) => Effect.Effect<boolean>
  readonly canCompact: (runtime: string) => boolean
  /** Whether there is evidence already when it has been asked; where not, the session may tell of it later. */
  readonly compact: (session: RunningSession) => Effect.Effect<boolean>
}

export interface RunningSession {
  readonly identity: Identity
  readonly sessionId: string
  readonly pid: number | null
}

type PeerHandlers = Pick<Handlers, "registerPeer" | "amendPeer" | "removePeer" | "registry" | "peer" | "why">

/** A forced removal is waited for so long: sessions may take their grace. */
const removalMs = 60_000

export const makePeerHandlers = (services: PeerServices): PeerHandlers => {
  const { system, peerKind, journal } = services

  const windowOf = ({ now }: Moment) => ({ now, deathWindowMs: services.deathWindowMs })

  /** Only an operator changes who there is. */
  const asOperator = (credentials: Credentials): Effect.Effect<string, Refused<AnyReason>> =>
    Effect.flatMap(callerOf(services, credentials), ({ isOperator, name = "operator" }) =>
      isOperator ? Effect.succeed(name) : refusal({ _tag: "NotAllowed", need: "an operator" })
    )

  const send = (
    personality: string,
    command: PeerCommand,
    call: { readonly commandId: string | undefined; readonly credentials: Credentials }
  ) =>
    Effect.flatMap(asOperator(call.credentials), (by) =>
      Effect.zipRight(
        checkName(personality),
        system.send(peerKind, personality, command, { by, commandId: call.commandId })
      )
    )

  const shown = (personality: string, moment: Moment, isOperator: boolean) =>
    Effect.flatMap(actorsOf(moment.read, personality), (rows) => {
      const peer = rows.find(({ kind }) => kind === "peer")
      if (!peer) return refusal({ _tag: "UnknownPeer", personality })
      const presences = rows.filter(({ kind, state }) => kind === "presence" && state !== "undeclared")
      return Effect.succeed({
        ...toPeerRow(peer, isOperator),
        presences: presences.map((row) => toPresenceRow(row, windowOf(moment)))
      })
    })

  const registered = (
    personality: string,
    description: string | undefined,
    sent: Effect.Effect<{ readonly state: { readonly offset: number } }, CallFailure>
  ) =>
    Effect.gen(function* () {
      const { state } = yield* sent
      const peer = yield* shown(personality, yield* momentOf(services, "registry", undefined), true)
      const truncated = (description?.length ?? 0) > maxDescription
      return { peer, ...(truncated && { truncated }), offset: state.offset }
    }).pipe(Effect.scoped)

  return {
    registerPeer: (call) =>
      Effect.gen(function* () {
        const { personality, cwd, ...wanted } = call.payload
        const folder = yield* realFolder(cwd)
        const command: PeerCommand = { type: "RegisterPeer", cwd: folder, ...wanted }
        return yield* registered(personality, wanted.description, send(personality, command, call))
      }),
    amendPeer: (call) => {
      const { personality } = call.path
      const command: PeerCommand = { type: "AmendPeer", ...call.payload }
      return registered(personality, call.payload.description, send(personality, command, call))
    },
    removePeer: (call) =>
      Effect.gen(function* () {
        const { personality } = call.path
        const force = call.urlParams.force === "true"
        const { events, state } = yield* send(personality, { type: "RemovePeer", force }, call)
        if (events.length === 0 && state.name !== "removing") {
          return { action: "absent", sessionsEnded: 0, messagesFailed: 0 } as const
        }
        const since = events[0]?.offset ?? (state as PeerState).context.removalFrom ?? 0
        yield* awaitThat(journal, () => peerKind.index.get(personality) === undefined, removalMs)
        const { read } = yield* momentOf(services, "registry", undefined)
        return { action: "removed", ...(yield* countRemoval(read, personality, since)) } as const
      }).pipe(Effect.scoped),
    registry: ({ urlParams: { kind, state, limit = 100, cursor = "", at }, credentials }) =>
      Effect.gen(function* () {
        const { isOperator } = yield* callerOf(services, credentials)
        const moment = yield* momentOf(services, "registry", at)
        const filter = { state, limit, after: cursor }
        const actors = kind === "server" ? [] : yield* listRegistry(moment.read, { kind, ...filter })
        const toRow = (row: StoredActor): PeerRow | PresenceRow =>
          row.kind === "peer" ? toPeerRow(row, isOperator) : toPresenceRow(row, windowOf(moment))
        // Servers come last: their keys are the greatest.
        const hasServers = kind === undefined || kind === "server"
        const { read } = yield* momentOf(services, "servers", at)
        const servers = hasServers
          ? yield* pageOfServers(read, { ...filter, limit: limit - actors.length })
          : []
        const keys = [...actors.map(({ key }) => key), ...servers.map(({ id }) => `server/${id}`)]
        const rows = [...actors.map(toRow), ...servers.map(toServerRow)]
        const next = keys.length === limit ? (keys.at(-1) ?? null) : null
        return { offset: moment.offset, now: moment.now, rows, next }
      }).pipe(Effect.scoped),
    peer: ({ path: { personality }, urlParams: { at }, credentials }) =>
      Effect.gen(function* () {
        const { isOperator } = yield* callerOf(services, credentials)
        return yield* shown(personality, yield* momentOf(services, "registry", at), isOperator)
      }).pipe(Effect.scoped),
    why: ({ path: { personality }, urlParams: { runtime, at } }) =>
      Effect.gen(function* () {
        const moment = yield* momentOf(services, "registry", at)
        const messages = yield* momentOf(services, "messages", at)
        const rows = yield* actorsOf(moment.read, personality)
        const peer = rows.find(({ kind }) => kind === "peer")
        if (!peer) return yield* refusal({ _tag: "UnknownPeer", personality })
        const presences = rows.filter(({ kind, state }) => kind === "presence" && state !== "undeclared")
        const { defaultRuntime } = toPeerRow(peer, true)
        const chosen = runtime ?? chooseRuntime(presences, defaultRuntime)
        const row = presences.find(({ name }) => name === `${chosen}-${personality}`)
        if (!row) return yield* refusal({ _tag: "UndeclaredRuntime", personality, runtime: chosen })
        return yield* whyPeer(journal, row, moment, messages, windowOf(moment))
      }).pipe(Effect.scoped)
  }
}

const checkName = (personality: string): Effect.Effect<void, Refused<AnyReason>> =>
  Schema.is(Personality)(personality)
    ? Effect.void
    : refusal({
        _tag: "InvalidCommand",
        path: "personality",
        problem: "must be 1 to 32 of a-z, 0-9 and -, and begin with a letter"
      })

/** A folder that exists, named absolutely, by its real path. */
const realFolder = (cwd: string): Effect.Effect<string, Refused<AnyReason>> =>
  Effect.try({
    try: () => {
      const real = realpathSync(cwd)
      if (!isAbsolute(cwd) || !statSync(real).isDirectory()) throw new Error("no folder")
      return real
    },
    catch: () => refusal({ _tag: "CwdMissing", cwd })
  })
