/** The `journal` verbs: they read the store itself, with the hub running or stopped, and write only where they say so. */
import { closeSync, existsSync, openSync, writeSync } from "node:fs"
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { writeExport } from "../events/Archive.js"
import { kindOf, type Offset, type RecordedEvent, StreamId } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { verify } from "../events/verify.js"
import { rebuildStopped } from "../hub/rebuildStopped.js"
import { restoreJournal } from "../hub/restoreJournal.js"
import { asOfRows } from "../replay/asOfRows.js"
import { histories, knownEvents, projections } from "../replay/installed.js"
import { replay } from "../replay/replay.js"
import { steps } from "../replay/steps.js"
import { backup } from "./backup.js"
import { CliFailure, usage } from "./CliFailure.js"
import { json, optionalInteger, optionalText, stateDirOf, workspace } from "./common.js"
import { eventLine } from "./eventLine.js"
import { offsetOf, openExport, openGrowing, openMoment } from "./journalStore.js"
import { makeProgress, print, say } from "./output.js"
import { replayJson, replayReport, stepLines, stepsJson } from "./replayReport.js"

const exportedFile = Args.file({ name: "FILE", exists: "yes" }).pipe(
  Args.withDescription("an exported journal instead of the workspace's"),
  Args.optional
)

const failed = (tag: string, message: string, fix?: string) =>
  new CliFailure({ tag, message, fix, exitCode: 1 })

const replayVerb = Command.make(
  "replay",
  {
    file: exportedFile,
    stream: optionalText("stream", "tell one stream step by step, such as claim/x"),
    until: optionalText("until", "stop at an offset or an ISO 8601 date"),
    from: optionalText("from", "say nothing of what came before this offset or date"),
    projection: optionalText("projection", "print the rows of a projection as they were then"),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const store = yield* Option.match(options.file, {
        onNone: () => Effect.flatMap(stateDirOf(options.workspace), openMoment),
        onSome: openExport
      })
      const until = yield* offsetOf(store, "until", options.until)
      const from = yield* offsetOf(store, "from", options.from)
      const { offset: head } = yield* EventRows.head(store)
      const upTo = until ?? head
      if (upTo > head) return yield* failed("OffsetAhead", `the journal ends at offset ${head}`)
      if (Option.isSome(options.stream)) {
        const told = yield* stepsOf(store, options.stream.value, upTo)
        const wanted = told.filter(({ event }) => event.offset >= (from ?? 0))
        yield* print(options.json ? JSON.stringify(stepsJson(wanted)) : stepLines(wanted))
        const wrong = wanted.find(({ problem }) => problem !== null)
        return wrong ? yield* diverged(`offset ${wrong.event.offset}: ${wrong.problem}`) : undefined
      }
      if (Option.isSome(options.projection)) {
        const rows = yield* asOfRows(store, options.projection.value, upTo)
        if (!rows) return yield* usage(`--projection: there is no ${options.projection.value}`)
        return yield* print(
          options.json ? JSON.stringify(rows) : rows.map((row) => JSON.stringify(row)).join("\n")
        )
      }
      const progress = makeProgress("replay")
      const startedAt = performance.now()
      const replayed = yield* replay(store, {
        histories,
        known: knownEvents,
        projections,
        upTo,
        from,
        compare: Option.isNone(options.file) && upTo === head,
        onProgress: (events, total) => progress.show(events, total, startedAt)
      })
      const tookMs = performance.now() - startedAt
      yield* print(
        options.json ? JSON.stringify(replayJson(replayed, tookMs)) : replayReport(replayed, tookMs)
      )
      const [first] = replayed.divergences
      if (first) {
        const { offset, stream, type, expected, actual } = first
        const states = `expected ${expected}, actual ${actual ?? "refused"}`
        return yield* diverged(`offset ${offset} of ${stream}: ${type}: ${states}`)
      }
      if (replayed.differences.length > 0)
        return yield* diverged("live rows are not what the journal makes them")
    }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "fold the journal through today's machines and reducers; exit code 1 when they diverge"
  )
)

const diverged = (problem: string) =>
  failed(
    "Diverged",
    problem,
    "the code has changed so that it no longer fits the past: mend it, or rebuild the rows"
  )

const stepsOf = (store: Parameters<typeof steps>[0], name: string, upTo: Offset) =>
  Effect.gen(function* () {
    const stream = StreamId.make(name)
    const history = histories.get(kindOf(stream))
    if (!history) return yield* usage(`--stream: there is no actor kind ${kindOf(stream)}`)
    const told = yield* steps(store, history, knownEvents, stream, upTo)
    return told.length > 0
      ? told
      : yield* failed("UnknownStream", `${name} has no events up to offset ${upTo}`)
  })

const lineOf = (asJson: boolean) => (event: RecordedEvent) => (asJson ? event.json : eventLine(event))

