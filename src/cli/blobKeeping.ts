/** `mound blob verify` and `mound blob gc`: all blobs of a workspace, looked at where they lie. They need no hub. */
import { join } from "node:path"
import { Command } from "@effect/cli"
import { Clock, Effect } from "effect"
import { blobWords, damagedBlobs, removeUnnamed } from "../events/blobFiles.js"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import { CliFailure, failed } from "./CliFailure.js"
import { json, stateDirOf, workspace } from "./common.js"
import { openMoment, type Store } from "./journalStore.js"
import { print, say } from "./output.js"

/** A blob is written before it is named: one that is younger may be about to be (contracts: senses and workflows 2.3). */
const youngMs = 86_400_000
const pageSize = 1_000

const looking = { workspace, json }

export const verify = Command.make("verify", looking, (options) =>
  Effect.gen(function* () {
    const folder = join(yield* stateDirOf(options.workspace), "blobs")
    const damaged = yield* onFiles(() => damagedBlobs(folder))
    yield* print(
      options.json
        ? JSON.stringify(damaged)
        : damaged.map(({ sha256, actual }) => `${sha256}\t${actual}`).join("\n")
    )
    if (damaged.length === 0) return
    const message = `${damaged.length} damaged: the name, then what is there`
    return yield* new CliFailure({ tag: "BlobCorrupt", message, exitCode: 1, isAnswered: true })
  })
).pipe(Command.withDescription("look at every blob; a line for each whose bytes are not those of its name"))

export const gc = Command.make("gc", looking, (options) =>
  Effect.gen(function* () {
    const stateDir = yield* stateDirOf(options.workspace)
    const before = (yield* Clock.currentTimeMillis) - youngMs
    const named = yield* Effect.flatMap(openMoment(stateDir), namedIn)
    const isNamed = (sha256: string) => named.has(sha256)
    const removed = yield* onFiles(() => removeUnnamed(join(stateDir, "blobs"), { isNamed, before }))
    yield* print(options.json ? JSON.stringify(removed) : removed.join("\n"))
    yield* say(`${removed.length} removed`)
  }).pipe(Effect.scoped)
).pipe(Command.withDescription("remove blobs that are a day old and that no event names; prints them"))

/** The digests that occur in the journal, archived days included. */
const namedIn = (store: Store) =>
  Effect.gen(function* () {
    const named = new Set<string>()
    for (let after = 0 as Offset; ; ) {
      const page = yield* EventRows.readAfter(store, after, pageSize)
      const last = page.at(-1)
      if (!last) return named
      for (const { dataJson } of page) for (const word of blobWords(dataJson)) named.add(word.toLowerCase())
      after = last.offset
    }
  }).pipe(Effect.mapError(({ detail }) => failed("JournalUnavailable", detail)))

const onFiles = <A>(work: () => A): Effect.Effect<A, CliFailure> =>
  Effect.try({ try: work, catch: (error) => failed("BlobUnavailable", String(error)) })
