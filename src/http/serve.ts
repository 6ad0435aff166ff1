/**
 * Serves the protocol value: finds the endpoint of a request, reads and decodes what it is sent, strictly, runs the handler and
 * writes its answer. Beside the platform package's own builder this takes half the time a request (body and response go straight
 * through Node's objects), answers every malformed input with a reason and a path, and counts bodies while it reads them.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { HttpApi, type HttpApiEndpoint, type HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Cause, Effect, Option, ParseResult, Schema } from "effect"
import type { Refused } from "../actors/Refused.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { UnknownEvent } from "../events/Upcasters.js"
import type { api } from "./api.js"
import { type BodyTooLarge, readBody } from "./Body.js"
import { bearerOf, type Caller, commandIdFor, type Identities, type Scope } from "./Identities.js"
import { parseJson } from "./json.js"
import { needs } from "./needs.js"
import { type AnyReason, refusal } from "./refusals.js"
import { discardBody, sendFailure, sendJson, sendText } from "./respond.js"

type Groups = typeof api extends HttpApi.HttpApi<infer _Id, infer Each, infer _Error, infer _R> ? Each : never
type Endpoints = HttpApiGroup.HttpApiGroup.Endpoints<Groups>

/** What a handler gets of a request. */
export interface Call<Endpoint extends HttpApiEndpoint.HttpApiEndpoint.Any> {
  readonly path: HttpApiEndpoint.HttpApiEndpoint.PathParsed<Endpoint>
  readonly payload: HttpApiEndpoint.HttpApiEndpoint.Payload<Endpoint>
  readonly urlParams: HttpApiEndpoint.HttpApiEndpoint.UrlParams<Endpoint>
  /** The sender's own id for the command, from `Idempotency-Key`. */
  readonly commandId: string | undefined
  readonly credentials: Credentials
  /** Who asks, by the token that it has shown. */
  readonly caller: Caller
  /** A header, in lower case, that is sent once. */
  readonly header: (name: string) => string | undefined
}

/** What a request says of who sent it; nothing of it is proven yet. */
export interface Credentials {
  readonly bearer: string | undefined
  /** From `X-IAPeer-Identity`. */
  readonly identity: string | undefined
}

/** An answer with another status than its endpoint's usual one. */
export class WithStatus<A> {
  constructor(
    readonly status: number,
    readonly body: A
  ) {}
}
/** An answer that is for people to read, where an endpoint has one beside its JSON. */
export class PlainText {
  constructor(readonly text: string) {}
}

export type CallFailure = Refused<AnyReason> | JournalUnavailable | UnknownEvent

/** A handler for each endpoint of the protocol. */
export type Handlers = {
  readonly [Endpoint in Endpoints as Endpoint["name"]]: (
    call: Call<Endpoint>
  ) => Effect.Effect<
    | HttpApiEndpoint.HttpApiEndpoint.Success<Endpoint>
    | WithStatus<HttpApiEndpoint.HttpApiEndpoint.Success<Endpoint>>
    | PlainText,
    CallFailure
  >
}

type Answer = (call: Call<HttpApiEndpoint.HttpApiEndpoint.Any>) => Effect.Effect<unknown, CallFailure>

/** An endpoint, ready to be matched: `undefined` stands for a parameter in its path. */
interface Route {
  readonly method: string
  readonly path: string
  readonly need: Scope
  readonly segments: ReadonlyArray<{ readonly literal: string } | { readonly parameter: string }>
  /** Of an answer that names none of its own. */
  readonly status: number
  readonly maxBodyBytes: number
  readonly decodePayload: Option.Option<Decode>
  readonly decodeUrlParams: Option.Option<Decode>
  readonly encode: (value: unknown) => Effect.Effect<unknown, ParseResult.ParseError>
  readonly answer: Answer
}

type Decode = (value: unknown) => Effect.Effect<unknown, ParseResult.ParseError>

export interface ApiServer {
  /** The work of answering a request, or undefined when no endpoint owns its method and path. */
  readonly handle: (
    request: IncomingMessage,
    response: ServerResponse,
    target: Target
  ) => Effect.Effect<void> | undefined
  /** What the endpoint that owns this method and path needs of its caller; undefined when none does. */
  readonly needOf: (method: string, path: string) => Scope | undefined
  /** The path of the endpoint that has this one, with its parameters' names; undefined when there is none. */
  readonly pathOf: (path: string) => string | undefined
}

