/** Runs the command line: finds the verb, tells what failed and what to do about it, and sets the exit code. */
import { CliConfig, Command, CommandDescriptor, ValidationError } from "@effect/cli"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Cause, Console, Effect, Exit, Logger, LogLevel } from "effect"
import { version } from "../version.js"
import { type CliFailure, toCliFailure, usage } from "./CliFailure.js"
import { helpText, optionsOf, textOf, verbsOf } from "./help.js"
import { print } from "./output.js"

/** Verb groups. Only the one that is called is loaded, so that a small verb answers at once. */
const groups = {
  start: () => import("./start.js").then(({ start }) => start),
  dev: () => import("./dev.js").then(({ dev }) => dev),
  stop: () => import("./stop.js").then(({ stop }) => stop),
  status: () => import("./status.js").then(({ status }) => status),
  url: () => import("./status.js").then(({ url }) => url),
  logs: () => import("./logs.js").then(({ logs }) => logs),
  doctor: () => import("./doctor.js").then(({ doctor }) => doctor),
  restart: () => import("./stop.js").then(({ restart }) => restart),
  init: () => import("./init.js").then(({ init }) => init),
  validate: () => import("./validate.js").then(({ validate }) => validate),
  claim: () => import("./claim.js").then(({ claim }) => claim),
  peer: () => import("./peer.js").then(({ peer }) => peer),
  token: () => import("./token.js").then(({ token }) => token),
  ledger: () => import("./ledger.js").then(({ ledger }) => ledger),
  sense: () => import("./sense.js").then(({ sense }) => sense),
  workflow: () => import("./workflow.js").then(({ workflow }) => workflow),
  server: () => import("./server.js").then(({ server }) => server),
  stream: () => import("./stream.js").then(({ stream }) => stream),
  store: () => import("./store.js").then(({ store }) => store),
  blob: () => import("./blob.js").then(({ blob }) => blob),
  journal: () => import("./journal.js").then(({ journal }) => journal)
}
type Group = keyof typeof groups
type Binary = "mound" | "journal"

/** The whole of a binary's life; its exit code is the process's. */
export const runCli = (binary: Binary, argv: ReadonlyArray<string>): void => {
  process.umask(0o077)
  // Whoever listened to these words is gone; that is no reason to end what they are about.
  process.stderr.on("error", () => {})
  const words = argv.slice(2)
  const program = run(binary, words).pipe(
    Effect.provide(NodeContext.layer),
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
    Logger.withMinimumLogLevel(LogLevel.Warning),
    Effect.provide(Logger.replace(Logger.defaultLogger, stderrLogger))
  )
  // Signals are the verbs' own affair: `dev` drains on the first one.
  Effect.runFork(program).addObserver((exit) => {
    process.exit(Exit.isSuccess(exit) ? process.exitCode : report(binary, exit.cause, ownWords(words)))
  })
}

/** The words of this program; what follows `--` is somebody else's command. */
const ownWords = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = words.indexOf("--")
  return end < 0 ? words : words.slice(0, end)
}

const run = (binary: Binary, words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const own = ownWords(words)
    if (own[0] === "--version") return yield* print(version)
    const { root, start } = yield* load(binary, own)
    const { name, path, verbs } = find(binary, root, own)
    const rest = own.slice(path.length)
    if (rest.includes("--help") || rest.includes("-h") || (verbs.length > 0 && rest.length === 0)) {
      return yield* print(yield* helpFor(binary, own))
    }
    const fix = `see ${name} --help`
    if (verbs.length > 0) return yield* usage(`${name} has no verb ${rest[0]}`, fix)
    yield* Effect.catchIf(quietly(start(["", "", ...own])), ValidationError.isValidationError, ({ error }) =>
      Effect.flatMap(helpOf(binary, root, path), (help) => {
        const unknown = unknownOption(optionsOf(help), rest)
        return usage(unknown === undefined ? textOf(error) : `${name} has no option ${unknown}`, fix)
      })
    )
  })

/** The help of the command that these words lead to. */
export const helpFor = (binary: Binary, words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { root } = yield* load(binary, words)
    const { name, path, verbs } = find(binary, root, words)
    return helpText(name, yield* helpOf(binary, root, path), verbs)
  })

const unknownOption = (known: ReadonlySet<string>, words: ReadonlyArray<string>): string | undefined =>
  words.map((word) => word.split("=")[0] as string).find((word) => /^--?[a-z]/.test(word) && !known.has(word))

const load = (binary: Binary, words: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    if (binary === "journal") return loaded(binary, await groups.journal())
    const [called = ""] = words
    const wanted = Object.hasOwn(groups, called) ? [called as Group] : (Object.keys(groups) as Array<Group>)
    const [first, ...others] = await Promise.all(wanted.map((group) => groups[group]()))
    return loaded(
      binary,
      Command.make("mound").pipe(
        Command.withDescription("an event-sourced hub for a fleet of agents"),
        Command.withSubcommands([first as Awaited<ReturnType<(typeof groups)[Group]>>, ...others])
      )
    )
  })

const loaded = <Name extends string, R, E, A>(binary: Binary, command: Command.Command<Name, R, E, A>) => ({
  root: command.descriptor as Descriptor,
  start: Command.run(command, { name: binary, version })
})

type Descriptor = CommandDescriptor.Command<unknown>

/** The command that the first words name, as deep as they lead, and its own verbs if it is a group. */
const find = (binary: Binary, root: Descriptor, words: ReadonlyArray<string>) => {
  const verbs = verbsOf(root)
  const startsWith = (path: ReadonlyArray<string>, beginning: ReadonlyArray<string>) =>
    beginning.every((word, index) => path[index] === word)
  const path = verbs.reduce<ReadonlyArray<string>>(
    (longest, verb) =>
      verb.path.length > longest.length && startsWith(words, verb.path) ? verb.path : longest,
    []
  )
  const under = verbs.filter((verb) => verb.path.length === path.length + 1 && startsWith(verb.path, path))
  return { name: [binary, ...path].join(" "), path, verbs: under }
}

/** Asking the library for help is how it tells of one command inside another. */
const helpOf = (binary: Binary, root: Descriptor, path: ReadonlyArray<string>) =>
  Effect.flatMap(
    CommandDescriptor.parse(root, [binary, ...path, "--help"], CliConfig.make({ showBuiltIns: false })),
    (directive) =>
      directive._tag === "BuiltIn" && directive.option._tag === "ShowHelp"
        ? Effect.succeed(directive.option)
        : Effect.dieMessage(`there is no help of ${path.join(" ")}`)
  )

/** The library prints what is wrong with the arguments by itself; here that is told like any other failure. */
const quietly = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => Effect.withConsole(program, { ...console, error: () => Effect.void }))

/** Prints why a verb failed, and answers with the exit code. */
const report = (binary: Binary, cause: Cause.Cause<unknown>, words: ReadonlyArray<string>): number => {
  const failure = toCliFailure(Cause.squash(cause))
  const fix = failure.fix === undefined ? "" : `fix: ${failure.fix}\n`
  process.stderr.write(`${binary}: ${failure.message}\n${fix}`)
  if (words.includes("--json") && !failure.isAnswered)
    process.stdout.write(`${JSON.stringify(toJson(failure))}\n`)
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
