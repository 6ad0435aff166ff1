/**
 * Writes a stretch of the journal as a file, and checks one. A file has its name only once it is complete, durable and found right, and is
 * never opened for writing again (contracts: hub 3.8).
 */
import { createHash } from "node:crypto"
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync
} from "node:fs"
import { basename, join } from "node:path"
import { gzipSync } from "node:zlib"
import { Effect } from "effect"
import type { Offset, RecordedEvent } from "./Event.js"
import * as EventRows from "./EventRows.js"
import { ChainVerifier, emptyHead } from "./HashChain.js"
import { ioTurn } from "./ioTurn.js"
import { JournalUnavailable } from "./Journal.js"
import type { SqliteStore } from "./SqliteStore.js"
import { archiveFolder, archiveMissing, type Block, eventsIn, inflateMember } from "./segmentFormat.js"

type Store = SqliteStore["Type"]

/** What a segment holds: the event `JournalArchived` says the same. */
export interface Segment {
  /** Its name in the archive folder. */
  readonly file: string
  readonly fromOffset: Offset
  readonly toOffset: Offset
  readonly fromAt: number
  readonly toAt: number
  readonly rows: number
  readonly sha256: string
  /** The hash before its first event, and its last one's: how it stands in the chain. */
  readonly prevHash: string
  readonly lastHash: string
}

export interface Inspected {
  readonly segment: Segment
  readonly blocks: ReadonlyArray<Block>
}

/** Text of a block: what has to be unpacked to read one event. */
const blockChars = 32 * 1024
/** A segment is read whole when it is checked. */
const maxBytes = 64 * 1024 * 1024
const pageSize = 500

const digits = (offset: number): string => String(offset).padStart(16, "0")
const nameOf = (from: Offset, to: Offset): string => `${digits(from)}-${digits(to)}.ndjson.gz`

/** The segment that begins at an offset, if an earlier attempt got that far. */
export const findSegment = (store: Store, from: Offset): string | undefined => {
  const folder = archiveFolder(store)
  const name = existsSync(folder)
    ? readdirSync(folder).find((each) => each.startsWith(`${digits(from)}-`) && each.endsWith(".ndjson.gz"))
    : undefined
  return name === undefined ? undefined : join(folder, name)
}

/** Writes the events of a stretch, or the first part of one that is very large, and answers with what it has read back. */
export const writeSegment = (
  store: Store,
  from: Offset,
  upTo: Offset
): Effect.Effect<Inspected, JournalUnavailable> =>
  Effect.gen(function* () {
    const folder = archiveFolder(store)
    const unfinished = `${folder}.writing`
    yield* onDisk(unfinished, () => mkdirSync(folder, { recursive: true, mode: 0o700 }))
    yield* Effect.acquireUseRelease(
      onDisk(unfinished, () => openSync(unfinished, "w", 0o600)),
      (descriptor) => writeBlocks(store, descriptor, unfinished, from, upTo),
      (descriptor) => Effect.sync(() => closeSync(descriptor))
    )
    const { segment, blocks } = yield* inspectSegment(store, unfinished, from)
    const file = nameOf(from, segment.toOffset)
    yield* onDisk(file, () => {
      renameSync(unfinished, join(folder, file))
      const descriptor = openSync(folder, "r")
      fsyncSync(descriptor)
      closeSync(descriptor)
    })
    return { segment: { ...segment, file }, blocks }
  })

const writeBlocks = (store: Store, descriptor: number, path: string, from: Offset, upTo: Offset) =>
  Effect.gen(function* () {
    let written = 0
    let lines: Array<string> = []
    let chars = 0
    const flush = () => {
      if (lines.length === 0) return
      const bytes = gzipSync(`${lines.join("\n")}\n`)
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done)
      written += bytes.length
      lines = []
      chars = 0
    }
    let last = (from - 1) as Offset
    while (last < upTo && written < maxBytes) {
      const page = yield* EventRows.readAfter(store, last, Math.min(pageSize, upTo - last))
      if (page.length === 0) break
      yield* onDisk(path, () => {
        for (const { json } of page) {
          lines.push(json)
          chars += json.length
          if (chars >= blockChars) flush()
        }
      })
      last = page.at(-1)?.offset ?? upTo
      yield* ioTurn
    }
    yield* onDisk(path, () => {
      flush()
      fsyncSync(descriptor)
    })
  })

/** Reads a segment and checks that it continues the chain of the events before it. */
export const inspectSegment = (
  store: Store,
  path: string,
  from: Offset
): Effect.Effect<Inspected, JournalUnavailable> =>
  Effect.gen(function* () {
    const bytes = yield* onDisk(path, () => readFileSync(path))
    const [before] = from === 1 ? [] : yield* EventRows.readAfter(store, (from - 2) as Offset, 1)
    const verifier = new ChainVerifier(before ?? emptyHead)
    const blocks: Array<Block> = []
    let first: RecordedEvent | undefined
    for (let position = 0; position < bytes.length; ) {
      const { text, length } = yield* unpacked(path, () => inflateMember(bytes.subarray(position)))
      const events = yield* unpacked(path, () => eventsIn(text))
      const fault = verifier.check(events)
      if (fault) return yield* altered(path, `offset ${fault.offset}: ${fault.detail}`)
      first ??= events[0]
      blocks.push({ firstOffset: events[0]?.offset ?? from, position, bytes: length })
      position += length
      yield* ioTurn
    }
    if (!first) return yield* altered(path, "it holds no event")
    const { offset: toOffset, at: toAt, hash: lastHash } = verifier.head
    const segment: Segment = {
      file: basename(path),
      fromOffset: from,
      toOffset,
      fromAt: first.at,
      toAt,
      rows: toOffset - from + 1,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      prevHash: (before ?? emptyHead).hash,
      lastHash
    }
    return { segment, blocks }
  })

/** Runs what uses the disk; a fault is the journal's. */
const onDisk = <A>(path: string, work: () => A): Effect.Effect<A, JournalUnavailable> =>
  Effect.try({
    try: work,
    catch: (error) => {
      const { code = "" } = error as { readonly code?: string }
      if (code === "ENOENT") return archiveMissing(path, "it is not there")
      const reason = code === "ENOSPC" ? "enospc" : "io"
      return new JournalUnavailable({ reason, detail: `${path}: ${error}` })
    }
  })

const unpacked = <A>(path: string, work: () => A): Effect.Effect<A, JournalUnavailable> =>
  Effect.try({ try: work, catch: (error) => archiveMissing(path, `it was altered (${error})`) })

const altered = (path: string, problem: string): JournalUnavailable =>
  archiveMissing(path, `it was altered: ${problem}`)
