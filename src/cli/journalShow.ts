/** The `journal` verbs that show events as they are recorded, and whether they still are as they were. */
import { Args, Command, Options } from "@effect/cli"
import { Effect } from "effect"
import { type Offset, type RecordedEvent, StreamId } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { verify as verifyStore } from "../events/verify.js"
import { CliFailure, failed, usage } from "./CliFailure.js"
import { json, stateDirOf, workspace } from "./common.js"
import { eventLine } from "./eventLine.js"
import { exportedFile, openGrowing, openMoment, openNamed } from "./journalStore.js"
import { makeProgress, print } from "./output.js"

const lineOf = (asJson: boolean) => (event: RecordedEvent) => (asJson ? event.json : eventLine(event))

const pageSize = 500
/** A follower in another process is not woken: it looks. */
const lookEveryMs = 200

export const tail = Command.make(
  "tail",
  {
    follow: Options.boolean("follow").pipe(
      Options.withAlias("f"),
      Options.withDescription("go on as events happen")
    ),
    limit: Options.integer("limit").pipe(
      Options.withAlias("n"),
      Options.withDefault(20),
      Options.withDescription("how many of the newest events to begin with, 20 by default")
    ),
    workspace,
    json: Options.boolean("json").pipe(Options.withDescription("print each event as one line of JSON"))
  },
  (options) =>
    Effect.gen(function* () {
      if (options.limit < 0) return yield* usage("--limit: must be 0 or more")
      const store = yield* Effect.flatMap(stateDirOf(options.workspace), openGrowing)
      const { offset: head } = yield* EventRows.head(store)
      const line = lineOf(options.json)
      let after = Math.max(0, head - options.limit) as Offset
      for (;;) {
        const page = yield* EventRows.readAfter(store, after, pageSize)
        yield* print(page.map(line).join("\n"))
        after = page.at(-1)?.offset ?? after
        if (page.length === pageSize) continue
        if (!options.follow) return
        yield* Effect.sleep(lookEveryMs)
      }
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("print the newest events, one line each; with -f go on"))

export const show = Command.make(
  "show",
  {
    target: Args.text({ name: "OFFSET|STREAM" }).pipe(
      Args.withDescription("one event by its offset, or a whole stream such as claim/x")
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const { target } = options
      const store = yield* Effect.flatMap(stateDirOf(options.workspace), openMoment)
      const isOffset = /^\d{1,15}$/.test(target)
      const events = isOffset
        ? yield* EventRows.readAfter(store, (Number(target) - 1) as Offset, 1)
        : yield* EventRows.readStreamAfter(store, StreamId.make(target), 0 as Offset, Number.MAX_SAFE_INTEGER)
      const [first] = events
      if (!first || (isOffset && first.offset !== Number(target))) {
        const { offset: head } = yield* EventRows.head(store)
        const what = isOffset ? `event at offset ${target}: the journal ends at ${head}` : `stream ${target}`
        return yield* failed("NotFound", `there is no ${what}`, "mound journal tail shows the newest events")
      }
      const parsed = events.map((event) => JSON.parse(event.json))
      if (isOffset) return yield* print(JSON.stringify(parsed[0], null, options.json ? undefined : 2))
      yield* print(options.json ? JSON.stringify(parsed) : events.map(eventLine).join("\n"))
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("print one event whole, or all events of a stream"))

export const verify = Command.make("verify", { file: exportedFile, workspace, json }, (options) =>
  Effect.gen(function* () {
    const store = yield* openNamed(options)
    const { offset: end } = yield* EventRows.head(store)
    const progress = makeProgress("verify")
    const startedAt = performance.now()
    const { fault, head } = yield* verifyStore(store, {
      onProgress: (offset) => progress.show(offset, end, startedAt)
    })
    if (options.json) {
      yield* print(JSON.stringify({ ok: !fault, events: head.offset, hash: head.hash, fault: fault ?? null }))
    }
    if (fault) {
      const { offset, reason, detail } = fault
      return yield* new CliFailure({
        tag: "JournalCorrupt",
        message: `first bad offset ${offset} (${reason}): ${detail}`,
        fix: `restore a backup, or keep what is sound: mound journal export --to ${offset - 1}, then import`,
        exitCode: 1,
        isAnswered: true
      })
    }
    if (!options.json) yield* print(`ok ${head.offset} events`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("check every hash, version and offset; names the first bad one"))
