/** `journal backup`: a folder with all that a workspace cannot do without, with the hub running or stopped (contracts: hub 3.8). */
import { Args, Command } from "@effect/cli"
import { Duration, Effect, Option } from "effect"
import { environment, workingDirectory } from "../config/process.js"
import { findWorkspace } from "../config/workspace.js"
import { backupJournal } from "../hub/backupJournal.js"
import { discoverHub } from "../hub/discoverHub.js"
import { version } from "../version.js"
import { connect } from "./Client.js"
import { json, stateDirOf, workspace } from "./common.js"
import { journalIn } from "./journalStore.js"
import { print, say } from "./output.js"

export const backup = Command.make(
  "backup",
  {
    dir: Args.text({ name: "DIR" }).pipe(Args.withDescription("the folder to make; it must not exist")),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const stateDir = yield* stateDirOf(options.workspace)
      const named = Option.getOrUndefined(options.workspace)
      const workspace = yield* findWorkspace(named, environment, workingDirectory)
      yield* journalIn(stateDir)
      const [took, made] = yield* Effect.timed(backupJournal({ workspace, stateDir }, options.dir, version))
      const found = yield* discoverHub(stateDir)
      if (found.result === "running") {
        const client = yield* connect({ workspace: options.workspace, url: Option.none() })
        const tookMs = Math.round(Duration.toMillis(took))
        yield* client.journal
          .recordBackup({ payload: { ...made, tookMs } })
          .pipe(
            Effect.catchAll(() => say("the hub could not record the backup; it is complete all the same"))
          )
      }
      yield* print(options.json ? JSON.stringify(made) : made.dir)
    })
).pipe(Command.withDescription("copy the journal and all that belongs to it into a new folder"))
