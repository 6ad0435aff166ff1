/** `mound workflow`: runs from the shell (contracts: senses and workflows 5). Each verb is a request to the hub, or a few. */
import { Args, Command, Options } from "@effect/cli"
import { Clock, Effect, Option } from "effect"
import type { JournalEvent } from "../http/JournalEvent.js"
import { threadText } from "../http/threadText.js"
import type { RunRow } from "../http/workflowApi.js"
import { ask, asking, given } from "./ask.js"
import { type Client, connect, explainFailure } from "./Client.js"
import { CliFailure, usage } from "./CliFailure.js"
import { durationOf, optionalInteger, optionalText } from "./common.js"
import { eventLine } from "./eventLine.js"
import { print, say, span, table } from "./output.js"
import { runLine } from "./runLines.js"

const run = Args.text({ name: "RUN" })
const statuses = [
  "all",
  "queued",
  "running",
  "started",
  "suspended",
  "completed",
  "failed",
  "crashed",
  "interrupted",
  "killed",
  "dropped"
] as const

const defaultRows = 50
const maxRows = 500
const pageSize = 1_000
const followMs = 200
const longestWaitMs = 60_000

const list = Command.make(
  "list",
  {
    all: Options.boolean("all").pipe(Options.withDescription("also runs that have ended")),
    workflow: optionalText("workflow", "only runs of this workflow"),
    status: Options.choice("status", statuses).pipe(Options.optional),
    limit: Options.integer("limit").pipe(Options.withDefault(defaultRows)),
    offset: Options.integer("offset").pipe(
      Options.withDefault(0),
      Options.withDescription("leave so many of the newest out")
    ),
    ...asking
  },
  (options) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      ask(
        options,
        Effect.gen(function* () {
          const limit = options.limit + options.offset
          if (options.limit < 1 || options.offset < 0 || limit > maxRows)
            return yield* usage(`--limit and --offset together must be from 1 to ${maxRows}`)
          const status = options.all ? Option.some("all" as const) : options.status
          return given({ limit, status, workflow: options.workflow })
        }),
        ({ runs }, urlParams) =>
          Effect.map(runs.listRuns({ urlParams }), (page) => ({
            ...page,
            rows: page.rows.slice(options.offset)
          })),
        ({ rows }) =>
          table(
            ["RUN", "WORKFLOW", "STATUS", "EXIT", "ROUNDS", "ROLE", "AGE"],
            rows.map((row) => [
              row.runId,
              row.workflow,
              row.status,
              row.exitCode,
              row.rounds,
              row.role,
              span(Math.max(0, now - row.requestedAt))
            ])
          )
      )
    )
).pipe(Command.withDescription("runs as a table, the newest first; open ones only by default"))

/** Every event of a run after a cursor. */
const eventsOf = ({ runs }: Client, id: string, from = 0) =>
  Effect.gen(function* () {
    const events: Array<EventRow> = []
    for (let cursor: number | null = from; cursor !== null; ) {
      const { rows, next }: { rows: ReadonlyArray<EventRow>; next: string | null } = yield* runs.runEvents({
        path: { id },
        urlParams: { cursor, limit: pageSize }
      })
      events.push(...rows)
      cursor = next === null ? null : Number(next)
    }
    return events
  })

type EventRow = typeof JournalEvent.Type

const inspectWith = (name: string) =>
  Command.make(
    name,
    {
      run,
      limit: optionalInteger("limit", "at most so many events"),
      offset: Options.integer("offset").pipe(
        Options.withDefault(0),
        Options.withDescription("leave so many of the first events out")
      ),
      ...asking
    },
    (options) =>
      ask(
        options,
        {},
        (client) =>
          Effect.gen(function* () {
            const row = yield* client.runs.showRun({ path: { id: options.run }, urlParams: {} })
            const events = yield* eventsOf(client, options.run)
            const end = Option.match(options.limit, {
              onNone: () => events.length,
              onSome: (limit) => options.offset + limit
            })
            return { run: row, events: events.slice(options.offset, end) }
          }),
        ({ run, events }) => [JSON.stringify(run, null, 2), ...events.map(lineOf)].join("\n")
      )
  )

