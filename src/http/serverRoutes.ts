/** `/servers`: programs that can be found here, as clients of the old server know it (contracts: streams 5.3). */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Cause, Effect, Either, Option, ParseResult, Schema } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import { ServerId, ServerRegistration } from "../actors/server/ServerCommand.js"
import type { ServerKind } from "../actors/server/serverKind.js"
import { makeStreamId, Offset } from "../events/Event.js"
import type { Journal } from "../events/Journal.js"
import type { Projector } from "../projections/Projector.js"
import { listServers, type StoredServer } from "../projections/serverQueries.js"
import { type BodyTooLarge, readBody } from "./Body.js"
import { bearerOf, commandIdFor, type Identities } from "./Identities.js"
import { parseJson } from "./json.js"
import { type AnyReason, refusal, statusOf, toFailure } from "./refusals.js"
import { discardBody, sendJson } from "./respond.js"
import { encodeToken } from "./StreamToken.js"
import { type CallFailure, commandIdOf, reasonOf, type Target } from "./serve.js"

export interface ServerServices {
  readonly system: ActorSystem["Type"]
  readonly kind: ServerKind
  readonly projector: Projector["Type"]
  readonly journal: Journal["Type"]
  readonly restores: () => number
  readonly identities: Identities
  readonly now: () => number
  readonly ttlMs: number
  readonly maxBodyBytes: number
  readonly onDefect: (error: unknown) => void
}

type Answering = Effect.Effect<void, CallFailure | BodyTooLarge>

/** Whoever the old protocol does not name. */
const nobody = "anonymous"

export const makeServerRoutes = (services: ServerServices) => {
  const { system, kind, projector, journal, now, identities } = services

  /** Who sends a command, by the token that it shows. */
  const origin = (request: IncomingMessage) =>
    Effect.map(commandIdOf(request), (key) => {
      const caller = identities.callerOf(bearerOf(request.headers))
      return { by: caller.name ?? nobody, commandId: commandIdFor(caller, key) }
    })

  const list = (response: ServerResponse, query: URLSearchParams): Answering =>
    Effect.gen(function* () {
      const isAll = query.get("state") === "all"
      // Taken first: what comes after it is seen by whoever follows from there, also if the list shows it already.
      const { offset } = yield* journal.head
      const rows = yield* listServers(projector.read)
      const heard = rows.map((row) => ({
        row,
        at: kind.heard.lastHeard(makeStreamId("server", row.id), row.heard_at)
      }))
      const shown = heard
        .filter(({ row, at }) => isAll || (row.state === "registered" && now() - at < services.ttlMs))
        .map(({ row, at }) => ({
          ...entryOf(row, at),
          ...(isAll && { state: row.state, since: row.since, token: row.token })
        }))
      sendJson(response, 200, shown, { "Stream-Next-Offset": encodeToken(services.restores(), offset) })
    })

  const register = (request: IncomingMessage, response: ServerResponse): Answering =>
    Effect.gen(function* () {
      const json = parseJson(yield* readBody(request, services.maxBodyBytes))
      const entry = decodeEntry(json?.value)
      if (Either.isLeft(entry)) {
        const error = "Invalid server entry"
        return sendJson(response, 400, {
          error,
          issues: entry.left,
          _tag: "InvalidServerEntry",
          message: messageOf(entry.left)
        })
      }
      const { id, url, port, pid, metadata } = entry.right
      const command = { type: "RegisterServer", url, port, pid, ...(metadata && { metadata }) } as const
      const { state } = yield* system.send(kind, id, command, yield* origin(request))
      const { token } = state.context as { readonly token: Offset | null }
      sendJson(response, 200, true, { "Mound-Token": String(token) })
    })

  const heartbeat = (request: IncomingMessage, response: ServerResponse, id: string): Answering =>
    Effect.gen(function* () {
      const json = parseJson(yield* readBody(request, services.maxBodyBytes))
      const body = yield* decodeOr400(Schema.Struct({ token: Schema.optional(Offset) }), json?.value, "body")
      if (!isServerId(id)) return yield* refusal({ _tag: "ServerNotRegistered", id })
      yield* system.send(kind, id, { type: "HeartbeatServer", ...body }, yield* origin(request))
      sendJson(response, 200, true)
    })

  const remove = (
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    query: URLSearchParams
  ): Answering =>
    Effect.gen(function* () {
      discardBody(request, response)
      const text = query.get("token")
      const token =
        text === null
          ? undefined
          : yield* decodeOr400(Schema.compose(Schema.NumberFromString, Offset), text, "token")
      // An id that no server can have is removed as much as it can be.
      if (!isServerId(id)) return sendJson(response, 200, true)
      const command = { type: "UnregisterServer", ...(token !== undefined && { token }) } as const
      yield* system.send(kind, id, command, yield* origin(request))
      sendJson(response, 200, true)
    })

  const answering = (
    request: IncomingMessage,
    response: ServerResponse,
    { path, query }: Target
  ): Answering | undefined => {
    const parameters = new URLSearchParams(query)
    if (path === "/servers") {
      if (request.method === "GET") return list(response, parameters)
      return request.method === "POST" ? register(request, response) : undefined
    }
    const match = /^\/servers\/([^/]+)(\/heartbeat)?$/.exec(path)
    if (!match) return undefined
    const id = decodeId(match[1] as string)
    if (match[2]) return request.method === "POST" ? heartbeat(request, response, id) : undefined
    return request.method === "DELETE" ? remove(request, response, id, parameters) : undefined
  }

  return (request: IncomingMessage, response: ServerResponse, target: Target) => {
    const answer = answering(request, response, target)
    return (
      answer &&
      Effect.catchAllCause(answer, (cause) =>
        Effect.sync(() => {
          if (Cause.isInterruptedOnly(cause)) return
          discardBody(request, response)
          sendReason(response, reasonOf(cause, services.onDefect))
        })
      )
    )
  }
}

