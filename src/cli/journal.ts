/** The `journal` verbs: they read the store itself, with the hub running or stopped, and write only where they say so. */
import { Command } from "@effect/cli"
import { backup } from "./backup.js"
import { archive } from "./journalArchive.js"
import { rebuild } from "./journalRebuild.js"
import { replay } from "./journalReplay.js"
import { show, tail, verify } from "./journalShow.js"
import { exportVerb, importVerb } from "./journalTransfer.js"

export const journal = Command.make("journal").pipe(
  Command.withDescription("what happened, why, and what would happen with today's code"),
  Command.withSubcommands([replay, tail, show, verify, rebuild, exportVerb, importVerb, backup, archive])
)
