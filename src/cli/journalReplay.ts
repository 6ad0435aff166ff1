/** `journal replay`: the past through today's code. Exit code 1 says that the two disagree. */
import { Command, Options } from "@effect/cli"
import { Effect, Option, Schema } from "effect"
import { kindOf, type Offset, StreamId } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { asOfRows } from "../replay/asOfRows.js"
import { makeFoldAside, worthwhileStretches } from "../replay/foldAside.js"
import { histories, knownEvents, projections } from "../replay/installed.js"
import { replay as replayStore } from "../replay/replay.js"
import { steps } from "../replay/steps.js"
import { CliFailure, failed, usage } from "./CliFailure.js"
import { json, optionalText, workspace } from "./common.js"
import { exportedFile, offsetOf, openNamed, type Store } from "./journalStore.js"
import { makeProgress, print } from "./output.js"
import { replayJson, replayReport, stepLines, stepsJson } from "./replayReport.js"

const threads = Options.integer("threads").pipe(
  Options.withSchema(Schema.Int.pipe(Schema.between(1, 64))),
  Options.withDescription("how many to fold with; by default as many as are worth it on this machine"),
  Options.optional
)

export const replay = Command.make(
  "replay",
  {
    file: exportedFile,
    stream: optionalText("stream", "tell one stream step by step, such as claim/x"),
    until: optionalText("until", "stop at an offset or an ISO 8601 date"),
    from: optionalText("from", "say nothing of what came before this offset or date"),
    projection: optionalText("projection", "print the rows of a projection as they were then"),
    threads,
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const store = yield* openNamed(options)
      const until = yield* offsetOf(store, "until", options.until)
      const from = yield* offsetOf(store, "from", options.from)
      const { offset: head } = yield* EventRows.head(store)
      const upTo = until ?? head
      if (upTo > head) {
        return yield* failed(
          "OffsetAhead",
          `the journal ends at offset ${head}`,
          "ask for an offset up to that"
        )
      }
      const stretches = Option.getOrElse(options.threads, () => worthwhileStretches(upTo))
      const part = { store, upTo, from, stretches, asJson: options.json }
      if (Option.isSome(options.stream)) return yield* tellStream(options.stream.value, part)
      if (Option.isSome(options.projection)) return yield* printRows(options.projection.value, part)
      yield* foldEverything(part, Option.isNone(options.file) && upTo === head)
    }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "fold the journal through today's machines and reducers; exit code 1 when they diverge"
  )
)

/** What of a journal is looked at, and how it is told. */
interface Part {
  readonly store: Store
  readonly upTo: Offset
  readonly from: Offset | undefined
  /** Folded side by side. */
  readonly stretches: number
  readonly asJson: boolean
}

const foldEverything = ({ store, upTo, from, stretches, asJson }: Part, isComparable: boolean) =>
  Effect.gen(function* () {
    const progress = makeProgress("replay")
    const startedAt = performance.now()
    const replayed = yield* replayStore(store, {
      histories,
      known: knownEvents,
      projections,
      upTo,
      from,
      compare: isComparable,
      stretches,
      aside: makeFoldAside(),
      onProgress: (events, total) => progress.show(events, total, startedAt)
    })
    const tookMs = performance.now() - startedAt
    yield* print(asJson ? JSON.stringify(replayJson(replayed, tookMs)) : replayReport(replayed, tookMs))
    const [first] = replayed.divergences
    if (first) {
      const { offset, stream, type, expected, actual } = first
      const states = `expected ${expected}, actual ${actual ?? "refused"}`
      return yield* diverged(`offset ${offset} of ${stream}: ${type}: ${states}`)
    }
    if (replayed.differences.length > 0) {
      return yield* new CliFailure({
        tag: "Diverged",
        message: "live rows are not what the journal makes them",
        fix: "make them anew: mound journal rebuild",
        exitCode: 1,
        isAnswered: true
      })
    }
  })

const diverged = (problem: string) =>
  new CliFailure({
    tag: "Diverged",
    message: problem,
    fix: "mend the code: it no longer fits the past that it is to go on from",
    exitCode: 1,
    isAnswered: true
  })

const tellStream = (name: string, { store, upTo, from, asJson }: Part) =>
  Effect.gen(function* () {
    const stream = StreamId.make(name)
    const history = histories.get(kindOf(stream))
    if (!history) {
      const kinds = [...histories.keys()].join(", ")
      return yield* usage(`--stream: there is no actor kind ${kindOf(stream)}`, `choose one of ${kinds}`)
    }
    const told = yield* steps(store, history, knownEvents, stream, upTo)
    if (told.length === 0) {
      return yield* failed(
        "UnknownStream",
        `${name} has no events up to offset ${upTo}`,
        "mound journal tail shows the newest streams"
      )
    }
    const wanted = told.filter(({ event }) => event.offset >= (from ?? 0))
    yield* print(asJson ? JSON.stringify(stepsJson(wanted)) : stepLines(wanted))
    const wrong = wanted.find(({ problem }) => problem !== null)
    if (wrong) {
      const { event, after, problem } = wrong
      const states = `expected ${event.state}, actual ${after ?? "refused"}`
      return yield* diverged(`offset ${event.offset} of ${stream}: ${event.type}: ${states} (${problem})`)
    }
  })

const printRows = (name: string, { store, upTo, asJson }: Part) =>
  Effect.gen(function* () {
    const rows = yield* asOfRows(store, name, upTo)
    if (!rows) {
      const known = projections.map(({ name }) => name).join(", ")
      return yield* usage(`--projection: there is no ${name}`, `choose one of ${known}`)
    }
    yield* print(asJson ? JSON.stringify(rows) : rows.map((row) => JSON.stringify(row)).join("\n"))
  })
