/** `mound ledger`: care for the ledger as a whole. */
import { Command, Options } from "@effect/cli"
import { ask, asking, given } from "./ask.js"

const sweep = Command.make(
  "sweep",
  {
    floor: Options.float("floor").pipe(
      Options.withDescription("evaporate below this intensity; by default the configured one"),
      Options.optional
    ),
    dryRun: Options.boolean("dry-run").pipe(Options.withDescription("only say what would be dropped")),
    ...asking
  },
  (options) =>
    ask(
      options,
      given({ floor: options.floor, dryRun: options.dryRun }),
      ({ ledger }, payload) => ledger.sweep({ payload }),
      JSON.stringify
    )
).pipe(Command.withDescription("evaporate finished and forgotten marks that have faded"))

export const ledger = Command.make("ledger").pipe(
  Command.withDescription("care for the ledger as a whole"),
  Command.withSubcommands([sweep])
)