const lineOf = (event: EventRow): string => eventLine({ ...event, dataJson: JSON.stringify(event.data) })

const inspect = inspectWith("inspect").pipe(Command.withDescription("a run, then its events"))
const show = inspectWith("show").pipe(Command.withDescription("the same as inspect"))

const thread = Command.make(
  "thread",
  {
    run,
    before: optionalInteger("before", "the page of rounds that ends before this one"),
    budget: optionalInteger("budget", "about how many characters, 8000 by default"),
    ...asking
  },
  (options) =>
    ask(
      options,
      given({ before: options.before, budget: options.budget }),
      ({ runs }, urlParams) => runs.thread({ path: { id: options.run }, urlParams }),
      (page) =>
        threadText(
          page.rounds.map((round) => ({ ...round, meta: round.meta as { [name: string]: unknown } })),
          page,
          Option.isNone(options.before)
        ).trimEnd()
    )
).pipe(Command.withDescription("what a run's roles said, the newest rounds first to be shown"))

const trigger = Command.make(
  "trigger",
  {
    workflow: Args.text({ name: "WORKFLOW" }),
    payload: optionalText("payload", "JSON with prompt, maxRounds, dryRun"),
    prompt: optionalText("prompt", "what the run is about"),
    maxRounds: optionalInteger("max-rounds", "rounds after which the run fails"),
    dryRun: Options.boolean("dry-run").pipe(Options.withDescription("handed on to the roles")),
    wait: optionalText("wait", "wait so long for its end, such as 30s; then exit 1 unless it completed"),
    follow: Options.boolean("follow").pipe(
      Options.withAlias("f"),
      Options.withDescription("show what happens until its end, and exit with its exit code")
    ),
    ...asking
  },
  (options) =>
    Effect.gen(function* () {
      const asked = yield* payloadOf(options)
      const waitMs = yield* durationOf("wait", options.wait)
      const client = yield* connect(options)
      const fate = yield* client.workflows.requestRun({ path: { name: options.workflow }, payload: asked })
      if (options.follow) return yield* followRun(client, fate.runId, options.json)
      const row = waitMs === undefined ? undefined : yield* waitFor(client, fate.runId, waitMs)
      const status = row?.status ?? fate.status
      yield* print(options.json ? JSON.stringify(row ?? fate) : `${fate.runId}\t${status}`)
      const isDone = row ? row.status === "completed" : fate.status !== "dropped"
      if (isDone) return
      const message = row ? `the run is ${row.status}` : `the run was dropped: ${fate.reason}`
      return yield* new CliFailure({ tag: "NotCompleted", message, exitCode: 1, isAnswered: true })
    }).pipe(Effect.mapError(explainFailure))
).pipe(Command.withDescription("start a run; prints its id and whether it runs, waits or was dropped"))

const payloadKeys: ReadonlySet<string> = new Set(["prompt", "maxRounds", "dryRun"])

const payloadOf = (options: {
  readonly payload: Option.Option<string>
  readonly prompt: Option.Option<string>
  readonly maxRounds: Option.Option<number>
  readonly dryRun: boolean
}) =>
  Effect.gen(function* () {
    const payload = Option.isSome(options.payload)
      ? yield* parsePayload("payload", options.payload.value)
      : {}
    const unknown = Object.keys(payload).find((key) => !payloadKeys.has(key))
    if (unknown !== undefined)
      return yield* usage(`--payload: ${unknown} is not one of prompt, maxRounds, dryRun`)
    const asked = {
      ...payload,
      ...given({ prompt: options.prompt, maxRounds: options.maxRounds }),
      ...(options.dryRun && { dryRun: true })
    } as { readonly prompt?: unknown }
    if (typeof asked.prompt !== "string") return yield* usage("a run needs a prompt: --prompt TEXT")
    return asked as { readonly prompt: string; readonly maxRounds?: number; readonly dryRun?: boolean }
  })

