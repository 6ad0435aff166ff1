/** `mound ledger`: care for the ledger as a whole. */
import { createReadStream } from "node:fs"
import { resolve } from "node:path"
import { Args, Command, Options } from "@effect/cli"
import { Effect, Option } from "effect"
import { workingDirectory } from "../config/process.js"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { eventAudit } from "../hub/auditEntry.js"
import { journalPath } from "../hub/holdLock.js"
import { LedgerMetrics } from "../hub/LedgerMetrics.js"
import { ask, asking, given } from "./ask.js"
import { failed } from "./CliFailure.js"
import { json, stateDirOf, workspace } from "./common.js"
import { openMoment, type Store } from "./journalStore.js"
import { print } from "./output.js"

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

const importFile = Command.make(
  "import",
  {
    file: Args.text({ name: "FILE" }).pipe(
      Args.withDescription("the old server's file: .db or .sqlite for SQLite, else lines of JSON")
    ),
    dryRun: Options.boolean("dry-run").pipe(Options.withDescription("only say what would be imported")),
    ...asking
  },
  ({ file, dryRun, ...options }) =>
    ask(
      options,
      { path: resolve(workingDirectory, file), dryRun },
      ({ ledger }, payload) => ledger.importLedger({ payload }),
      JSON.stringify
    )
).pipe(Command.withDescription("take over the marks and claims of an old ledger, which is only read"))

const metrics = Command.make(
  "metrics",
  {
    file: Args.text({ name: "FILE" }).pipe(
      Args.withDescription("an audit log; by default the workspace's journal is summed up"),
      Args.optional
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const sums = new LedgerMetrics()
      if (Option.isSome(options.file)) {
        const path = resolve(workingDirectory, options.file.value)
        yield* takeFile(sums, path)
        return yield* print(JSON.stringify(sums.summary(path)))
      }
      const stateDir = yield* stateDirOf(options.workspace)
      yield* takeJournal(sums, yield* openMoment(stateDir))
      yield* print(JSON.stringify(sums.summary(journalPath(stateDir))))
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("sum up an audit log, or the journal, in one line of JSON"))

const pageSize = 1_000

const takeFile = (sums: LedgerMetrics, path: string) =>
  Effect.tryPromise({
    try: async () => {
      let rest = ""
      for await (const chunk of createReadStream(path, "utf8") as AsyncIterable<string>) {
        const lines = `${rest}${chunk}`.split("\n")
        rest = lines.pop() ?? ""
        for (const line of lines) sums.takeLine(line)
      }
      sums.takeLine(rest)
    },
    catch: (error) =>
      failed("Unreadable", `cannot read ${path}: ${error}`, "name an audit log: ledger.audit.file")
  })

const takeJournal = (sums: LedgerMetrics, store: Store) =>
  Effect.gen(function* () {
    let after = 0 as Offset
    for (;;) {
      const page = yield* EventRows.readAfter(store, after, pageSize)
      for (const entry of page.flatMap((event) => eventAudit(event) ?? [])) sums.takeEntry(entry)
      const last = page.at(-1)
      if (!last) return
      after = last.offset
    }
  })

export const ledger = Command.make("ledger").pipe(
  Command.withDescription("care for the ledger as a whole"),
  Command.withSubcommands([sweep, importFile, metrics])
)
