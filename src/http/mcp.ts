/**
 * `POST /mcp`: the hub as tools of an agent, by streamable HTTP without sessions of its own. Who asks is told by the same token or header
 * as on every route; nobody is not a caller here (contracts: peers 5).
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Cause, Effect, JSONSchema, ParseResult, Runtime, Schema } from "effect"
import type { Refused } from "../actors/Refused.js"
import { type BodyTooLarge, readBody } from "./Body.js"
import { type CallerServices, callerOf } from "./callerOf.js"
import { parseJson } from "./json.js"
import { mcpTools, type Tool, type ToolAnswer, type ToolCall } from "./mcpTools.js"
import { type AnyReason, explain, refusal, toFailure } from "./refusals.js"
import { discardBody, sendFailure, sendText } from "./respond.js"
import { type CallFailure, credentialsOf, type Handlers } from "./serve.js"

export interface McpServices {
  readonly callers: CallerServices
  readonly handlers: Handlers
  readonly version: string
  /** Names of the tools that are offered. */
  readonly offered: ReadonlyArray<string>
  readonly maxBodyBytes: number
  readonly onDefect: (error: unknown) => void
}

export type McpRoute = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string
) => Effect.Effect<void> | undefined

export const makeMcpRoute = (services: McpServices): McpRoute => {
  const tools = mcpTools.filter(({ name }) => services.offered.includes(name))
  return (request, response, path) => {
    if (path !== "/mcp") return undefined
    if (request.method !== "POST") {
      discardBody(request, response)
      return Effect.sync(() => sendText(response, 405, "method not allowed", { Allow: "POST" }))
    }
    return Effect.gen(function* () {
      const json = parseJson(yield* readBody(request, services.maxBodyBytes))
      if (!json)
        return yield* refusal({ _tag: "InvalidCommand", path: "body", problem: "must be a JSON text" })
      yield* serve(services, tools, request, response, json.value)
    }).pipe(
      Effect.catchAll((error) =>
        Effect.sync(() => {
          discardBody(request, response)
          sendFailure(response, reasonOf(error))
        })
      )
    )
  }
}

const reasonOf = (error: Refused<AnyReason> | BodyTooLarge): AnyReason =>
  error._tag === "Refused" ? error.reason : { _tag: "TooLarge", limit: error.limit }

/** One request, one server: the protocol's own state ends with the answer. Its package is loaded when it is first asked for. */
const serve = (
  services: McpServices,
  tools: ReadonlyArray<Tool>,
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const run = Runtime.runPromise(yield* Effect.runtime<never>())
    const { Server, StreamableHTTPServerTransport, types } = yield* Effect.promise(loadSdk)
    const server = new Server({ name: "mound", version: services.version }, { capabilities: { tools: {} } })
    server.setRequestHandler(types.ListToolsRequestSchema, () => ({
      tools: tools.map(({ name, description, arguments: schema }) => ({
        name,
        description,
        inputSchema: inputSchemaOf(schema)
      }))
    }))
    server.setRequestHandler(types.CallToolRequestSchema, ({ params }) =>
      run(callTool(services, tools, request, params.name, params.arguments ?? {}))
    )
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    yield* Effect.promise(async () => {
      await server.connect(transport as never)
      await transport.handleRequest(request, response, body)
    })
    yield* Effect.async<void>((resume) => {
      if (response.writableFinished || response.destroyed) return resume(Effect.void)
      response.once("close", () => resume(Effect.void))
    })
    yield* Effect.promise(() => server.close())
  })

const loadSdk = async () => {
  const [{ Server }, { StreamableHTTPServerTransport }, types] = await Promise.all([
    import("@modelcontextprotocol/sdk/server/index.js"),
    import("@modelcontextprotocol/sdk/server/streamableHttp.js"),
    import("@modelcontextprotocol/sdk/types.js")
  ])
  return { Server, StreamableHTTPServerTransport, types }
}

/** A tool without arguments takes an object too: Effect's schema of no fields would take anything. */
const inputSchemaOf = (schema: Schema.Schema.AnyNoContext) => {
  const {
    $schema: _,
    type = "object",
    ...json
  } = JSONSchema.make(schema) as unknown as {
    readonly [key: string]: unknown
  }
  const nothing = { properties: {}, additionalProperties: false }
  const { properties } = json
  return { type: type as "object", ...(properties === undefined ? nothing : json) }
}

type Result = {
  readonly isError?: boolean
  readonly content: Array<{ readonly type: "text"; readonly text: string }>
  readonly structuredContent: { readonly [key: string]: unknown }
}

const callTool = (
  { callers, handlers, onDefect }: McpServices,
  tools: ReadonlyArray<Tool>,
  request: IncomingMessage,
  name: string,
  given: unknown
): Effect.Effect<Result> =>
  Effect.gen(function* () {
    const tool = tools.find((each) => each.name === name)
    if (!tool)
      return yield* refusal({ _tag: "InvalidCommand", path: "name", problem: `there is no tool ${name}` })
    const credentials = credentialsOf(request)
    const caller = yield* callerOf(callers, credentials)
    if (caller.name === undefined)
      return yield* refusal({
        _tag: "NotAllowed",
        need: "an identity: a session's token or X-IAPeer-Identity"
      })
    const decoded = yield* decode(tool, given)
    const header = (name: string) => {
      const value = request.headers[name]
      return typeof value === "string" ? value : undefined
    }
    const call: ToolCall = { caller, credentials, header }
    return yield* tool.call(handlers, call, decoded as never)
  }).pipe(
    Effect.map(toResult),
    Effect.catchAllCause((cause) =>
      Effect.sync(() => {
        const reason = reasonOfCause(cause, onDefect)
        const { message, fix } = explain(reason)
        return toResult({
          isError: true,
          text: fix === undefined ? message : `${message}; ${fix}`,
          value: toFailure(reason)
        })
      })
    )
  )

const decode = (tool: Tool, given: unknown): Effect.Effect<unknown, Refused<AnyReason>> =>
  Schema.decodeUnknown(tool.arguments, { onExcessProperty: "error" })(given).pipe(
    Effect.mapError((error) => {
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
      const path = issue?.path.map(String).join(".") || "arguments"
      return refusal({ _tag: "InvalidCommand", path, problem: issue?.message ?? "is not valid" })
    })
  )

const reasonOfCause = (cause: Cause.Cause<CallFailure>, onDefect: (error: unknown) => void): AnyReason => {
  const error = Cause.squash(cause)
  const failure = error as Partial<CallFailure> & { readonly _tag?: string }
  if (failure._tag === "Refused") return (failure as Refused<AnyReason>).reason
  if (failure._tag === "JournalUnavailable") {
    const { reason, detail } = failure as { readonly reason: string; readonly detail: string }
    return { _tag: "ReadOnly", reason, detail }
  }
  onDefect(error)
  return { _tag: "Defect", problem: String(error) }
}

const toResult = ({ isError, text, value }: ToolAnswer): Result => ({
  ...(isError && { isError }),
  content: [{ type: "text", text: text ?? JSON.stringify(value) }],
  structuredContent: value
})
