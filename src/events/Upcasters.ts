/**
 * Events are never edited. When an event type gets a new shape it gets a new `schema` number and a function
 * that lifts the older shape; folds and reducers see today's shape only, readers see what was stored.
 */
import { Context, Schema } from "effect"
import { type EventData, Offset, RecordedEvent, StreamId } from "./Event.js"

/** Lifts the data of schema n to that of schema n + 1. */
export type Upcaster = (data: EventData) => EventData

/** Every event type that this program knows, with the upcasters from its first shape to today's. */
export type EventTypes = ReadonlyMap<string, ReadonlyArray<Upcaster>>

/** The event types of all kinds together, for those who read and write the journal. */
export class KnownEvents extends Context.Tag("mound/KnownEvents")<KnownEvents, EventTypes>() {}

/** An event that this program cannot understand: written by a newer version, or by something else. */
export class UnknownEvent extends Schema.TaggedError<UnknownEvent>()("UnknownEvent", {
  type: Schema.String,
  schema: Schema.Number,
  known: Schema.NullOr(Schema.Number),
  stream: StreamId,
  offset: Schema.NullOr(Offset)
}) {
  override get message() {
    const where = this.offset === null ? this.stream : `offset ${this.offset} of ${this.stream}`
    const known = this.known === null ? "no such type" : `it up to schema ${this.known}`
    return `${where} is a ${this.type} of schema ${this.schema}; this version of mound knows ${known}`
  }
}

/** The schema number that new events of a type are written with. */
export const currentSchema = (types: EventTypes, type: string): number | undefined => {
  const upcasters = types.get(type)
  return upcasters && upcasters.length + 1
}

/** Refuses what must not be written: an unknown type, or a shape other than today's. */
export const assertKnown = (
  types: EventTypes,
  event: { readonly stream: StreamId; readonly type: string; readonly schema: number }
): UnknownEvent | undefined => {
  const known = currentSchema(types, event.type) ?? null
  if (known === event.schema) return undefined
  const { type, schema, stream } = event
  return new UnknownEvent({ type, schema, known, stream, offset: null })
}

/** The event in today's shape. Dies on one that is unknown: for events that this program has just written itself. */
export const upcastOwn = (types: EventTypes, event: RecordedEvent): RecordedEvent => {
  const known = upcast(types, event)
  if (known instanceof UnknownEvent) throw known
  return known
}

/** The event in today's shape, or what is unknown about it. The usual case returns the event itself. */
export const upcast = (types: EventTypes, event: RecordedEvent): RecordedEvent | UnknownEvent => {
  const upcasters = types.get(event.type)
  const known = upcasters ? upcasters.length + 1 : null
  if (known === event.schema) return event
  const { type, schema, stream, offset } = event
  if (!upcasters || known === null || schema > known) {
    return new UnknownEvent({ type, schema, known, stream, offset })
  }
  const data = upcasters.slice(schema - 1).reduce((shape, lift) => lift(shape), event.data)
  return new RecordedEvent({ ...event, schema: known, dataJson: JSON.stringify(data) }, data)
}
