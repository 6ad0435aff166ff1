/**
 * Reads archived events out of their segments. In the database such an event keeps its place and what it is found by (offset, stream,
 * version, type, command); here the rest comes back, so that nobody who reads the journal can tell the difference.
 */
import { closeSync, openSync, readSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { Effect } from "effect"
import type { RecordedEvent } from "./Event.js"
import type { JournalUnavailable } from "./Journal.js"
import type { SqliteStore } from "./SqliteStore.js"
import { archiveFolder, archiveMissing, eventsIn } from "./segmentFormat.js"

type Store = SqliteStore["Type"]
type Unpacked = ReadonlyArray<RecordedEvent>

/** Whether an event of the database is in a segment: what was recorded is never empty. */
export const isArchived = ({ dataJson }: RecordedEvent): boolean => dataJson === ""

const blockSql = `SELECT first_offset, file, position, bytes FROM archive_blocks
  WHERE first_offset <= ? ORDER BY first_offset DESC LIMIT 1`

/** The whole of an event that the database has only a part of. */
export const readArchived = (
  store: Store,
  left: RecordedEvent
): Effect.Effect<RecordedEvent, JournalUnavailable> =>
  Effect.gen(function* () {
    const { offset } = left
    const cache = cacheOf(store)
    const known = cache.find(offset)
    if (known && isOf(known, left)) return known
    const [block] = yield* store.read(blockSql, [offset])
    const path = join(archiveFolder(store), String(block?.file))
    const events = yield* Effect.try({
      try: () =>
        eventsIn(gunzipSync(bytesOf(path, Number(block?.position), Number(block?.bytes))).toString()),
      catch: (error) => archiveMissing(path, `events from ${offset} on cannot be read from it (${error})`)
    })
    cache.add(events)
    const event = cache.find(offset)
    if (event && isOf(event, left)) return event
    return yield* archiveMissing(path, `it does not hold event ${offset}`)
  })

/** Whether what was left in the database is of this event: by that it is found. */
const isOf = (event: RecordedEvent, left: RecordedEvent): boolean =>
  event.stream === left.stream &&
  event.version === left.version &&
  event.type === left.type &&
  event.schema === left.schema &&
  event.at === left.at &&
  event.commandId === left.commandId

const bytesOf = (path: string, position: number, length: number): Buffer => {
  const descriptor = openSync(path, "r")
  try {
    const bytes = Buffer.allocUnsafe(length)
    readSync(descriptor, bytes, 0, length, position)
    return bytes
  } finally {
    closeSync(descriptor)
  }
}

/** Blocks that were unpacked lately: readers go through a segment event by event, or a few streams through many segments. */
class BlockCache {
  readonly #blocks: Array<Unpacked> = []

  find(offset: number): RecordedEvent | undefined {
    for (const events of this.#blocks) {
      const first = events[0]?.offset ?? Number.POSITIVE_INFINITY
      if (offset >= first && offset < first + events.length) return events[offset - first]
    }
    return undefined
  }

  add(events: Unpacked): void {
    this.#blocks.unshift(events)
    if (this.#blocks.length > maxBlocks) this.#blocks.pop()
  }
}

/** About 64 KiB each, unpacked. */
const maxBlocks = 32

const caches = new WeakMap<Store, BlockCache>()

/** Each store has blocks of its own: what it shows ends with it. */
const cacheOf = (store: Store): BlockCache => {
  const cache = caches.get(store) ?? new BlockCache()
  caches.set(store, cache)
  return cache
}