/** A request's path, still encoded, and its query. */
export interface Target {
  readonly path: string
  readonly query: string
}

export interface ApiServerOptions {
  readonly identities: Identities
  readonly maxBodyBytes: number
  /** A deposit carries a payload, and may be larger than other commands. */
  readonly maxDepositBytes: number
  readonly onDefect: (error: unknown) => void
}

export const makeApiServer = (
  protocol: typeof api,
  handlers: Handlers,
  options: ApiServerOptions
): ApiServer => {
  const routes = routesOf(protocol, handlers as unknown as { readonly [name: string]: Answer }, options)
  const find = (method: string | undefined, segments: ReadonlyArray<string>) =>
    routes.find((each) => each.method === method && matches(each, segments))
  return {
    needOf: (method, path) => find(method, segmentsOf(path))?.need,
    pathOf: (path) => {
      const segments = segmentsOf(path)
      return routes.find((each) => matches(each, segments))?.path
    },
    handle: (request, response, { path, query }) => {
      const segments = segmentsOf(path)
      const route = find(request.method, segments)
      if (!route) return undefined
      const caller = options.identities.callerOf(bearerOf(request.headers))
      return callOf(route, request, segments, query, caller).pipe(
        Effect.flatMap(route.answer),
        Effect.flatMap((answer) => {
          const { status, body } =
            answer instanceof WithStatus ? answer : new WithStatus(route.status, answer)
          return body instanceof PlainText
            ? Effect.succeed({ status, body: body as unknown })
            : Effect.map(route.encode(body), (json) => ({ status, body: json }))
        }),
        Effect.matchCause({
          onSuccess: ({ status, body }) =>
            body instanceof PlainText
              ? sendText(response, status, body.text)
              : sendJson(response, status, body),
          onFailure: (cause) => {
            if (response.headersSent || Cause.isInterruptedOnly(cause)) return
            discardBody(request, response)
            sendFailure(response, reasonOf(cause, options.onDefect))
          }
        })
      )
    }
  }
}

const routesOf = (
  protocol: typeof api,
  handlers: { readonly [name: string]: Answer },
  { maxBodyBytes, maxDepositBytes }: ApiServerOptions
): ReadonlyArray<Route> => {
  const routes: Array<Route> = []
  const strict = { onExcessProperty: "error" } as const
  HttpApi.reflect(protocol, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      const decoder = (schema: Schema.Schema.All): Decode =>
        Schema.decodeUnknown(schema as Schema.Schema<unknown, unknown>, strict)
      routes.push({
        method: endpoint.method,
        path: endpoint.path,
        need: needs[endpoint.name as keyof typeof needs],
        segments: endpoint.path.slice(1).split("/").map(toSegment),
        status: usualStatusOf(endpoint.successSchema),
        maxBodyBytes: endpoint.name === "deposit" ? maxDepositBytes : maxBodyBytes,
        decodePayload: Option.map(endpoint.payloadSchema, decoder),
        decodeUrlParams: Option.map(endpoint.urlParamsSchema, decoder),
        encode: Schema.encodeUnknown(endpoint.successSchema as Schema.Schema<unknown, unknown>),
        answer: handlers[endpoint.name] as Answer
      })
    }
  })
  // A literal path is tried before one with a parameter: /claims/next is no claim.
  return routes.sort((a, b) => parameters(a) - parameters(b))
}

/** The first that the endpoint declares. */
const usualStatusOf = ({ ast }: Schema.Schema.All): number => {
  const status = HttpApiSchema.getStatusSuccessAST(ast)
  const [first] = ast._tag === "Union" ? ast.types : []
  return first && status === 200 ? HttpApiSchema.getStatusSuccessAST(first) : status
}

const segmentsOf = (path: string) => path.slice(1).split("/")
const toSegment = (text: string) => (text.startsWith(":") ? { parameter: text.slice(1) } : { literal: text })
const parameters = ({ segments }: Route) => segments.filter((segment) => "parameter" in segment).length

