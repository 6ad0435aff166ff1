/**
 * What happened: the one shape that is journal row, machine event, wire message and exported line.
 */
import { Schema } from "effect"

/** Place in the journal: from 1, without gaps; 0 stands for "before the first event". Opaque to clients. */
export const Offset = Schema.NonNegativeInt.pipe(Schema.brand("Offset"))
export type Offset = typeof Offset.Type

/** Place in a stream: from 1; 0 stands for a stream without events. */
export const Version = Schema.NonNegativeInt.pipe(Schema.brand("Version"))
export type Version = typeof Version.Type

/** Name of one actor's events: `kind/id`, or plainly `hub`. Only the first slash separates; ids are verbatim. */
export const StreamId = Schema.NonEmptyString.pipe(Schema.brand("StreamId"))
export type StreamId = typeof StreamId.Type

export const makeStreamId = (kind: string, id: string): StreamId =>
  (id === "" ? kind : `${kind}/${id}`) as StreamId

export const kindOf = (stream: StreamId): string => {
  const slash = stream.indexOf("/")
  return slash < 0 ? stream : stream.slice(0, slash)
}

export const idOf = (stream: StreamId): string => {
  const slash = stream.indexOf("/")
  return slash < 0 ? "" : stream.slice(slash + 1)
}

/** The fields that an event is about: an object that survives JSON unchanged, without `type`. */
export type EventData = { readonly [key: string]: unknown }

/** An event that is decided and not yet appended: it has its place in its stream, but none in the journal. */
export interface NewEvent {
  readonly stream: StreamId
  readonly version: Version
  readonly type: string
  /** Version of the event type's shape; older ones are lifted by an upcaster when they are folded. */
  readonly schema: number
  /** Epoch ms of the hub clock, which never runs backwards. */
  readonly at: number
  /** The machine's state after the event, as `fold` names it. */
  readonly state: string
  /** Who caused it: a peer, `operator`, `hub`, `deadline`, `invocation:<src>`. */
  readonly by: string
  readonly commandId: string
  /** Offset of the event that caused the command, if an event did. */
  readonly causation: Offset | null
  /** The same for everything that follows from one outside command: that command's id. */
  readonly correlation: string | null
  readonly data: EventData
}

/** The data of an event whose type is known, as its kind declares it. This program wrote it: it is not decoded again. */
export const dataOf = <Event>({ data }: { readonly data: EventData }): Omit<Event, "type"> =>
  data as unknown as Omit<Event, "type">

/** A decided event whose data is text already: encoded once, on its way to the journal. */
export interface EncodedEvent extends Omit<NewEvent, "data"> {
  readonly dataJson: string
}

export const encodeEvent = ({ data, ...event }: NewEvent): EncodedEvent => ({
  ...event,
  dataJson: JSON.stringify(data)
})

/** A row of the journal. Its text is never re-encoded: what was hashed is what is stored, shown and exported. */
export class RecordedEvent {
  readonly offset: Offset
  readonly stream: StreamId
  readonly version: Version
  readonly type: string
  readonly schema: number
  readonly at: number
  readonly state: string
  readonly by: string
  readonly commandId: string
  readonly causation: Offset | null
  readonly correlation: string | null
  /** `data` exactly as stored. */
  readonly dataJson: string
  readonly hash: string
  #data: EventData | undefined

  constructor(row: EncodedEvent & { readonly offset: Offset; readonly hash: string }, data?: EventData) {
    this.offset = row.offset
    this.stream = row.stream
    this.version = row.version
    this.type = row.type
    this.schema = row.schema
    this.at = row.at
    this.state = row.state
    this.by = row.by
    this.commandId = row.commandId
    this.causation = row.causation
    this.correlation = row.correlation
    this.dataJson = row.dataJson
    this.hash = row.hash
    this.#data = data
  }

  /** Parsed when first asked for: followers that only pass events on never pay for it. */
  get data(): EventData {
    this.#data ??= JSON.parse(this.dataJson) as EventData
    return this.#data
  }

  /** The one encoding of a recorded event: `/journal`, streams and exports send these very bytes. */
  get json(): string {
    return `${canonical(this, this.offset).slice(0, -1)},"hash":"${this.hash}"}`
  }
}

/** The bytes that the hash chain covers: every field but the hash, in a fixed order, `data` verbatim. */
export const canonical = (event: EncodedEvent, offset: Offset): string =>
  `{"offset":${offset},"stream":${JSON.stringify(event.stream)},"version":${event.version}` +
  `,"type":${JSON.stringify(event.type)},"schema":${event.schema},"at":${event.at}` +
  `,"state":${JSON.stringify(event.state)},"by":${JSON.stringify(event.by)}` +
  `,"commandId":${JSON.stringify(event.commandId)},"causation":${event.causation}` +
  `,"correlation":${JSON.stringify(event.correlation)},"data":${event.dataJson}}`
