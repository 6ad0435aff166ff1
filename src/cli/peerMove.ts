/** The verbs of `mound peer` that move presences: wake, new, stop, start, refresh, reset. */
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import type { PresenceOutcome } from "../http/peersApi.js"
import { type AskingOptions, asking, given } from "./ask.js"
import { type Client, connect, explainFailure } from "./Client.js"
import { CliFailure, usage } from "./CliFailure.js"
import { optionalText } from "./common.js"
import { print, span } from "./output.js"
import { peerName } from "./peerRegister.js"

export const runtime = Args.text({ name: "RUNTIME" }).pipe(Args.optional)
const topic = optionalText("topic", "what it is woken for: a known topic is gone on with")

/** A session may take its whole boot time; a stop its grace. */
export const startMs = 300_000
const stopMs = 60_000

interface Answer {
  readonly outcomes: ReadonlyArray<PresenceOutcome>
}

/** `boris (claude): live, resume (idle-reaped-resume) in 2.1s`. */
export const outcomeLine = (
  { personality, runtime, action, mode, cause, reason }: PresenceOutcome,
  tookMs?: number
) => {
  const how = mode === undefined ? "" : `, ${mode}${cause === undefined ? "" : ` (${cause})`}`
  const why = reason === undefined ? "" : `, ${reason}`
  const time = action === "live" && tookMs !== undefined ? ` in ${span(tookMs)}` : ""
  return `${personality} (${runtime}): ${action}${how}${why}${time}`
}

/** Runs a request for presences and prints a line for each. */
export const move = <E>(
  options: AskingOptions,
  request: (client: Client) => Effect.Effect<Answer, E>,
  isDone: (outcome: PresenceOutcome) => boolean = () => true
) =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const client = yield* connect(options)
    const answer = yield* request(client)
    const tookMs = performance.now() - startedAt
    yield* print(
      options.json
        ? JSON.stringify(answer)
        : answer.outcomes.map((outcome) => outcomeLine(outcome, tookMs)).join("\n")
    )
    const failed = answer.outcomes.find((outcome) => !isDone(outcome))
    if (!failed) return
    return yield* new CliFailure({
      tag: "NotReached",
      message: outcomeLine(failed),
      fix: `mound peer why ${failed.personality} ${failed.runtime}`,
      exitCode: 1
    })
  }).pipe(Effect.mapError(explainFailure))

const isLive = ({ action }: PresenceOutcome) => action === "live"

export const wake = Command.make(
  "wake",
  {
    name: peerName,
    runtime,
    fresh: Options.boolean("fresh").pipe(Options.withDescription("with a fresh session")),
    resume: Options.boolean("resume").pipe(Options.withDescription("with the last session, or not at all")),
    override: Options.boolean("override").pipe(Options.withDescription("also out of a crash loop")),
    topic,
    ...asking
  },
  (options) => {
    const { fresh, resume, override, name } = options
    if (fresh && resume) return Effect.fail(usage("--fresh and --resume exclude each other"))
    const intent = fresh ? ("fresh" as const) : resume ? ("resume" as const) : undefined
    return move(
      options,
      ({ peers }) =>
        peers.wakePeer({
          path: { personality: name },
          urlParams: { wait: startMs },
          payload: given({
            runtime: options.runtime,
            intent,
            override: override || undefined,
            topic: options.topic
          })
        }),
      isLive
    )
  }
).pipe(Command.withDescription("start a session now, and wait until it is ready"))

export const newSession = Command.make("new", { name: peerName, runtime, topic, ...asking }, (options) =>
  move(
    options,
    ({ peers }) =>
      peers.renewPeer({
        path: { personality: options.name },
        urlParams: { wait: startMs },
        payload: given({ runtime: options.runtime, topic: options.topic })
      }),
    isLive
  )
).pipe(Command.withDescription("end the session, if there is one, and start a fresh one"))

const named = {
  name: peerName.pipe(Args.optional),
  runtime,
  all: Options.boolean("all").pipe(Options.withDescription("every registered peer")),
  ...asking
}

interface NamedOptions extends AskingOptions {
  readonly name: Option.Option<string>
  readonly runtime: Option.Option<string>
  readonly all: boolean
}

export interface VerbRequest {
  readonly path: { readonly personality: string }
  readonly urlParams: { readonly wait?: number }
  readonly payload: { readonly runtime?: string }
}

/** The verb for one peer, or with `--all` for each. */
const forEach = <E>(
  options: NamedOptions,
  verb: (client: Client, request: VerbRequest) => Effect.Effect<Answer, E>,
  isDone?: (outcome: PresenceOutcome) => boolean
) => {
  if (options.all === Option.isSome(options.name)) return Effect.fail(usage("name a PEER, or say --all"))
  return move(
    options,
    (client) =>
      Effect.gen(function* () {
        const names = Option.isSome(options.name) ? [options.name.value] : yield* allPeers(client)
        const answers = yield* Effect.forEach(
          names,
          (personality) =>
            verb(client, {
              path: { personality },
              urlParams: { wait: stopMs },
              payload: given({ runtime: options.runtime })
            }),
          { concurrency: 16 }
        )
        return { outcomes: answers.flatMap(({ outcomes }) => outcomes) }
      }),
    isDone
  )
}

/** Every name, page by page. */
export const allPeers = ({ peers }: Client) =>
  Effect.gen(function* () {
    const names: Array<string> = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = yield* peers.registry({
        urlParams: { kind: "peer", limit: 1_000, ...(cursor !== undefined && { cursor }) }
      })
      names.push(...page.rows.flatMap((row) => (row.kind === "peer" ? [row.personality] : [])))
      cursor = page.next
    }
    return names
  })

export const stop = Command.make("stop", named, (options) =>
  forEach(
    options,
    ({ peers }, request) => peers.stopPeer(request),
    ({ action }) => action === "stopped"
  )
).pipe(Command.withDescription("end the session and keep it down until it is started again"))

export const start = Command.make("start", named, (options) =>
  forEach(options, ({ peers }, request) => peers.startPeer(request))
).pipe(Command.withDescription("let a stopped peer be woken again; starts nothing that is not owed"))

export const refresh = Command.make("refresh", named, (options) =>
  forEach(options, ({ peers }, request) => peers.refreshPeer(request))
).pipe(Command.withDescription("make the next session a fresh one"))

export const reset = Command.make("reset", named, (options) =>
  forEach(options, ({ peers }, request) => peers.resetPeer(request))
).pipe(Command.withDescription("lift the hold of a crash loop"))
