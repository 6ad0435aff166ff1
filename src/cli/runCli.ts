/** Runs the command line: finds the verb, tells what failed and what to do about it, and sets the exit code. */
import { stripVTControlCharacters } from "node:util"
import { CliConfig, Command, ValidationError } from "@effect/cli"
import { NodeContext } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Logger, LogLevel } from "effect"
import { version } from "../version.js"
import { type CliFailure, toCliFailure } from "./CliFailure.js"

/** Verb groups. Only the one that is called is loaded, so that a small verb answers at once. */
const groups = {
  dev: () => import("./dev.js").then(({ dev }) => dev),
  init: () => import("./init.js").then(({ init }) => init),
  validate: () => import("./validate.js").then(({ validate }) => validate),
  blob: () => import("./blob.js").then(({ blob }) => blob),
  sense: () => import("./sense.js").then(({ sense }) => sense),
  claim: () => import("./claim.js").then(({ claim }) => claim),
  ledger: () => import("./ledger.js").then(({ ledger }) => ledger),
  workflow: () => import("./workflow.js").then(({ workflow }) => workflow),
  journal: () => import("./journal.js").then(({ journal }) => journal)
}
type Group = keyof typeof groups

/** The whole of a binary's life; its exit code is the process's. */
export const runCli = (binary: "mound" | "journal", argv: ReadonlyArray<string>): void => {
  process.umask(0o077)
  // A reader that has seen enough, such as `head`, closes the pipe.
  process.stdout.on("error", () => process.exit(0))
  const asJson = argv.includes("--json")
  const program = Effect.flatMap(loadCommand(binary, argv), (run) => run(argv)).pipe(
    Effect.provide(NodeContext.layer),
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
    Logger.withMinimumLogLevel(LogLevel.Warning),
    Effect.provide(Logger.replace(Logger.defaultLogger, stderrLogger))
  )
  // Signals are the verbs' own affair: `dev` drains on the first one.
  Effect.runFork(withoutColours(program)).addObserver((exit) => {
    process.exit(Exit.isSuccess(exit) ? 0 : report(exit.cause, asJson))
  })
}

const loadCommand = (binary: "mound" | "journal", argv: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    if (binary === "journal") return Command.run(await groups.journal(), { name: "journal", version })
    const called = argv.slice(2).find((argument) => !argument.startsWith("-"))
    const wanted =
      called !== undefined && called in groups ? [called as Group] : (Object.keys(groups) as Array<Group>)
    const [first, ...others] = await Promise.all(wanted.map((group) => groups[group]()))
    const root = Command.make("mound").pipe(
      Command.withDescription("an event-sourced hub for a fleet of agents"),
      Command.withSubcommands([first as Awaited<ReturnType<(typeof groups)[Group]>>, ...others])
    )
    return Command.run(root, { name: "mound", version })
  })

/** Prints why a verb failed. What was wrong with the arguments has been printed already. */
const report = (cause: Cause.Cause<unknown>, asJson: boolean): number => {
  const error = Cause.squash(cause)
  if (ValidationError.isValidationError(error)) return 2
  const failure = toCliFailure(error)
  process.stderr.write(
    `mound: ${failure.message}\n${failure.fix === undefined ? "" : `fix: ${failure.fix}\n`}`
  )
  if (asJson) process.stdout.write(`${JSON.stringify(toJson(failure))}\n`)
  return failure.exitCode
}

const toJson = ({ tag, message, fix, fields }: CliFailure) => ({
  _tag: tag,
  message,
  ...(fix !== undefined && { fix }),
  ...fields
})

const stderrLogger = Logger.make(({ logLevel, message }) => {
  const text = Array.isArray(message) ? message.join(" ") : String(message)
  process.stderr.write(`${logLevel.label.toLowerCase()}: ${text}\n`)
})

/** Help is made for a terminal, colours included; a pipe gets the bare text. */
const withoutColours = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => {
    const plain = (text: unknown) => (typeof text === "string" ? stripVTControlCharacters(text) : text)
    return Effect.withConsole(program, {
      ...console,
      log: (...texts) => console.log(...(process.stdout.isTTY ? texts : texts.map(plain))),
      error: (...texts) => console.error(...(process.stderr.isTTY ? texts : texts.map(plain)))
    })
  })
