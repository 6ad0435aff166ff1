/** `mound token`: who may ask the hub. It edits the tokens file, which a running hub reads again by itself; only digests are kept. */
import { randomBytes } from "node:crypto"
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { type Agent, type AgentClass, agentClasses, isAgentId, type Scope, scopes } from "../config/agents.js"
import { editAgents, listAgents, tokenId } from "../config/editAgents.js"
import { environment, workingDirectory } from "../config/process.js"
import { loadSettings } from "../config/Settings.js"
import { findWorkspace } from "../config/workspace.js"
import { failed, usage } from "./CliFailure.js"
import { json, optionalInteger, workspace } from "./common.js"
import { print, say, table } from "./output.js"

const place = {
  workspace,
  file: Options.text("file").pipe(
    Options.withDescription("the tokens file; by default ledger.auth.tokens_file"),
    Options.optional
  )
}

const fileOf = (options: {
  readonly workspace: Option.Option<string>
  readonly file: Option.Option<string>
}) =>
  Effect.gen(function* () {
    if (Option.isSome(options.file)) return options.file.value
    const named = Option.getOrUndefined(options.workspace)
    const folder = yield* findWorkspace(named, environment, workingDirectory)
    const { settings } = yield* loadSettings({ workspace: folder, environment })
    const path = settings["ledger.auth.tokens_file"]
    if (path !== undefined) return path
    return yield* failed(
      "NoTokensFile",
      "no tokens file is configured",
      "set ledger.auth.tokens_file in mound.yaml, such as .mound/tokens.json, or name one: --file PATH"
    )
  })

const create = Command.make(
  "create",
  {
    as: Options.text("as").pipe(
      Options.withDescription("the agent: claims are its peer's, marks bear its name")
    ),
    scope: Options.choice("scope", scopes).pipe(
      Options.withDescription("read: look; agent: act as that agent; operator: everything"),
      Options.withDefault("agent" as Scope)
    ),
    class: Options.choice("class", agentClasses).pipe(
      Options.withDescription("what the registry of kinds asks for; privileged for an operator"),
      Options.optional
    ),
    maxHeld: optionalInteger("max-held", "claims that it may hold at once, those for ever not counted"),
    ...place,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const { as: agentId, scope } = options
      if (!isAgentId(agentId))
        return yield* usage("--as: must be 1 to 128 of A-Za-z0-9._:@/-, and no reserved name")
      const named = Option.getOrElse(
        options.class,
        (): AgentClass => (scope === "operator" ? "privileged" : "worker")
      )
      if (scope === "operator" && named !== "privileged") {
        return yield* usage("--scope operator needs --class privileged")
      }
      const maxHeld = Option.getOrUndefined(options.maxHeld)
      if (maxHeld !== undefined && maxHeld < 0) return yield* usage("--max-held: must be 0 or more")
      const path = yield* fileOf(options)
      const token = randomBytes(32).toString("base64url")
      const createdAt = new Date((yield* Effect.clock).unsafeCurrentTimeMillis()).toISOString()
      const id = yield* editAgents(path, (file) =>
        file.add(token, {
          agentId,
          class: named,
          scope,
          ...(maxHeld !== undefined && { maxHeld }),
          createdAt
        })
      )
      yield* say(`kept as ${id} in ${path}; the token itself is shown only now`)
      yield* print(options.json ? JSON.stringify({ id, token, agentId, class: named, scope }) : token)
    })
).pipe(Command.withDescription("make a token for an agent; prints it, and keeps only its digest"))

const list = Command.make("list", { ...place, json }, (options) =>
  Effect.gen(function* () {
    const agents = yield* listAgents(yield* fileOf(options))
    const rows = [...agents].map(([sha256, agent]) => ({ id: tokenId(sha256), ...agent }))
    const clear = rows.filter(({ isClear }) => isClear).length
    if (clear > 0) yield* say(`${clear} of them stand in the file as they are: make new ones in their place`)
    yield* print(options.json ? JSON.stringify(rows) : table(headings, rows.map(cells)))
  })
).pipe(Command.withDescription("the tokens that there are, by the beginnings of their digests"))

const headings = ["ID", "AGENT", "SCOPE", "CLASS", "MAX HELD", "CREATED"]
const cells = ({ id, agentId, scope, class: named, maxHeld, createdAt }: Agent & { readonly id: string }) => [
  id,
  agentId,
  scope,
  named,
  maxHeld,
  createdAt
]

const revoke = Command.make("revoke", { id: Args.text({ name: "ID" }), ...place, json }, (options) =>
  Effect.gen(function* () {
    const path = yield* fileOf(options)
    const revoked = yield* editAgents(path, (file) => file.remove(options.id))
    if (revoked.length === 0) {
      return yield* failed("UnknownToken", `no token has the id ${options.id}`, "mound token list")
    }
    if (revoked.length > 1) {
      return yield* failed(
        "AmbiguousToken",
        `${revoked.length} tokens have ids that begin so`,
        "give more of it"
      )
    }
    const [agentId] = revoked
    yield* print(
      options.json ? JSON.stringify({ id: options.id, agentId }) : `revoked: a token of ${agentId}`
    )
  })
).pipe(Command.withDescription("take a token back, by its id; it is refused from the next request on"))

export const token = Command.make("token").pipe(
  Command.withDescription("who may ask the hub, and how much"),
  Command.withSubcommands([create, list, revoke])
)
