/**
 * The format of a segment: gzip members, one behind the other, of some lines each; a line is an event exactly as recorded. One event can
 * be read without the rest, and `zcat` reads the whole.
 */
import { dirname, join } from "node:path"
import { inflateRawSync } from "node:zlib"
import { type EncodedEvent, type Offset, RecordedEvent } from "./Event.js"
import { JournalUnavailable } from "./Journal.js"

/** One gzip member of a segment: the events from `firstOffset` on. */
export interface Block {
  readonly firstOffset: Offset
  readonly position: number
  readonly bytes: number
}

/** Where a journal's segments are. */
export const archiveFolder = ({ path }: { readonly path: string }): string => join(dirname(path), "archive")

/** The header that zlib writes has no optional fields, so it is always as long; behind the data are a checksum and a length. */
const headerBytes = 10
const trailerBytes = 8

/** The first member of some bytes, unpacked, and its length. */
export const inflateMember = (bytes: Buffer): { readonly text: string; readonly length: number } => {
  const { buffer, engine } = inflateRawSync(bytes.subarray(headerBytes), { info: true }) as unknown as {
    readonly buffer: Buffer
    readonly engine: { readonly bytesWritten: number }
  }
  return { text: buffer.toString("utf8"), length: headerBytes + engine.bytesWritten + trailerBytes }
}

/** The events of a block's text. */
export const eventsIn = (text: string): ReadonlyArray<RecordedEvent> =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map(toEvent)

/** `data` is taken over as its very text: in a line that this program wrote the first unescaped name `data` is the event's own. */
const toEvent = (line: string): RecordedEvent => {
  const { data: _, ...event } = JSON.parse(line) as EncodedEvent & {
    readonly data: unknown
    readonly offset: Offset
    readonly hash: string
  }
  const from = line.indexOf(dataName) + dataName.length
  const to = line.length - `,"hash":"${event.hash}"}`.length
  return new RecordedEvent({ ...event, dataJson: line.slice(from, to) })
}
const dataName = `,"data":`

/** Part of the journal is in a file that is gone or is not what it was. */
export const archiveMissing = (path: string, problem: string): JournalUnavailable =>
  new JournalUnavailable({ reason: "missing", detail: `${path}: ${problem}; put it back from a backup` })
