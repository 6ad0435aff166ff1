/** `mound server`: programs that can be found at the hub (contracts: streams 5.6). */
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { asking } from "./ask.js"
import { usage } from "./CliFailure.js"
import { optionalInteger } from "./common.js"
import { localTime, print, table } from "./output.js"
import { request } from "./request.js"

const id = Args.text({ name: "ID" }).pipe(Args.withDescription("the server's id"))
const token = optionalInteger("token", "only if it is still the registration with this token")

interface Listed {
  readonly id: string
  readonly state: string
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly lastHeartbeat: number
}

const list = Command.make(
  "list",
  {
    all: Options.boolean("all").pipe(Options.withDescription("also those that are silent, with their state")),
    ...asking
  },
  (options) =>
    Effect.gen(function* () {
      const { bytes } = yield* request(options, options.all ? "/servers?state=all" : "/servers")
      if (options.json) return yield* print(bytes.toString())
      const servers = JSON.parse(bytes.toString()) as ReadonlyArray<Listed>
      if (servers.length === 0) return
      const rows = servers.map(({ id, state = "registered", url, port, pid, lastHeartbeat }) => [
        id,
        state,
        url,
        port,
        pid,
        localTime(lastHeartbeat)
      ])
      yield* print(table(["SERVER", "STATE", "URL", "PORT", "PID", "HEARD"], rows))
    })
).pipe(Command.withDescription("the servers that are there"))

const register = Command.make(
  "register",
  {
    id,
    url: Options.text("url").pipe(Options.withDescription("the url at which it can be reached")),
    port: optionalInteger("port", "its port; by default the url's"),
    pid: optionalInteger("pid", "its process; by default the one that runs this command"),
    meta: Options.text("meta").pipe(
      Options.repeated,
      Options.withDescription("KEY=VALUE, told to whoever finds it; may be given again")
    ),
    workspace: asking.workspace,
    json: asking.json
  },
  ({ id, url, port, pid, meta, workspace, json }) =>
    Effect.gen(function* () {
      if (!URL.canParse(url)) return yield* usage(`--url: must be a url, not ${url}`)
      const metadata = yield* metadataOf(meta)
      const entry = {
        id,
        url,
        port: Option.getOrElse(port, () => portOf(new URL(url))),
        pid: Option.getOrElse(pid, () => process.ppid),
        lastHeartbeat: 0,
        ...(meta.length > 0 && { metadata })
      }
      const init = { method: "POST", body: JSON.stringify(entry) }
      const { headers } = yield* request({ workspace, url: Option.none() }, "/servers", init)
      const token = headers.get("mound-token")
      yield* print(json ? JSON.stringify({ id, token: Number(token) }) : String(token))
    })
).pipe(Command.withDescription("register a server; prints the token of the registration"))

const metadataOf = (pairs: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach(pairs, (pair) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? []
      return key === undefined || value === undefined
        ? usage(`--meta: must be KEY=VALUE, not ${pair}`)
        : Effect.succeed([key, value] as const)
    }),
    (entries) => Object.fromEntries(entries)
  )

const portOf = ({ port, protocol }: URL): number =>
  port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)

const heartbeat = Command.make("heartbeat", { id, token, ...asking }, (options) =>
  Effect.gen(function* () {
    const body = JSON.stringify(
      Option.match(options.token, { onNone: () => ({}), onSome: (token) => ({ token }) })
    )
    const path = `/servers/${encodeURIComponent(options.id)}/heartbeat`
    yield* request(options, path, { method: "POST", body })
    if (options.json) yield* print(JSON.stringify({ id: options.id }))
  })
).pipe(Command.withDescription("say that a server is still there; every 15 s is often enough"))

const remove = Command.make("remove", { id, token, ...asking }, (options) =>
  Effect.gen(function* () {
    if (options.id === "") return yield* usage("ID must not be empty")
    const query = Option.match(options.token, { onNone: () => "", onSome: (token) => `?token=${token}` })
    yield* request(options, `/servers/${encodeURIComponent(options.id)}${query}`, { method: "DELETE" })
    if (options.json) yield* print(JSON.stringify({ id: options.id }))
  })
).pipe(Command.withDescription("take a server off the list; one that is not there is no fault"))

export const server = Command.make("server").pipe(
  Command.withDescription("programs that can be found here: list, register, remove"),
  Command.withSubcommands([list, register, heartbeat, remove])
)
