/** `journal archive`: old days out of the database, into files that stay part of the journal (contracts: hub 3.8). */
import { Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { environment, workingDirectory } from "../config/process.js"
import { loadSettings } from "../config/Settings.js"
import { findWorkspace } from "../config/workspace.js"
import { archiveAfterMs } from "../hub/archiveJournal.js"
import { archiveStopped } from "../hub/archiveStopped.js"
import { usage } from "./CliFailure.js"
import { json, optionalText, stateDirOf, workspace } from "./common.js"
import { journalIn } from "./journalStore.js"
import { print, say, table } from "./output.js"

export const archive = Command.make(
  "archive",
  {
    before: optionalText(
      "before",
      "whole days before this ISO 8601 date; by default journal.archive_after, or 30d"
    ),
    vacuum: Options.boolean("vacuum").pipe(
      Options.withDescription("give back to the file system what the database no longer needs")
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const before = Option.getOrUndefined(options.before)
      if (before !== undefined && !isDate(before)) {
        return yield* usage(`--before: must be an ISO 8601 date, not ${before}`)
      }
      const stateDir = yield* stateDirOf(options.workspace)
      yield* journalIn(stateDir)
      const { vacuum } = options
      const { segments, freedBytes } = yield* archiveInHub(options.workspace, { before, vacuum }).pipe(
        Effect.catchIf(
          ({ tag }) => tag === "HubNotRunning",
          () => archiveHere(options.workspace, stateDir, { before, vacuum })
        )
      )
      if (options.json) return yield* print(JSON.stringify({ segments, freedBytes }))
      if (segments.length > 0) {
        yield* print(
          table(
            ["FROM", "TO", "ROWS", "FILE"],
            segments.map(({ fromOffset, toOffset, rows, file }) => [fromOffset, toOffset, rows, file])
          )
        )
      }
      if (vacuum) yield* say(`${freedBytes} bytes given back`)
    })
).pipe(Command.withDescription("move old days of the journal into compressed files; asks the hub if it runs"))

interface Asked {
  readonly before: string | undefined
  readonly vacuum: boolean
}

const isDate = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) && !Number.isNaN(Date.parse(text))

/** The client is loaded here: the other journal verbs answer sooner without it. */
const archiveInHub = (workspace: Option.Option<string>, { before, vacuum }: Asked) =>
  Effect.gen(function* () {
    const { connect, explainFailure } = yield* Effect.promise(() => import("./Client.js"))
    return yield* Effect.gen(function* () {
      const { journal } = yield* connect({ workspace, url: Option.none() })
      return yield* journal.archive({ payload: { vacuum, ...(before !== undefined && { before }) } })
    }).pipe(Effect.mapError(explainFailure))
  })

const archiveHere = (named: Option.Option<string>, stateDir: string, { before, vacuum }: Asked) =>
  Effect.gen(function* () {
    const workspace = yield* findWorkspace(Option.getOrUndefined(named), environment, workingDirectory)
    const { settings } = yield* loadSettings({ workspace, environment })
    const now = (yield* Effect.clock).unsafeCurrentTimeMillis()
    const { explainReason } = yield* Effect.promise(() => import("./explainReason.js"))
    return yield* archiveStopped(stateDir, {
      before:
        before === undefined
          ? now - (settings["journal.archive_after"] ?? archiveAfterMs)
          : Date.parse(before),
      vacuum
    }).pipe(Effect.mapError(explainReason))
  })
