/** `mound ledger`: care for the ledger as a whole. */
import { Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { connect, connection, explainFailure } from "./Client.js"
import { json } from "./common.js"
import { print } from "./output.js"

const sweep = Command.make(
  "sweep",
  {
    floor: Options.float("floor").pipe(
      Options.withDescription("evaporate below this intensity; by default the configured one"),
      Options.optional
    ),
    dryRun: Options.boolean("dry-run").pipe(Options.withDescription("only say what would be dropped")),
    ...connection,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const client = yield* connect(options)
      const floor = Option.getOrUndefined(options.floor)
      const payload = { ...(floor !== undefined && { floor }), ...(options.dryRun && { dryRun: true }) }
      yield* print(JSON.stringify(yield* client.ledger.sweep({ payload })))
    }).pipe(Effect.mapError(explainFailure))
).pipe(Command.withDescription("evaporate finished and forgotten marks that have faded"))

export const ledger = Command.make("ledger").pipe(
  Command.withDescription("care for the ledger as a whole"),
  Command.withSubcommands([sweep])
)
