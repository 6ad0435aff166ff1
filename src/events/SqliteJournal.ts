/**
 * The journal in SQLite. Appends that wait together share one transaction and one fsync (group commit): whoever
 * gets the turn commits for everybody who is waiting, so a lone caller pays for no queue and no extra fiber.
 */
import { Effect, Exit, Layer } from "effect"
import { AppendParticipant } from "./AppendParticipant.js"
import type { RecordedEvent, StreamId, Version } from "./Event.js"
import * as EventRows from "./EventRows.js"
import { type Head, headAfter, seal } from "./HashChain.js"
import { advance, type Batch, Journal, type JournalUnavailable, type VersionConflict } from "./Journal.js"
import { SqliteStore } from "./SqliteStore.js"
import { Tail } from "./Tail.js"
import { assertKnown, KnownEvents } from "./Upcasters.js"

/** Events a transaction may carry; more waiting callers than that are served by the next one. */
const maxGroup = 2_048

type Answer = Exit.Exit<ReadonlyArray<RecordedEvent>, VersionConflict | JournalUnavailable>

interface Waiting {
  readonly batch: Batch
  answer: Answer | undefined
}

const make = Effect.gen(function* () {
  const store = yield* SqliteStore
  const participant = yield* AppendParticipant
  const known = yield* KnownEvents
  const committing = yield* Effect.makeSemaphore(1)
  const journalId = yield* EventRows.journalId(store)
  const waiting: Array<Waiting> = []
  /** Undefined while in doubt: after a failed commit only the store knows. */
  let head: Head | undefined = yield* EventRows.head(store)
  const tail = new Tail(head.offset, { bounded: true })

  const settledHead = Effect.suspend(() => (head ? Effect.succeed(head) : settle))
  const settle = Effect.gen(function* () {
    const found = yield* EventRows.head(store)
    while (tail.head < found.offset) tail.push(yield* EventRows.readAfter(store, tail.head, maxGroup))
    head = found
    return found
  })

  const commit = (group: ReadonlyArray<Waiting>) =>
    Effect.gen(function* () {
      const before = yield* settledHead
      const { accepted, events } = yield* store.transaction((connection) =>
        Effect.gen(function* () {
          const accepted = refuseConflicts(group, yield* EventRows.versions(connection, streamsOf(group)))
          const events = seal(
            before,
            accepted.flatMap(({ batch }) => batch.events)
          )
          yield* EventRows.insert(connection, events)
          yield* EventRows.replaceAgendas(
            connection,
            accepted.flatMap(({ batch }) => batch.agendas ?? [])
          )
          yield* participant.apply(connection, events)
          return { accepted, events }
        })
      )
      head = headAfter(before, events)
      let from = 0
      for (const each of accepted) {
        const to = from + each.batch.events.length
        each.answer = Exit.succeed(events.slice(from, to))
        from = to
      }
      tail.push(events)
    }).pipe(
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          head = undefined
          for (const each of group) each.answer ??= Exit.failCause(cause)
        })
      ),
      Effect.uninterruptible
    )

  const append = (batch: Batch) =>
    Effect.suspend(() => {
      const unknown = batch.events.map((event) => assertKnown(known, event)).find((fault) => fault)
      if (unknown) return Effect.die(unknown)
      const mine: Waiting = { batch, answer: undefined }
      waiting.push(mine)
      return Effect.suspend(() => (mine.answer ? Effect.void : commit(takeGroup(waiting)))).pipe(
        committing.withPermits(1),
        Effect.onInterrupt(() => Effect.sync(() => remove(waiting, mine))),
        Effect.flatMap(() => mine.answer ?? Effect.dieMessage("an append was left without an answer"))
      )
    })

  return Journal.of({
    journalId,
    head: settledHead,
    append,
    read: (after, limit, stream) =>
      Effect.suspend(() => {
        if (stream !== undefined) return EventRows.readStreamAfter(store, stream, after, limit)
        const recent = tail.read(after, limit)
        return recent ? Effect.succeed(recent) : EventRows.readAfter(store, after, limit)
      }),
    readStreams: (tails, limit) => EventRows.readStreams(store, tails, limit),
    byCommands: (commandIds) => Effect.zipRight(settledHead, EventRows.byCommands(store, commandIds)),
    agendas: EventRows.agendas(store),
    awaitBeyond: (after) => tail.awaitBeyond(after)
  })
})

export const layer: Layer.Layer<Journal, JournalUnavailable, SqliteStore | AppendParticipant | KnownEvents> =
  Layer.effect(Journal, make)

/** The callers that the next transaction serves: at least one, then as many as fit. */
const takeGroup = (waiting: Array<Waiting>): ReadonlyArray<Waiting> => {
  let events = 0
  const fits = waiting.findIndex(({ batch }, index) => {
    events += batch.events.length
    return index > 0 && events > maxGroup
  })
  return waiting.splice(0, fits < 0 ? waiting.length : fits)
}

const remove = (waiting: Array<Waiting>, mine: Waiting) => {
  const index = waiting.indexOf(mine)
  if (index >= 0) waiting.splice(index, 1)
}

const streamsOf = (group: ReadonlyArray<Waiting>) =>
  new Set(group.flatMap(({ batch }) => batch.events.map(({ stream }) => stream)))

/** Answers each batch that is not where it expects to be with its conflict; the others are accepted, in order. */
const refuseConflicts = (group: ReadonlyArray<Waiting>, versions: Map<StreamId, Version>) =>
  group.filter((each) => {
    const conflict = advance(versions, each.batch)
    if (conflict) each.answer = Exit.fail(conflict)
    return !conflict
  })
