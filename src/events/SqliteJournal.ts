/**
 * The journal over a store and its writer. Appends that wait together share one transaction and one fsync (group commit): while one
 * group is being committed the next one gathers.
 */
import { Effect, Exit, Layer, Runtime } from "effect"
import { type EncodedEvent, encodeEvent, type Offset, RecordedEvent } from "./Event.js"
import * as EventRows from "./EventRows.js"
import { type Head, headAfter } from "./HashChain.js"
import { ioTurn } from "./ioTurn.js"
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
  readonly answer: (answer: Answer) => void
}

const make = Effect.gen(function* () {
  const store = yield* SqliteStore
  const writer = yield* Writer
  const known = yield* KnownEvents
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  const waiting: Array<Waiting> = []
  let isCommitting = false
  /** More than one caller's events were in the newest group, or may be in the first. */
  let isShared = true
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
      const exits: Array<Answer> = []
      for (const [index, each] of group.entries()) {
        const answer = answers[index] as Committed | VersionConflict
        if (answer instanceof VersionConflict) exits.push(Exit.fail(answer))
        else {
          const events = recorded(each, answer)
          exits.push(Exit.succeed(events))
          appended.push(...events)
        }
      }
      head = headAfter(before, appended)
      tail.push(appended)
      for (const [index, { answer }] of group.entries()) answer(exits[index] as Answer)
    }).pipe(
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          head = undefined
          for (const { answer } of group) answer(Exit.failCause(cause))
        })
      ),
      Effect.uninterruptible
    )

  /**
   * Group after group, until nobody waits. Where several append at a time whoever is about to has a turn first; one that appends alone
   * is not kept waiting for company.
   */
  const commitAll = Effect.gen(function* () {
    while (waiting.length > 0) {
      if (isShared) yield* Effect.yieldNow()
      const group = takeGroup(waiting)
      isShared = group.length > 1
      yield* commit(group)
    }
    isCommitting = false
  })

  const append = (batch: Batch) =>
    Effect.async<ReadonlyArray<RecordedEvent>, VersionConflict | JournalUnavailable>((resume) => {
      const unknown = batch.events.map((event) => assertKnown(known, event)).find((fault) => fault)
      if (unknown) return resume(Effect.die(unknown))
      const encoded = { events: batch.events.map(encodeEvent), agendas: batch.agendas ?? [] }
      let whenAnswered = () => {}
      const mine: Waiting = {
        batch,
        encoded,
        answer: (answer) => {
          resume(answer)
          whenAnswered()
        }
      }
      waiting.push(mine)
      if (!isCommitting) {
        isCommitting = true
        fork(commitAll)
      }
      // What is on its way to the disk comes to its end, also when nobody wants it any more.
      return Effect.async<void>((gone) => {
        if (remove(waiting, mine)) gone(Effect.void)
        else whenAnswered = () => gone(Effect.void)
      })
    })

  return Journal.of({
    journalId,
    // While a commit is in doubt readers go on with what is committed; settling it may take a disk that works again.
    head: Effect.suspend(() => (head ? Effect.succeed(head) : EventRows.head(store))),
    append,
    read: (after, limit, stream) =>
      Effect.suspend(() => {
        const recent = stream === undefined ? tail.read(after, limit) : undefined
        if (recent) return Effect.succeed(recent)
        const reading =
          stream === undefined
            ? EventRows.readAfter(store, after, limit)
            : EventRows.readStreamAfter(store, stream, after, limit)
        // SQLite answers at once: whoever reads page after page of a long past would hold up everybody else until its end.
        return Effect.zipRight(ioTurn, reading)
      }),
    tailOf: (stream) => EventRows.tailOf(store, stream),
    readStreams: (tails, limit) =>
      Effect.suspend(() => {
        const [first, ...others] = tails
        const recent = first && others.length === 0 && tail.readStream(first.stream, first.after)
        return recent ? Effect.succeed(recent.slice(0, limit)) : EventRows.readStreams(store, tails, limit)
      }),
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

/** False when it does not wait any more. */
const remove = (waiting: Array<Waiting>, mine: Waiting): boolean => {
  const index = waiting.indexOf(mine)
  if (index >= 0) waiting.splice(index, 1)
  return index >= 0
}

const recorded = ({ batch, encoded }: Waiting, { first, hashes }: Committed): ReadonlyArray<RecordedEvent> =>
  encoded.events.map((event: EncodedEvent, index) => {
    const place = { offset: (first + index) as Offset, hash: hashes[index] as string }
    return new RecordedEvent({ ...event, ...place }, batch.events[index]?.data)
  })
