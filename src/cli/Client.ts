/** The hub as the command line sees it: a typed client of `http/api.ts` at the url that `hub.json` or an option names. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Effect, Layer, Option, ParseResult, Schema } from "effect"
import { environment } from "../config/process.js"
import { api, Failure } from "../http/api.js"
import { askHub, openableSocket } from "../http/askHub.js"
import { readHubFile, tokenIn } from "../hub/hubFile.js"
import { CliFailure, failed, toCliFailure, usage } from "./CliFailure.js"
import { optionalText, stateDirOf, workspace } from "./common.js"
import { socketFetch } from "./socketFetch.js"

/** Options of every verb that talks to a hub. */
export const connection = {
  workspace,
  url: optionalText("url", "the hub's url; by default the one of the workspace's hub")
}

export interface ConnectionOptions {
  readonly workspace: Option.Option<string>
  readonly url: Option.Option<string>
}

const notRunning = (message: string) => failed("HubNotRunning", message, "start it: mound start")

/** Where a hub listens, and what it wants to be shown. */
export interface Target {
  readonly url: string
  /** Asked instead of the url when there is one. */
  readonly socket: string | null
  readonly token: string | undefined
}

/** Where the hub is: named, or found in the workspace. */
export const findHub = ({ workspace, url }: ConnectionOptions) =>
  Effect.gen(function* () {
    // Inside a session its own token says who asks.
    const token = environment.MOUND_SESSION_TOKEN?.trim() || environment.MOUND_TOKEN?.trim() || undefined
    const named = Option.getOrUndefined(url) ?? (environment.MOUND_URL?.trim() || undefined)
    if (named !== undefined) {
      if (!/^https?:\/\/./.test(named) || !URL.canParse(named)) {
        return yield* usage(`--url: must be the url of a hub, not ${named}`)
      }
      const target: Target = { url: named.replace(/\/$/, ""), socket: null, token }
      return target
    }
    const stateDir = yield* stateDirOf(workspace)
    const file = readHubFile(stateDir)
    if (!file) return yield* notRunning(`no hub runs in ${stateDir}`)
    const target: Target = {
      url: file.url,
      socket: openableSocket(file.socket),
      token: token ?? tokenIn(stateDir)
    }
    if ((yield* bootAt(target)) === file.bootId) return target
    return yield* notRunning(`the hub of ${stateDir} does not answer at ${file.url}`)
  })

/** A file is no proof: the port may be a stranger's by now, or the hub of another workspace (contracts: hub 3.3). */
const bootAt = (target: Target): Effect.Effect<unknown> =>
  askHub(target, { method: "GET", path: "/readyz", timeoutMs: askMs }).pipe(
    Effect.map(({ body }) => (body as { readonly bootId?: unknown }).bootId),
    Effect.catchTag("NoAnswer", () => Effect.succeed(undefined))
  )

/** A hub that is busy may take its time; one that is frozen never answers. */
const askMs = 5_000

/** A client of the hub at a place. */
export const clientOf = ({ url, socket, token }: Target) =>
  HttpApiClient.make(api, {
    baseUrl: url,
    transformClient: HttpClient.mapRequest((request) => {
      const named = HttpClientRequest.setHeaders(request, {
        "mound-client": "cli",
        // A command from inside a role says whose doing it is.
        ...(environment.MOUND_CAUSE !== undefined && { "mound-cause": environment.MOUND_CAUSE })
      })
      return token === undefined ? named : HttpClientRequest.bearerToken(named, token)
    })
  }).pipe(
    Effect.provide(
      socket === null
        ? FetchHttpClient.layer
        : Layer.provideMerge(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, socketFetch(socket)))
    )
  )

/** Requests that the typed client has no words for. */
export const fetchOf = ({ socket }: Target): typeof fetch => (socket === null ? fetch : socketFetch(socket))

/** A client of the hub that the options name. */
export const connect = (options: ConnectionOptions) => Effect.flatMap(findHub(options), clientOf)

export type Client = Effect.Effect.Success<ReturnType<typeof clientOf>>

/** A refusal of the hub, or what keeps it from answering, as this program's failure. */
export const explainFailure = (error: unknown): CliFailure => {
  if (error instanceof CliFailure) return error
  const refusal = Schema.decodeUnknownOption(Failure)(error)
  if (Option.isSome(refusal) && !(error instanceof Error)) {
    const { _tag, message, fix, ...fields } = refusal.value
    return new CliFailure({ tag: _tag, message, fix, fields, exitCode: _tag === "InvalidCommand" ? 2 : 1 })
  }
  if (ParseResult.isParseError(error)) return explainParseError(error)
  return explainTransport(error) ?? toCliFailure(error)
}

/** A connection that is refused has asked for nothing; one that breaks leaves open what became of the request. */
const explainTransport = (error: unknown): CliFailure | undefined => {
  const { _tag, reason, cause } = error as {
    readonly _tag?: string
    readonly reason?: string
    readonly cause?: { readonly cause?: { readonly code?: string } }
  }
  if (_tag !== "RequestError" || reason !== "Transport") return undefined
  if (unsent.has(cause?.cause?.code ?? "")) return notRunning("the hub does not answer")
  return failed(
    "OutcomeUnknown",
    "the connection broke before the hub had answered: whether it was done is unknown",
    "look before you repeat it: mound claim show, or mound journal tail"
  )
}

const unsent: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN"
])

/** Either the request was not made, for a field of ours; or the answer as a whole is nothing that a hub says. */
const explainParseError = (error: ParseResult.ParseError): CliFailure => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const path = issue?.path.join(".") ?? ""
  if (path === "") {
    return failed(
      "AnswerNotUnderstood",
      `the answer is not one of a hub of this version: ${issue?.message}`,
      "see that the url is a hub's, and that it runs the same version"
    )
  }
  const message = `${path}: ${issue?.message}`
  return new CliFailure({ tag: "InvalidCommand", message, fields: { path }, exitCode: 2 })
}
