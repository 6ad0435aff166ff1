/** The hub as the command line sees it: a typed client of `http/api.ts` at the url that `hub.json` or an option names. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { FetchHttpClient, HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { Effect, Option, ParseResult, Schema } from "effect"
import { environment } from "../config/process.js"
import { api, Failure } from "../http/api.js"
import { readHubFile } from "../hub/hubFile.js"
import { CliFailure } from "./CliFailure.js"
import { optionalText, stateDirOf, workspace } from "./common.js"

/** Options of every verb that talks to a hub. */
export const connection = {
  workspace,
  url: optionalText("url", "the hub's url; by default the one of the workspace's hub")
}

export interface ConnectionOptions {
  readonly workspace: Option.Option<string>
  readonly url: Option.Option<string>
}

const notRunning = (message: string) =>
  new CliFailure({ tag: "HubNotRunning", message, fix: "start it: mound dev", exitCode: 1 })

/** Where the hub is: named, or found in the workspace. */
export const target = ({ workspace, url }: ConnectionOptions) =>
  Effect.gen(function* () {
    const token = environment.MOUND_TOKEN?.trim() || undefined
    const named = Option.getOrUndefined(url) ?? (environment.MOUND_URL?.trim() || undefined)
    if (named !== undefined) return { url: named.replace(/\/$/, ""), token }
    const stateDir = yield* stateDirOf(workspace)
    const file = readHubFile(stateDir)
    if (!file) return yield* notRunning(`no hub runs in ${stateDir}`)
    return { url: file.url, token: token ?? ownToken(stateDir) }
  })

const ownToken = (stateDir: string): string | undefined => {
  try {
    return readFileSync(join(stateDir, "token"), "utf8").trim()
  } catch {
    return undefined
  }
}

/** A client of the hub. */
export const connect = (options: ConnectionOptions) =>
  Effect.gen(function* () {
    const { url, token } = yield* target(options)
    return yield* HttpApiClient.make(api, {
      baseUrl: url,
      transformClient: HttpClient.mapRequest((request) => {
        const named = HttpClientRequest.setHeaders(request, {
          "mound-client": "cli",
          // A command from inside a role says whose doing it is.
          ...(environment.MOUND_CAUSE !== undefined && { "mound-cause": environment.MOUND_CAUSE })
        })
        return token === undefined ? named : HttpClientRequest.bearerToken(named, token)
      })
    }).pipe(Effect.provide(FetchHttpClient.layer))
  })

export type Client = Effect.Effect.Success<ReturnType<typeof connect>>

/** A refusal of the hub, or what keeps it from answering, as this program's failure. */
export const explainFailure = (error: unknown): CliFailure => {
  if (error instanceof CliFailure) return error
  const refusal = Schema.decodeUnknownOption(Failure)(error)
  if (Option.isSome(refusal) && !(error instanceof Error)) {
    const { _tag, message, fix, ...fields } = refusal.value
    return new CliFailure({ tag: _tag, message, fix, fields, exitCode: _tag === "InvalidCommand" ? 2 : 1 })
  }
  if (ParseResult.isParseError(error)) {
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
    const path = issue?.path.join(".") ?? ""
    return new CliFailure({
      tag: "InvalidCommand",
      message: `${path} ${issue?.message}`,
      fields: { path },
      exitCode: 2
    })
  }
  const { _tag, reason } = error as { readonly _tag?: string; readonly reason?: string }
  if (_tag === "RequestError" && reason === "Transport") return notRunning("the hub does not answer")
  return new CliFailure({ tag: _tag ?? "Defect", message: String(error), exitCode: 1 })
}
