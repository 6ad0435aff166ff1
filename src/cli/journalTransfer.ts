/** `journal export` and `journal import`: a journal as a file, and back. */
import { closeSync, fsyncSync, openSync, rmSync } from "node:fs"
import { Args, Command, Options } from "@effect/cli"
import { Effect, Exit, Option, type Scope } from "effect"
import { writeExport } from "../events/Archive.js"
import { type Offset, StreamId } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { restoreJournal } from "../hub/restoreJournal.js"
import { type CliFailure, failed, usage } from "./CliFailure.js"
import { json, optionalInteger, optionalText, stateDirOf, workspace } from "./common.js"
import { openMoment } from "./journalStore.js"
import { print, say, writeOut } from "./output.js"

export const exportVerb = Command.make(
  "export",
  {
    from: optionalInteger("from", "first offset, 1 by default"),
    to: optionalInteger("to", "last offset, the head by default"),
    stream: optionalText("stream", "one stream only; such a file cannot be imported"),
    out: optionalText("out", "a file to write instead of stdout; it must not exist"),
    workspace,
    json: Options.boolean("json").pipe(
      Options.withDescription("with --out: print what was written as one JSON value")
    )
  },
  (options) =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(stateDirOf(options.workspace), openMoment)
      const { offset: head } = yield* EventRows.head(store)
      const from = Option.getOrElse(options.from, () => 1)
      const to = Option.getOrElse(options.to, () => head)
      if (from < 1) return yield* usage("--from: offsets begin at 1")
      if (to > head || from > Math.max(head, 1)) {
        return yield* failed(
          "OffsetAhead",
          `the journal ends at offset ${head}`,
          "ask for offsets up to that"
        )
      }
      if (from > Math.max(to, 1)) return yield* usage(`--from: ${from} is after --to ${to}`)
      const stream = Option.getOrUndefined(options.stream)
      if (stream !== undefined) yield* isThere(store, stream)
      const out = Option.getOrUndefined(options.out)
      const descriptor = out === undefined ? process.stdout.fd : yield* newFile(out)
      const range = { from: from as Offset, to: to as Offset, stream: stream as StreamId | undefined }
      const events = yield* writeExport(store, range, (text) => Effect.sync(() => writeOut(descriptor, text)))
      yield* say(`${events} events exported`)
      if (out !== undefined && options.json) yield* print(JSON.stringify({ file: out, from, to, events }))
    }).pipe(Effect.scoped)
).pipe(Command.withDescription("write the journal, or a part of it, as one JSON line an event"))

const isThere = (store: Parameters<typeof EventRows.head>[0], stream: string) =>
  Effect.gen(function* () {
    const [first] = yield* EventRows.readStreamAfter(store, StreamId.make(stream), 0 as Offset, 1)
    if (!first)
      yield* failed("UnknownStream", `there is no stream ${stream}`, "mound journal tail shows some")
  })

/** A file that is whole and on the disk once the scope closes well, and gone otherwise. */
const newFile = (path: string): Effect.Effect<number, CliFailure, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => openSync(path, "wx", 0o600),
      catch: (error) => {
        const { code } = error as { readonly code?: string }
        return code === "EEXIST"
          ? usage(`--out: ${path} exists already`, "name another file, or remove that one first")
          : usage(`--out: ${path} cannot be written (${code})`)
      }
    }),
    (descriptor, exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) fsyncSync(descriptor)
        closeSync(descriptor)
        if (Exit.isFailure(exit)) rmSync(path, { force: true })
      })
  )

export const importVerb = Command.make(
  "import",
  {
    source: Args.path({ name: "FILE|DIR", exists: "yes" }).pipe(
      Args.withDescription("a whole export, or the folder of a backup")
    ),
    workspace,
    json
  },
  (options) =>
    Effect.gen(function* () {
      const stateDir = yield* stateDirOf(options.workspace)
      const restored = yield* restoreJournal(stateDir, options.source)
      yield* say(
        `${restored.revoked} leases were revoked, since the world has moved on; tokens may restart below ones that an outside fence has seen`
      )
      yield* print(options.json ? JSON.stringify(restored) : String(restored.offset))
    })
).pipe(
  Command.withDescription("make a journal from a whole export or a backup, in a workspace that has none")
)
