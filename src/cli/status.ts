/** `mound status` and `mound url`: what is known of a workspace's hub. They start nothing and write nothing (contracts: hub 5). */
import { Command } from "@effect/cli"
import { Effect, Option, Schema } from "effect"
import { HubStatus } from "../http/api.js"
import { askHub } from "../http/askHub.js"
import { type Discovery, discoverHub } from "../hub/discoverHub.js"
import { tokenIn } from "../hub/hubFile.js"
import { CliFailure } from "./CliFailure.js"
import { durationOf, json, optionalText, stateDirOf, workspace } from "./common.js"
import { localTime, print, span } from "./output.js"

const askMs = 2_000
const pollMs = 100

/** What the verb prints: the hub's own status record, or what can be known of one that does not answer. */
interface Found {
  readonly state: string
  readonly status: HubStatus | undefined
  readonly pid: number | null
}

const decodeStatus = Schema.decodeUnknown(HubStatus)

const look = (stateDir: string): Effect.Effect<Found> =>
  Effect.gen(function* () {
    const found = yield* discoverHub(stateDir)
    if (found.result !== "running") return unanswered(found)
    const { body } = yield* askHub(
      { ...found.hub, token: tokenIn(stateDir) },
      { method: "GET", path: "/hub", timeoutMs: askMs }
    )
    const status = Option.getOrUndefined(yield* Effect.option(decodeStatus(body)))
    return { state: status?.state ?? found.state, status, pid: found.hub.pid }
  }).pipe(
    Effect.catchTag("NoAnswer", () => Effect.succeed({ state: "unreachable", status: undefined, pid: null }))
  )

const unanswered = (found: Exclude<Discovery, { result: "running" }>): Found => ({
  state: found.result,
  status: undefined,
  pid: found.result === "unreachable" ? found.pid : null
})

const isWell = ({ state, status }: Found): boolean => state === "ready" && status?.health !== "failing"

export const status = Command.make(
  "status",
  {
    wait: optionalText("wait", "wait so long for the hub to become ready, such as 30s"),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const stateDir = yield* stateDirOf(options.workspace)
      const waitMs = (yield* durationOf("wait", options.wait)) ?? 0
      const ready = look(stateDir).pipe(
        Effect.delay(pollMs),
        Effect.repeat({ until: isWell }),
        Effect.timeoutOption(waitMs)
      )
      const first = yield* look(stateDir)
      const found = isWell(first) || waitMs === 0 ? first : Option.getOrElse(yield* ready, () => first)
      yield* print(
        options.json ? JSON.stringify(found.status ?? { state: found.state, pid: found.pid }) : lines(found)
      )
      if (isWell(found)) return
      return yield* new CliFailure({ ...unwell(found), exitCode: 1, isAnswered: true })
    })
).pipe(Command.withDescription("how the hub is; exit code 0 when it is ready and not failing"))

const unwell = ({ state, status }: Found) => {
  if (status)
    return {
      tag: "HubFailing",
      message: `the hub is ${state}, its health ${status.health}`,
      fix: "curl $(mound url)/health"
    }
  return state === "stopped"
    ? { tag: "HubNotRunning", message: "no hub runs in this workspace", fix: "mound start" }
    : {
        tag: "HubUnreachable",
        message: "a hub holds this workspace and does not answer",
        fix: "mound logs --err; mound stop ends it"
      }
}

const lines = ({ state, status, pid }: Found): string => {
  if (!status) return `state   ${state}${pid === null ? "" : `\npid     ${pid}`}`
  const { counts, lastCommandAt } = status
  return [
    `state   ${state}`,
    `health  ${status.health}`,
    `url     ${status.url}`,
    `pid     ${status.pid}`,
    `up      ${span(status.uptimeMs)}, boot ${status.boots}, the one before it ended ${status.lastBoot ?? "-"}`,
    `offset  ${status.offset}`,
    `counts  ${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ")}`,
    `used    ${lastCommandAt === null ? "no command yet" : localTime(lastCommandAt)}`
  ].join("\n")
}

export const url = Command.make("url", { workspace, json }, (options) =>
  Effect.gen(function* () {
    const stateDir = yield* stateDirOf(options.workspace)
    const found = yield* discoverHub(stateDir)
    if (found.result !== "running")
      return yield* new CliFailure({ ...unwell(unanswered(found)), exitCode: 1 })
    yield* print(options.json ? JSON.stringify({ url: found.hub.url }) : found.hub.url)
  })
).pipe(Command.withDescription("the url of the hub, if one answers"))
