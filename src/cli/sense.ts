/** `mound sense`: what is watched, from the shell (contracts: senses and workflows 5). Two of its verbs look into files and need no hub. */
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { describeDatabase, queryDatabase } from "../runtimes/readDatabase.js"
import { databasePath } from "../runtimes/senseDatabase.js"
import { ask, asking } from "./ask.js"
import { connect, explainFailure } from "./Client.js"
import { CliFailure, failed } from "./CliFailure.js"
import { durationOf, optionalText, stateDirOf } from "./common.js"
import { localTime, print, table } from "./output.js"

const name = Args.text({ name: "NAME" })

const time = (at: number | null): string | null => (at === null ? null : localTime(at))

const list = Command.make("list", asking, (options) =>
  ask(
    options,
    {},
    (client) => client.senses.senses(),
    ({ rows }) =>
      table(
        ["NAME", "GROUP", "STATE", "LAST OUTCOME", "LAST START", "NEXT DUE", "CIRCUIT"],
        rows.map((row) => [
          row.name,
          row.group,
          row.module === "loaded" ? row.state : `${row.state} (${row.module})`,
          row.lastOutcome,
          time(row.lastStartAt),
          time(row.dueAt),
          row.circuit
        ])
      )
  )
).pipe(Command.withDescription("the senses and how they do"))

const trigger = Command.make(
  "trigger",
  { name, wait: optionalText("wait", "wait so long for the compute to end, such as 30s"), ...asking },
  (options) =>
    Effect.gen(function* () {
      const wait = yield* durationOf("wait", options.wait)
      const client = yield* connect(options)
      const answer = yield* client.senses.triggerSense({
        path: { name: options.name },
        urlParams: wait === undefined ? {} : { wait }
      })
      if ("dueAt" in answer) {
        const { offset, dueAt } = answer
        yield* print(options.json ? JSON.stringify(answer) : `${offset}\t${localTime(dueAt)}`)
        if (wait !== undefined) return yield* tooLate
        return
      }
      const { outcome, payload, workflow, error } = answer
      const what = payload === undefined ? (workflow ?? error ?? "") : JSON.stringify(payload)
      yield* print(options.json ? JSON.stringify(answer) : `${outcome}${what && `\t${what}`}`)
      if (outcome === "failed" || outcome === "timed_out") return yield* computeFailed
    }).pipe(Effect.mapError(explainFailure))
).pipe(Command.withDescription("have a sense compute; prints the offset and when it is due"))

/** The answer has been printed; only the exit code is left to say. */
const answered = (tag: string, message: string) =>
  new CliFailure({ tag, message, exitCode: 1, isAnswered: true })
const tooLate = answered("WaitOver", "the compute had not ended in time")
const computeFailed = answered("ComputeFailed", "the compute failed")

const reset = Command.make("reset", { name, ...asking }, (options) =>
  ask(
    options,
    {},
    (client) => client.senses.resetSense({ path: { name: options.name } }),
    ({ state }) => state
  )
).pipe(Command.withDescription("close a sense's circuit, and load code anew that was broken"))

const refused = (error: unknown): CliFailure =>
  failed("QueryRefused", error instanceof Error ? error.message : String(error))

/** Rows as a table whose headings are their columns. */
const rowsTable = (rows: ReadonlyArray<{ readonly [column: string]: unknown }>): string => {
  const columns = Object.keys(rows[0] ?? {})
  return rows.length === 0
    ? ""
    : table(
        columns,
        rows.map((row) => columns.map((column) => row[column]))
      )
}

const query = Command.make(
  "query",
  {
    name,
    sql: Args.text({ name: "SQL" }).pipe(Args.optional),
    limit: Options.integer("limit").pipe(Options.withDefault(1_000), Options.withDescription("rows at most")),
    ...asking
  },
  (options) => {
    if (Option.isNone(options.sql)) {
      return ask(
        options,
        {},
        (client) => client.senses.signals({ urlParams: { sense: options.name, limit: 20 } }),
        ({ rows }) =>
          table(
            ["OFFSET", "AT", "PAYLOAD"],
            rows.map(({ offset, at, payload }) => [offset, localTime(at), JSON.stringify(payload)])
          )
      )
    }
    const sql = options.sql.value
    return Effect.gen(function* () {
      const stateDir = yield* stateDirOf(options.workspace)
      const rows = yield* Effect.try({
        try: () => queryDatabase(databasePath(stateDir, options.name), sql, options.limit),
        catch: (error) => refused(error)
      })
      yield* print(options.json ? JSON.stringify(rows) : rowsTable(rows))
    })
  }
).pipe(
  Command.withDescription("one reading statement on a sense's database; without one its latest 20 signals")
)

const schema = Command.make("schema", { name, ...asking }, (options) =>
  Effect.gen(function* () {
    const stateDir = yield* stateDirOf(options.workspace)
    const statements = yield* Effect.try({
      try: () => describeDatabase(databasePath(stateDir, options.name)),
      catch: (error) => refused(error)
    })
    yield* print(
      options.json ? JSON.stringify(statements) : statements.map((statement) => `${statement};`).join("\n")
    )
  })
).pipe(Command.withDescription("the CREATE statements of a sense's database"))

export const sense = Command.make("sense").pipe(
  Command.withDescription("what is watched: list, trigger and look into"),
  Command.withSubcommands([list, trigger, query, schema, reset])
)
