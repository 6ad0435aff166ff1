/**
 * Holds the segments of an archive against what the journal says of them: each is there, is byte for byte the file that was recorded, and
 * begins where the one before it ended. It reads every file once and unpacks none; `verify` checks what is inside.
 */
import { createHash } from "node:crypto"
import { createReadStream, existsSync } from "node:fs"
import { join } from "node:path"
import { Effect, Stream } from "effect"
import * as EventRows from "./EventRows.js"
import { genesis } from "./HashChain.js"
import { JournalUnavailable } from "./Journal.js"
import type { Segment } from "./Segment.js"
import type { SqliteStore } from "./SqliteStore.js"
import { archiveFolder } from "./segmentFormat.js"

export interface SegmentsChecked {
  readonly segments: number
  /** Offset of the last event that is in one. */
  readonly toOffset: number
  /** What is wrong with the first one that is not right. */
  readonly fault: string | undefined
}

export const checkSegments = (
  store: SqliteStore["Type"]
): Effect.Effect<SegmentsChecked, JournalUnavailable> =>
  Effect.gen(function* () {
    const recorded = yield* EventRows.allOfType(store, "JournalArchived")
    let before = { toOffset: 0, lastHash: genesis }
    for (const [index, { data }] of recorded.entries()) {
      const segment = data as unknown as Segment
      const fault = yield* faultOf(join(archiveFolder(store), segment.file), segment, before)
      if (fault !== undefined) return { segments: index, toOffset: before.toOffset, fault }
      before = segment
    }
    return { segments: recorded.length, toOffset: before.toOffset, fault: undefined }
  })

const faultOf = (
  path: string,
  { fromOffset, prevHash, sha256 }: Segment,
  before: { readonly toOffset: number; readonly lastHash: string }
): Effect.Effect<string | undefined, JournalUnavailable> =>
  Effect.gen(function* () {
    if (!existsSync(path)) return `${path} is not there`
    if ((yield* digestOf(path)) !== sha256) return `${path} was altered`
    return fromOffset === before.toOffset + 1 && prevHash === before.lastHash
      ? undefined
      : `${path} does not go on where the one before it ends, at offset ${before.toOffset}`
  })

const digestOf = (path: string): Effect.Effect<string, JournalUnavailable> =>
  Stream.fromAsyncIterable(
    createReadStream(path) as AsyncIterable<Buffer>,
    (error) => new JournalUnavailable({ reason: "io", detail: `${path}: ${error}` })
  ).pipe(
    Stream.runFold(createHash("sha256"), (hash, chunk) => hash.update(chunk)),
    Effect.map((hash) => hash.digest("hex"))
  )
