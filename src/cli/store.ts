/** `mound store`: the old name for keeping the journal small; the verb is `journal archive` itself. */
import { Command } from "@effect/cli"
import { archive } from "./journalArchive.js"

export const store = Command.make("store").pipe(
  Command.withDescription("the journal's files, as older workspaces call them"),
  Command.withSubcommands([archive])
)
