/** The journal's contract on an array, for tests of what stands on it. Loses everything with its process. */
import { Effect, Layer } from "effect"
import { encodeEvent, type Offset, type RecordedEvent, type StreamId, type Version } from "./Event.js"
import { emptyHead, type Head, headAfter, seal } from "./HashChain.js"
import { type Agenda, advance, type Batch, Journal } from "./Journal.js"
import { randomHex } from "./randomHex.js"
import { Tail } from "./Tail.js"
import { assertKnown, KnownEvents } from "./Upcasters.js"

const make = Effect.gen(function* () {
  const known = yield* KnownEvents
  const journalId = yield* randomHex(32)
  const events: Array<RecordedEvent> = []
  const versions = new Map<StreamId, Version>()
  const agendas = new Map<StreamId, Agenda>()
  const tail = new Tail(emptyHead.offset, { bounded: false })
  let head: Head = emptyHead

  const append = (batch: Batch) =>
    Effect.suspend(() => {
      const unknown = batch.events.map((event) => assertKnown(known, event)).find((fault) => fault)
      if (unknown) return Effect.die(unknown)
      const conflict = advance(versions, batch.events)
      if (conflict) return Effect.fail(conflict)
      const sealed = seal(head, batch.events.map(encodeEvent))
      head = headAfter(head, sealed)
      events.push(...sealed)
      for (const agenda of batch.agendas ?? []) agendas.set(agenda.stream, agenda)
      tail.push(sealed)
      return Effect.succeed(sealed)
    })

  return Journal.of({
    journalId,
    head: Effect.sync(() => head),
    append,
    read: (after, limit, stream) =>
      Effect.sync(() =>
        stream === undefined
          ? events.slice(after, after + limit)
          : events.filter((event) => event.stream === stream && event.offset > after).slice(0, limit)
      ),
    tailOf: (stream) =>
      Effect.sync(() => events.findLast((event) => event.stream === stream)?.offset ?? (0 as Offset)),
    readStreams: (tails, limit) =>
      Effect.sync(() =>
        tails
          .toSorted((a, b) => (a.stream < b.stream ? -1 : 1))
          .flatMap(({ stream, after }) =>
            events.filter((event) => event.stream === stream && event.version > after)
          )
          .slice(0, limit)
      ),
    byCommands: (commandIds) =>
      Effect.sync(() => events.filter(({ commandId }) => commandIds.includes(commandId))),
    agendas: Effect.sync(() =>
      [...agendas.values()].filter(
        ({ deadlines, invocations }) => deadlines.length > 0 || invocations.length > 0
      )
    ),
    awaitBeyond: (after) => tail.awaitBeyond(after)
  })
})

export const layer: Layer.Layer<Journal, never, KnownEvents> = Layer.effect(Journal, make)