const tail = Command.make(
  "tail",
  {
    follow: Options.boolean("follow").pipe(
      Options.withAlias("f"),
      Options.withDescription("go on as events happen")
    ),
    limit: Options.integer("limit").pipe(
      Options.withAlias("n"),
      Options.withDefault(20),
      Options.withDescription("how many of the newest events to begin with")
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
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
        yield* Effect.sleep(pollMs)
      }
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("print the newest events, one line each; with -f go on"))

const pageSize = 500
const pollMs = 200

const show = Command.make(
  "show",
  { target: Args.text({ name: "OFFSET|STREAM" }), workspace, json },
  (options) =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(stateDirOf(options.workspace), openMoment)
      const isOffset = /^\d{1,15}$/.test(options.target)
      const events = isOffset
        ? yield* EventRows.readAfter(store, (Number(options.target) - 1) as Offset, 1)
        : yield* EventRows.readStreamAfter(
            store,
            StreamId.make(options.target),
            0 as Offset,
            Number.MAX_SAFE_INTEGER
          )
      if (events.length === 0) return yield* failed("NotFound", `there is no event ${options.target}`)
      const parsed = events.map((event) => JSON.parse(event.json))
      if (isOffset) return yield* print(JSON.stringify(parsed[0], null, options.json ? undefined : 2))
      yield* print(options.json ? JSON.stringify(parsed) : events.map(eventLine).join("\n"))
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("print one event whole, or all events of a stream"))

const verifyVerb = Command.make("verify", { file: exportedFile, workspace, json }, (options) =>
  Effect.gen(function* () {
    const store = yield* Option.match(options.file, {
      onNone: () => Effect.flatMap(stateDirOf(options.workspace), openMoment),
      onSome: openExport
    })
    const { offset: end } = yield* EventRows.head(store)
    const progress = makeProgress("verify")
    const startedAt = performance.now()
    const { fault, head } = yield* verify(store, {
      onProgress: (offset) => progress.show(offset, end, startedAt)
    })
    if (options.json)
      yield* print(JSON.stringify({ ok: !fault, events: head.offset, hash: head.hash, fault: fault ?? null }))
    if (fault) {
      const { offset, reason, detail } = fault
      return yield* failed(
        "JournalCorrupt",
        `first bad offset ${offset} (${reason}): ${detail}`,
        "restore a backup"
      )
    }
    if (!options.json) yield* print(`ok ${head.offset} events`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("check every hash, version and offset; names the first bad one"))

const rebuild = Command.make(
  "rebuild",
  {
    name: Args.text({ name: "PROJECTION" }).pipe(
      Args.withDescription("which; all of them when left out"),
      Args.optional
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const stateDir = yield* stateDirOf(options.workspace)
      const names = Option.match(options.name, {
        onNone: () => projections.map(({ name }) => name),
        onSome: (name) => [name]
      })
      const unknown = names.find((name) => !projections.some((each) => each.name === name))
      if (unknown !== undefined) return yield* usage(`there is no projection ${unknown}`)
      const rebuilt = yield* rebuildStopped(stateDir, names)
      if (options.json) return yield* print(JSON.stringify(rebuilt))
      for (const { name, rows, offset, liveDigest, digest } of rebuilt) {
        const verdict =
          digest === null ? "" : digest === liveDigest ? ", as it was" : ", OTHERWISE than it was"
        yield* print(`${name}: ${rows} rows at offset ${offset}${verdict}`)
      }
    })
).pipe(Command.withDescription("make projections anew from the journal; asks the hub if it runs"))

const exportVerb = Command.make(
  "export",
  {
    from: optionalInteger("from", "first offset, 1 by default"),
    to: optionalInteger("to", "last offset, the head by default"),
    stream: optionalText("stream", "one stream only; such a file cannot be imported"),
    out: optionalText("out", "a file to write instead of stdout; it must not exist"),
    workspace
  },
  (options) =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(stateDirOf(options.workspace), openMoment)
      const range = {
        from: Option.getOrUndefined(options.from) as Offset | undefined,
        to: Option.getOrUndefined(options.to) as Offset | undefined,
        stream: Option.getOrUndefined(options.stream) as StreamId | undefined
      }
      if (range.from !== undefined && range.from < 1) return yield* usage("--from: offsets begin at 1")
      const out = Option.getOrUndefined(options.out)
      if (out !== undefined && existsSync(out)) return yield* usage(`--out: ${out} exists already`)
      const descriptor = out === undefined ? process.stdout.fd : openSync(out, "wx", 0o600)
      const rows = yield* writeExport(store, range, (text) =>
        Effect.sync(() => void writeAll(descriptor, text))
      )
      if (out !== undefined) closeSync(descriptor)
      yield* say(`${rows} events exported`)
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("write the journal, or a part of it, as one JSON line an event"))

/** A pipe may take less than all at a time. */
const writeAll = (descriptor: number, text: string): void => {
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      if ((error as { readonly code?: string }).code !== "EAGAIN") throw error
    }
  }
}

const importVerb = Command.make(
  "import",
  {
    file: Args.path({ name: "FILE|DIR", exists: "yes" }).pipe(
      Args.withDescription("a whole export, or the folder of a backup")
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const stateDir = yield* stateDirOf(options.workspace)
      const restored = yield* restoreJournal(stateDir, options.file)
      yield* say(
        "leases were revoked, since the world has moved on; tokens may restart below ones that an outside fence has seen"
      )
      yield* print(options.json ? JSON.stringify(restored) : String(restored.offset))
    })
).pipe(
  Command.withDescription("make a journal from a whole export or a backup, in a workspace that has none")
)

export const journal = Command.make("journal").pipe(
  Command.withDescription("what happened, why, and what would happen with today's code"),
  Command.withSubcommands([replayVerb, tail, show, verifyVerb, rebuild, exportVerb, importVerb, backup])
)
