/** `mound logs`: the hub log, older files included, with the hub running or stopped; `--follow` goes on across rotation. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs"
import { Command, Options } from "@effect/cli"
import { Effect, Option, Schema } from "effect"
import { duration } from "../config/parsers.js"
import { type LogLevel, logLevels } from "../config/Settings.js"
import { logPath } from "../hub/hubLog.js"
import { rawOutputPath } from "../hub/launchHub.js"
import { CliFailure, usage } from "./CliFailure.js"
import { json, optionalText, stateDirOf, workspace } from "./common.js"
import { localTime, print } from "./output.js"

const pollMs = 200
const maxOlder = 1_000

const options = {
  follow: Options.boolean("follow").pipe(
    Options.withAlias("f"),
    Options.withDescription("go on as lines come")
  ),
  since: optionalText("since", "no older than this: an ISO 8601 date, or a span such as 10m"),
  level: Options.choice("level", logLevels).pipe(
    Options.optional,
    Options.withDescription("this level and graver ones")
  ),
  event: Options.choice("event", ["rpc", "hook", "lifecycle", "error"]).pipe(
    Options.optional,
    Options.withDescription("one sort of line only")
  ),
  limit: Options.integer("limit").pipe(
    Options.withAlias("n"),
    Options.withDefault(200),
    Options.withDescription("how many of the newest lines to begin with")
  ),
  err: Options.boolean("err").pipe(Options.withDescription("the raw output of a background hub instead")),
  workspace,
  json
}

export const logs = Command.make("logs", options, (given) =>
  Effect.gen(function* () {
    const stateDir = yield* stateDirOf(given.workspace)
    const path = given.err ? rawOutputPath(stateDir) : logPath(stateDir)
    if (!existsSync(path)) {
      return yield* new CliFailure({
        tag: "NoLog",
        message: `there is no log at ${path}`,
        fix: "mound start",
        exitCode: 1
      })
    }
    const filter = given.err ? () => true : yield* filterOf(given)
    const shown = given.err || given.json ? (line: string) => line : readable
    const show = (lines: ReadonlyArray<string>) => print(lines.map(shown).join("\n"))
    const tail = new LogTail(path)
    const written = [...(given.err ? [] : olderLines(path)), ...tail.read()].filter(filter)
    yield* show(written.slice(Math.max(0, written.length - given.limit)))
    while (given.follow) {
      yield* Effect.sleep(pollMs)
      yield* show(tail.read().filter(filter))
    }
  })
).pipe(Command.withDescription("the newest lines of the hub log"))

interface Wanted {
  readonly since: Option.Option<string>
  readonly level: Option.Option<LogLevel>
  readonly event: Option.Option<string>
}

const Line = Schema.parseJson(
  Schema.Struct(
    { ts: Schema.String, level: Schema.Literal(...logLevels), event: Schema.String },
    { key: Schema.String, value: Schema.Unknown }
  )
)
const decodeLine = Schema.decodeOption(Line)

const filterOf = ({ since, level, event }: Wanted) =>
  Effect.gen(function* () {
    const least = Option.match(level, { onNone: () => 0, onSome: (word) => logLevels.indexOf(word) })
    const from = Option.isNone(since) ? 0 : yield* instantOf(since.value)
    return (text: string): boolean => {
      const line = Option.getOrUndefined(decodeLine(text))
      // A line that is no entry is shown rather than kept from the reader.
      if (!line) return true
      const isGrave = logLevels.indexOf(line.level) >= least
      return (
        isGrave && Date.parse(line.ts) >= from && Option.getOrElse(event, () => line.event) === line.event
      )
    }
  })

const instantOf = (text: string): Effect.Effect<number, CliFailure> =>
  Effect.flatMap(Effect.clock, (clock) => {
    const back = duration(0, Number.MAX_SAFE_INTEGER)(text)
    if ("value" in back) return Effect.succeed(clock.unsafeCurrentTimeMillis() - back.value)
    const at = Date.parse(text)
    return Number.isNaN(at)
      ? usage(`--since: must be an ISO 8601 date or a span such as 10m, not ${text}`)
      : Effect.succeed(at)
  })

/** `2026-03-01 10:00:00.123 INFO  rpc  claim.ClaimWork agent=ada task=w1`. */
const readable = (text: string): string => {
  const line = Option.getOrUndefined(decodeLine(text))
  if (!line) return text
  const { ts, level, event, rpc, type, boot: _, ...rest } = line
  const words = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`)
  return [localTime(Date.parse(ts)), level.padEnd(5), event, rpc ?? type ?? "", ...words].join("  ")
}

/** The lines of the files that were moved aside, oldest first. */
const olderLines = (path: string): ReadonlyArray<string> => {
  let count = 0
  while (count < maxOlder && existsSync(`${path}.${count + 1}`)) count += 1
  return Array.from({ length: count }, (_, index) => `${path}.${count - index}`).flatMap((older) =>
    linesOf(readFileSync(older, "utf8"))
  )
}

const linesOf = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

/** Reads a file's lines as they come, and goes over to the new file when it was moved aside. */
class LogTail {
  #descriptor: number
  #rest = Buffer.alloc(0)

  constructor(private readonly path: string) {
    this.#descriptor = openSync(path, "r")
  }

  /** The whole lines since the last reading. */
  read(): ReadonlyArray<string> {
    const lines = [...this.#readOpen()]
    while (fstatSync(this.#descriptor).ino !== statSync(this.path, { throwIfNoEntry: false })?.ino) {
      if (!existsSync(this.path)) break
      closeSync(this.#descriptor)
      this.#descriptor = openSync(this.path, "r")
      lines.push(...this.#readOpen())
    }
    return lines
  }

  #readOpen(): ReadonlyArray<string> {
    const buffer = Buffer.allocUnsafe(64 * 1024)
    const chunks: Array<Buffer> = [this.#rest]
    for (;;) {
      const count = readSync(this.#descriptor, buffer)
      if (count === 0) break
      chunks.push(Buffer.from(buffer.subarray(0, count)))
    }
    const bytes = Buffer.concat(chunks)
    const end = bytes.lastIndexOf("\n") + 1
    this.#rest = bytes.subarray(end)
    return linesOf(bytes.subarray(0, end).toString("utf8"))
  }
}
