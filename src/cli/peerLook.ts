/** The verbs of `mound peer` that only look: list, why, runtimes. */
import { Args, Command } from "@effect/cli"
import { Effect, Option } from "effect"
import { environment, workingDirectory } from "../config/process.js"
import { loadSettings } from "../config/Settings.js"
import { findWorkspace } from "../config/workspace.js"
import type { PeerRow, PresenceRow, ServerRow, Why } from "../http/peersApi.js"
import { ask, asking, given } from "./ask.js"
import type { Client } from "./Client.js"
import { json, optionalText, workspace } from "./common.js"
import { localTime, print, table } from "./output.js"
import { peerName } from "./peerRegister.js"

const at = optionalText("at", "as of an offset or an ISO 8601 date")

const allRows = ({ peers }: Client, moment: { readonly at?: string }) =>
  Effect.gen(function* () {
    const rows: Array<PeerRow | PresenceRow | ServerRow> = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = yield* peers.registry({
        urlParams: { limit: 1_000, ...moment, ...(cursor !== undefined && { cursor }) }
      })
      rows.push(...page.rows)
      cursor = page.next
    }
    return rows
  })

/** A peer with its presences, in the words of the old system and ours. */
const toListed = (rows: ReadonlyArray<PeerRow | PresenceRow | ServerRow>) => {
  const presences = rows.filter((row): row is PresenceRow => row.kind === "presence")
  return rows
    .filter((row): row is PeerRow => row.kind === "peer")
    .map(({ personality, defaultRuntime, intelligence, description, cwd, runtimes }) => {
      const own = presences.filter((row) => row.personality === personality)
      const [newest] = own
        .filter(({ lastActiveAt }) => lastActiveAt !== null)
        .sort((a, b) => (b.lastActiveAt ?? 0) - (a.lastActiveAt ?? 0))
      return {
        personality,
        default_runtime: defaultRuntime,
        ...(newest && { last_active_runtime: newest.runtime }),
        intelligence,
        description,
        cwd,
        runtimes: runtimes.map((runtime) => {
          const presence = own.find((row) => row.runtime === runtime)
          const heldUntil = presence?.heldUntil ?? null
          return {
            runtime,
            status: presence?.status ?? "asleep",
            state: presence?.state ?? "asleep.neverRun",
            since: presence?.since ?? null,
            queueDepth: presence?.queueDepth ?? 0,
            ...(heldUntil !== null && { heldUntil })
          }
        })
      }
    })
}

export const list = Command.make("list", { at, ...asking }, (options) =>
  ask(
    options,
    given({ at: options.at }),
    (client, moment) => Effect.map(allRows(client, moment), toListed),
    (listed) =>
      listed.length === 0
        ? ""
        : table(
            ["PEER", "RUNTIME", "STATUS", "STATE", "SINCE", "QUEUE", "DESCRIPTION"],
            listed.flatMap(({ personality, description, runtimes }) =>
              runtimes.map(({ runtime, status, state, since, queueDepth }) => [
                personality,
                runtime,
                status,
                state,
                since === null ? null : localTime(since),
                queueDepth,
                description
              ])
            )
          )
  )
).pipe(Command.withDescription("who there is, and how they are"))

const told = ({ offset, at, type, data }: { offset: number; at: number; type: string; data: unknown }) =>
  `${offset}  ${localTime(at)}  ${type}  ${JSON.stringify(data)}`

const whyText = (why: Why): string => {
  const { decision, lastEnd, deaths, heldUntil, queue, nextDeadline } = why
  return [
    `${why.identity} is ${why.state} since ${localTime(why.since)} (offset ${why.offset})`,
    ...(decision
      ? [
          `started so: ${told(decision)}`,
          ...(decision.row === null ? [] : [`  because ${decision.row}`]),
          ...decision.basis.map((event) => `  from ${event.stream}  ${told(event)}`)
        ]
      : ["never started"]),
    ...(lastEnd ? [`last end: ${told(lastEnd)}`] : []),
    ...deaths.map((death) => `death: ${death.offset}  ${localTime(death.at)}`),
    ...(heldUntil === null ? [] : [`held until ${localTime(heldUntil)}`]),
    ...queue.map(
      ({ messageId, state, offset, at: since }) => `${state}: ${messageId}  ${offset}  ${localTime(since)}`
    ),
    ...(nextDeadline ? [`next: ${nextDeadline.type} at ${localTime(nextDeadline.at)}`] : [])
  ].join("\n")
}

export const why = Command.make(
  "why",
  { name: peerName, runtime: Args.text({ name: "RUNTIME" }).pipe(Args.optional), at, ...asking },
  (options) =>
    ask(
      options,
      given({ runtime: options.runtime, at: options.at }),
      ({ peers }, urlParams) => peers.why({ path: { personality: options.name }, urlParams }),
      whyText
    )
).pipe(Command.withDescription("why it is as it is: the events that its state rests on"))

export const runtimes = Command.make("runtimes", { workspace, json }, (options) =>
  Effect.gen(function* () {
    const folder = yield* findWorkspace(
      Option.getOrUndefined(options.workspace),
      environment,
      workingDirectory
    )
    const { settings } = yield* loadSettings({ workspace: folder, environment })
    const configured = [...settings["peers.runtimes"]].map(([name, runtime]) => ({ name, ...runtime }))
    yield* print(
      options.json
        ? JSON.stringify(configured, (_, value: unknown) => (value instanceof RegExp ? value.source : value))
        : table(
            ["RUNTIME", "HOST", "COMMAND", "RESUME"],
            configured.map(({ name, host, argv, resumeArgv }) => [
              name,
              host,
              argv.join(" ") || "(the peer's own)",
              resumeArgv.join(" ") || null
            ])
          )
    )
  })
).pipe(Command.withDescription("the ways to run peers that are configured"))