/** A token of another registration has one name for all clients, whatever it is a token of. */
const sendReason = (response: ServerResponse, reason: AnyReason): void => {
  const { _tag, ...failure } = toFailure(reason)
  sendJson(response, statusOf(reason), {
    _tag: _tag === "StaleServerToken" ? "StaleToken" : _tag,
    ...failure
  })
}

const entryOf = ({ id, url, port, pid, metadata }: StoredServer, lastHeartbeat: number) => ({
  id,
  url,
  port,
  pid,
  lastHeartbeat,
  ...(metadata !== null && { metadata: JSON.parse(metadata) as unknown })
})

interface Issue {
  readonly code: string
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

/** Unknown fields are dropped, as they always were; every issue is told at once. */
const decodeEntry = (value: unknown): Either.Either<typeof ServerRegistration.Type, ReadonlyArray<Issue>> => {
  const decoded = Schema.decodeUnknownEither(ServerRegistration, { errors: "all" })(value)
  return Either.mapLeft(decoded, (error) =>
    ParseResult.ArrayFormatter.formatErrorSync(error).map(({ _tag, path, message }) => ({
      code: _tag === "Missing" ? "missing" : "invalid",
      path,
      message
    }))
  )
}

const messageOf = (issues: ReadonlyArray<Issue>): string =>
  issues.map(({ path, message }) => `${path.map(String).join(".") || "body"}: ${message}`).join("; ")

const decodeOr400 = <A, I>(schema: Schema.Schema<A, I>, value: unknown, path: string) =>
  Effect.mapError(Schema.decodeUnknown(schema)(value), () =>
    refusal({ _tag: "InvalidCommand", path, problem: "must be the token of a registration, if it is given" })
  )

const isServerId = (id: string): boolean => Option.isSome(Schema.decodeOption(ServerId)(id))

const decodeId = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ""
  }
}
