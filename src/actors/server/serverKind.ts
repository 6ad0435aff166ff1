/** The actor kind `server`: entries that live as long as they are heard of, by the hub's clock alone (contracts: streams 3). */
import { isDeepStrictEqual } from "node:util"
import { Effect } from "effect"
import { idOf, type StreamId } from "../../events/Event.js"
import {
  type ActorHistory,
  type ActorIndex,
  type ActorKind,
  accept,
  type DecideContext,
  type Decision,
  type InvocationCall,
  refuse,
  unchanged
} from "../ActorKind.js"
import { type ActorState, makeFold } from "../fold.js"
import type { ServerCommand } from "./ServerCommand.js"
import { type ServerEvent, serverUpcasters } from "./ServerEvent.js"
import type { ServerReason } from "./ServerRefusal.js"
import { type ServerContext, type ServerStateName, serverMachine } from "./serverMachine.js"

export type ServerState = ActorState & { readonly context: ServerContext; readonly name: ServerStateName }
export type ServerKind = ActorKind<ServerCommand, ServerReason> & {
  readonly heard: Hearing
  readonly index: ServerCount
}

export interface ServerRules {
  /** Silence after which an entry is stale, ms. */
  readonly ttlMs: number
  /** How long a stale one is kept, ms. */
  readonly forgetAfterMs: number
  /** Hub time, and since when the hub has listened without a break. */
  readonly now: () => number
  readonly listensSince: () => number
}

/** Entries that may be there at a time. */
const maxServers = 10_000

/** When each server was last heard of. In memory alone: a heartbeat is no event, and a restart begins every window anew. */
export class Hearing {
  readonly #lastHeard = new Map<StreamId, number>()

  constructor(private readonly listensSince: () => number) {}

  hear(stream: StreamId, at: number): void {
    this.#lastHeard.set(stream, at)
  }

  forget(stream: StreamId): void {
    this.#lastHeard.delete(stream)
  }

  /** Never earlier than what the entry itself shows, nor than the hub has listened. */
  lastHeard(stream: StreamId, heardAt: number): number {
    return Math.max(this.#lastHeard.get(stream) ?? 0, heardAt, this.listensSince())
  }
}

/** How many entries are not gone. A recovery sets it from the projection. */
class ServerCount implements ActorIndex {
  present = 0

  update(before: ActorState, after: ActorState): void {
    this.present += Number(after.name !== "gone") - Number(before.name !== "gone")
  }
}

export const serverHistory: ActorHistory = {
  name: "server",
  version: 1,
  fold: makeFold(serverMachine),
  upcasters: serverUpcasters
}

export const makeServerKind = (rules: ServerRules): ServerKind => {
  const heard = new Hearing(rules.listensSince)
  const index = new ServerCount()
  return {
    ...serverHistory,
    yields: {
      RegisterServer: ["ServerRegistered", "ServerRevived"],
      HeartbeatServer: ["ServerRevived"],
      UnregisterServer: ["ServerUnregistered"],
      DeclareServerStale: ["ServerWentStale"]
    },
    startsWork: new Set(),
    decide: (state: ServerState, command, context) =>
      decideServer(state, command, context, { rules, heard, index }),
    // After a boot a server has one whole window to be heard of again.
    graceMs: () => rules.ttlMs,
    index,
    heard,
    invocations: {
      watchSilence: {
        run: (call) => watchSilence(call, rules, heard),
        isStanding: true,
        lost: () => ({ type: "DeclareServerStale" })
      }
    }
  }
}

interface World {
  readonly rules: ServerRules
  readonly heard: Hearing
  readonly index: ServerCount
}

type Decided = Decision<ServerEvent, ServerReason>

const decideServer = (
  state: ServerState,
  command: ServerCommand,
  { now }: DecideContext,
  { rules, heard, index }: World
): Decided => {
  const { stream, name, context } = state
  const lastHeardAt = heard.lastHeard(stream, context.heardAt)
  const silentMs = now - lastHeardAt
  switch (command.type) {
    case "RegisterServer": {
      const { url, port, pid, metadata = null } = command
      const isSame = isDeepStrictEqual(context.entry, { url, port, pid, metadata })
      if (name === "gone" && index.present >= maxServers) {
        return refuse({ _tag: "TooManyServers", limit: maxServers })
      }
      heard.hear(stream, now)
      if (isSame && name === "registered") return unchanged
      if (isSame && name === "stale") return accept({ type: "ServerRevived", silentMs })
      return accept({ type: "ServerRegistered", url, port, pid, metadata })
    }
    case "HeartbeatServer":
      if (name === "gone") return refuse({ _tag: "ServerNotRegistered", id: idOf(stream) })
      if (isOlder(command.token, context)) return refuseOlder(command.token, context)
      heard.hear(stream, now)
      return name === "registered" ? unchanged : accept({ type: "ServerRevived", silentMs })
    case "UnregisterServer":
      if (name === "gone") return unchanged
      if (isOlder(command.token, context)) return refuseOlder(command.token, context)
      heard.forget(stream)
      return accept({ type: "ServerUnregistered", reason: command.reason ?? "request" })
    case "DeclareServerStale":
      return silentMs < rules.ttlMs
        ? refuse({ _tag: "HeardSince" })
        : accept({ type: "ServerWentStale", lastHeardAt, silentMs, forgetAfterMs: rules.forgetAfterMs })
  }
}

const isOlder = (token: number | undefined, context: ServerContext): token is number =>
  token !== undefined && token !== context.token

const refuseOlder = (given: ServerContext["token"] & number, { token: current }: ServerContext) =>
  refuse({ _tag: "StaleServerToken", given, current } as const)

/** Sleeps until the server has been silent for too long, and says so; a heartbeat meanwhile only means a longer sleep. */
const watchSilence = (
  call: InvocationCall,
  { ttlMs, now }: ServerRules,
  heard: Hearing
): Effect.Effect<void> => {
  const startedAt = now()
  const look: Effect.Effect<void> = Effect.suspend(() => {
    const leftMs = heard.lastHeard(call.stream, 0) + ttlMs - now()
    const waitMs = Math.max(leftMs, startedAt + ttlMs - now())
    if (waitMs > 0) return Effect.zipRight(Effect.sleep(waitMs), look)
    return Effect.catchAll(call.send({ type: "DeclareServerStale" }), () => look)
  })
  return look
}