const matches = ({ segments }: Route, actual: ReadonlyArray<string>): boolean =>
  segments.length === actual.length &&
  segments.every((segment, index) =>
    "literal" in segment ? segment.literal === actual[index] : actual[index] !== ""
  )

const callOf = (
  route: Route,
  request: IncomingMessage,
  segments: ReadonlyArray<string>,
  query: string,
  caller: Caller
): Effect.Effect<Call<never>, Refused<AnyReason> | BodyTooLarge> =>
  Effect.gen(function* () {
    const path: { [name: string]: string } = {}
    for (const [index, segment] of route.segments.entries()) {
      if ("parameter" in segment)
        path[segment.parameter] = yield* decodeSegment(segment.parameter, segments[index] ?? "")
    }
    const commandId = commandIdFor(caller, yield* commandIdOf(request))
    const urlParams = Option.isSome(route.decodeUrlParams)
      ? yield* invalidAt("query", route.decodeUrlParams.value(yield* queryOf(query)))
      : {}
    let payload: unknown = {}
    if (Option.isSome(route.decodePayload)) {
      const json = parseJson(yield* readBody(request, route.maxBodyBytes))
      if (!json) return yield* invalid("body", "must be a JSON text in UTF-8, nested at most 128 deep")
      payload = yield* invalidAt("body", route.decodePayload.value(json.value))
    }
    const header = (name: string) => {
      const value = request.headers[name]
      return typeof value === "string" ? value : undefined
    }
    const credentials = credentialsOf(request)
    return { path, urlParams, payload, commandId, header, credentials, caller } as Call<never>
  })

export const credentialsOf = ({ headers }: IncomingMessage): Credentials => {
  const identity = headers["x-iapeer-identity"]
  return { bearer: bearerOf(headers), identity: typeof identity === "string" ? identity : undefined }
}

/** Decoded exactly once: an id may hold any character, also a percent sign or a slash. */
const decodeSegment = (name: string, segment: string): Effect.Effect<string, Refused<AnyReason>> =>
  Effect.try({
    try: () => decodeURIComponent(segment),
    catch: () => refusal({ _tag: "InvalidCommand", path: name, problem: "has a broken percent-escape" })
  })

export const commandIdOf = ({
  headers
}: IncomingMessage): Effect.Effect<string | undefined, Refused<AnyReason>> => {
  const key = headers["idempotency-key"]
  if (key === undefined || (typeof key === "string" && /^[\x21-\x7e]{1,200}$/.test(key)))
    return Effect.succeed(key)
  return invalid("Idempotency-Key", "must be 1 to 200 visible ASCII characters")
}

/** A parameter that is given twice is refused: which one was meant cannot be known. */
const queryOf = (query: string): Effect.Effect<{ readonly [name: string]: string }, Refused<AnyReason>> =>
  Effect.suspend(() => {
    const values: { [name: string]: string } = {}
    for (const [name, value] of new URLSearchParams(query)) {
      if (Object.hasOwn(values, name)) return invalid(name, "is given twice")
      values[name] = value
    }
    return Effect.succeed(values)
  })

const invalid = (path: string, problem: string): Effect.Effect<never, Refused<AnyReason>> =>
  refusal({ _tag: "InvalidCommand", path, problem })

const invalidAt = <A>(root: string, decoding: Effect.Effect<A, ParseResult.ParseError>) =>
  Effect.catchTag(decoding, "ParseError", (error) => {
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
    const path = issue?.path.map(String).join(".") || root
    return invalid(path, issue?.message ?? "is not valid")
  })

export const reasonOf = (cause: Cause.Cause<unknown>, onDefect: (error: unknown) => void): AnyReason => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause)) as CallFailure | BodyTooLarge | undefined
  switch (failure?._tag) {
    case "Refused":
      return failure.reason
    case "BodyTooLarge":
      return { _tag: "TooLarge", limit: failure.limit }
    case "JournalUnavailable":
      if (failure.reason === "missing") return { _tag: "ArchiveMissing", detail: failure.detail }
      return { _tag: "ReadOnly", reason: failure.reason, detail: failure.detail }
    default: {
      const error = Cause.squash(cause)
      onDefect(error)
      return { _tag: "Defect", problem: String(error) }
    }
  }
}