const parsePayload = (name: string, text: string): Effect.Effect<object, CliFailure> =>
  Effect.try({
    try: () => {
      const value: unknown = JSON.parse(text)
      if (typeof value !== "object" || value === null || Array.isArray(value))
        throw new Error("must be an object")
      return value
    },
    catch: (error) => usage(`--${name}: ${error instanceof Error ? error.message : error}`)
  })

/** The run as it is when it has ended, or when the time is up. */
const waitFor = ({ runs }: Client, id: string, waitMs: number) =>
  Effect.gen(function* () {
    let left = waitMs
    for (;;) {
      const wait = Math.min(left, longestWaitMs)
      const row: RunRow = yield* runs.showRun({ path: { id }, urlParams: { wait } })
      left -= wait
      if (row.endedAt !== null || left <= 0) return row
    }
  })

/** Prints what happens as it happens; data on stdout, words on stderr. Ends with the run, as the run did. */
const followRun = (client: Client, id: string, asJson: boolean) =>
  Effect.gen(function* () {
    let cursor = 0
    for (;;) {
      const row: RunRow = yield* client.runs.showRun({ path: { id }, urlParams: { wait: followMs } })
      const events: ReadonlyArray<EventRow> = yield* eventsOf(client, id, cursor)
      cursor = events.at(-1)?.offset ?? cursor
      yield* Effect.forEach(
        events,
        (event) => {
          const line = runLine(event)
          if (asJson) return print(JSON.stringify(event))
          return line === undefined ? Effect.void : say(line)
        },
        { discard: true }
      )
      if (row.endedAt === null) continue
      if (!asJson) yield* print(`${id}\t${row.status}`)
      if (row.status === "completed") return
      const message = `the run is ${row.status}${row.reason === null ? "" : `: ${row.reason}`}`
      const exitCode = row.exitCode || 1
      return yield* new CliFailure({ tag: "NotCompleted", message, exitCode, isAnswered: true })
    }
  })

const statusOf = ({ status }: { readonly status: string }) => status

const kill = Command.make(
  "kill",
  { run, reason: optionalText("reason", "why, for the journal"), ...asking },
  (options) =>
    ask(
      options,
      given({ reason: options.reason }),
      ({ runs }, payload) => runs.killRun({ path: { id: options.run }, payload }),
      statusOf
    )
).pipe(Command.withDescription("stop a run; prints its status"))

const resume = Command.make(
  "resume",
  {
    run,
    output: optionalText("output", 'JSON {"content": ..., "meta": ...}: what the step that is held came to'),
    ...asking
  },
  (options) =>
    ask(
      options,
      Effect.gen(function* () {
        if (Option.isNone(options.output)) return {}
        const output = yield* parsePayload("output", options.output.value)
        return { output: output as { readonly content: string } }
      }),
      ({ runs }, payload) => runs.resumeRun({ path: { id: options.run }, payload }),
      statusOf
    )
).pipe(Command.withDescription("let a run that crashed, was interrupted or is held go on"))

const reset = Command.make("reset", { workflow: Args.text({ name: "WORKFLOW" }), ...asking }, (options) =>
  ask(
    options,
    {},
    ({ workflows }) => workflows.resetWorkflow({ path: { name: options.workflow } }),
    ({ state }) => state
  )
).pipe(Command.withDescription("close a workflow's circuit"))

const reload = Command.make("reload", { workflow: Args.text({ name: "WORKFLOW" }), ...asking }, (options) =>
  Effect.gen(function* () {
    const { workflows } = yield* connect(options)
    const answer = yield* workflows.reloadWorkflow({ path: { name: options.workflow } })
    yield* print(options.json ? JSON.stringify(answer) : answer.state)
    if (answer.error === null) return
    const fix = "the old code goes on; mend the new code and reload again"
    const { error: message } = answer
    return yield* new CliFailure({ tag: "ReloadFailed", message, fix, exitCode: 1, isAnswered: true })
  }).pipe(Effect.mapError(explainFailure))
).pipe(Command.withDescription("go over to a workflow's code as it is now; prints the state"))

export const workflow = Command.make("workflow").pipe(
  Command.withDescription("runs of workflows, step by step"),
  Command.withSubcommands([list, inspect, show, thread, trigger, kill, resume, reload, reset])
)
