/**
 * The journal over a store and its writer. Appends that wait together share one transaction and one fsync (group commit): whoever
 * gets the turn commits for everybody who is waiting, so a lone caller pays for no queue and no extra fiber.
 */
import { Effect, Exit, Layer } from "effect"
import { type EncodedEvent, encodeEvent, type Offset, RecordedEvent } from "./Event.js"
import * as EventRows from "./EventRows.js"
import { type Head, headAfter } from "./HashChain.js"
import { type Batch, Journal, type JournalUnavailable, VersionConflict } from "./Journal.js"
import { SqliteStore } from "./SqliteStore.js"
import { Tail } from "./Tail.js"
import { assertKnown, KnownEvents } from "./Upcasters.js"
import { type Committed, type EncodedBatch, Writer } from "./Writer.js"

/** Events a transaction may carry; more waiting callers than that are served by the next one. */
const maxGroup = 2_048

type Answer = Exit.Exit<ReadonlyArray<RecordedEvent>, VersionConflict | JournalUnavailable>

interface Waiting {
  readonly batch: Batch
  readonly encoded: EncodedBatch
  answer: Answer | undefined
}

const make = Effect.gen(function* () {
  const store = yield* SqliteStore
  const writer = yield* Writer
  const known = yield* KnownEvents
  const committing = yield* Effect.makeSemaphore(1)
  const waiting: Array<Waiting> = []
  /** Undefined while in doubt: after a failed commit only the store knows. */
  let head: Head | undefined = yield* writer.head
  const journalId = yield* EventRows.journalId(store)
  const tail = new Tail(head.offset, { bounded: true })

  const settledHead = Effect.suspend(() => (head ? Effect.succeed(head) : settle))
  const settle = Effect.gen(function* () {
    // What this connection sees is as old as the failure: it is opened anew, as the writer's is.
    yield* store.disconnect
    const found = yield* writer.head
    while (tail.head < found.offset) tail.push(yield* EventRows.readAfter(store, tail.head, maxGroup))
    head = found
    return found
  })

  const commit = (group: ReadonlyArray<Waiting>) =>
    Effect.gen(function* () {
      const before = yield* settledHead
      const answers = yield* writer.commit(group.map(({ encoded }) => encoded))
      const appended: Array<RecordedEvent> = []
      for (const [index, each] of group.entries()) {
        const answer = answers[index] as Committed | VersionConflict
        if (answer instanceof VersionConflict) each.answer = Exit.fail(answer)
        else {
          const events = recorded(each, answer)
          each.answer = Exit.succeed(events)
          appended.push(...events)
        }
      }
      head = headAfter(before, appended)
      tail.push(appended)
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
      const encoded = { events: batch.events.map(encodeEvent), agendas: batch.agendas ?? [] }
      const mine: Waiting = { batch, encoded, answer: undefined }
      waiting.push(mine)
      // Whoever is about to append has a turn first: a writer that never waits would commit for each of them alone.
      const commitAll = Effect.zipRight(
        Effect.yieldNow(),
        Effect.suspend(() => commit(takeGroup(waiting)))
      )
      return Effect.suspend(() => (mine.answer ? Effect.void : commitAll)).pipe(
        committing.withPermits(1),
        Effect.onInterrupt(() => Effect.sync(() => remove(waiting, mine))),
        Effect.flatMap(() => mine.answer ?? Effect.dieMessage("an append was left without an answer"))
      )
    })

  return Journal.of({
    journalId,
    // While a commit is in doubt readers go on with what is committed; settling it may take a disk that works again.
    head: Effect.suspend(() => (head ? Effect.succeed(head) : EventRows.head(store))),
    append,
    read: (after, limit, stream) =>
      Effect.suspend(() => {
        if (stream !== undefined) return EventRows.readStreamAfter(store, stream, after, limit)
        const recent = tail.read(after, limit)
        return recent ? Effect.succeed(recent) : EventRows.readAfter(store, after, limit)
      }),
    tailOf: (stream) => EventRows.tailOf(store, stream),
    readStreams: (tails, limit) => EventRows.readStreams(store, tails, limit),
    byCommands: (commandIds) => Effect.zipRight(settledHead, EventRows.byCommands(store, commandIds)),
    agendas: EventRows.agendas(store),
    awaitBeyond: (after) => tail.awaitBeyond(after)
  })
})

export const layer: Layer.Layer<Journal, JournalUnavailable, SqliteStore | Writer | KnownEvents> =
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

const recorded = ({ batch, encoded }: Waiting, { first, hashes }: Committed): ReadonlyArray<RecordedEvent> =>
  encoded.events.map((event: EncodedEvent, index) => {
    const place = { offset: (first + index) as Offset, hash: hashes[index] as string }
    return new RecordedEvent({ ...event, ...place }, batch.events[index]?.data)
  })
