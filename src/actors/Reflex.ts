/**
 * Rules from events to commands: a follower of the journal with a durable cursor. A command's id is `<reflex>:<offset>:<target>`, so it
 * may be delivered twice, after a crash, and is done once. A refusal that passes is waited for; any other is final.
 */
import { Array as Arr, Clock, Effect } from "effect"
import type { Cursor } from "../events/Cursor.js"
import type { Offset, RecordedEvent } from "../events/Event.js"
import { forEachPage, type Journal, type JournalUnavailable } from "../events/Journal.js"
import type { ActorKind, CommandShape } from "./ActorKind.js"
import { type ActorSystem, passes } from "./ActorSystem.js"
import type { Refused } from "./Refused.js"

export interface ReflexCommand {
  readonly kind: ActorKind
  readonly id: string
  readonly command: CommandShape
  /** Tells the commands of one event apart: with the reflex and the offset it makes the command's id. */
  readonly target: string
  /** What follows from a refusal that is final. */
  readonly onRefused?: (reason: Refused["reason"]) => ReflexCommand
}

export interface Reflex {
  readonly name: string
  /** Event types that it looks at: others are passed over unread. */
  readonly on: ReadonlySet<string>
  /** Looks up nothing but what the event has settled: met again, it leads to the same commands. */
  readonly rule: (
    event: RecordedEvent
  ) => ReadonlyArray<ReflexCommand> | Effect.Effect<ReadonlyArray<ReflexCommand>, JournalUnavailable>
}

export interface ReflexServices {
  readonly system: ActorSystem["Type"]
  readonly journal: Journal["Type"]
  readonly cursor: Cursor
}

/** When a refused command comes again, ms. */
const againMs = 1_000
/** The cursor is moved so often at most: saving it waits for the disk. After a crash what came since is done again, in vain. */
const saveMs = 1_000
/** So many events that were none of its own make it worth moving too: a restart would look at them again. */
const passedOver = 10_000

/** An event, and what the rule says of it. */
interface Ruled {
  readonly event: RecordedEvent
  readonly ruled: ReturnType<Reflex["rule"]>
}

/** Runs for ever, from where the cursor stands. */
export const runReflex = (
  reflex: Reflex,
  { system, journal, cursor }: ReflexServices
): Effect.Effect<void, JournalUnavailable> =>
  Effect.gen(function* () {
    const head = yield* journal.head
    // What comes after this nobody has answered yet.
    const answeredUpTo = head.offset
    // A journal that was restored may end before the cursor.
    let done = Math.min(cursor.read(), head.offset) as Offset
    let saved = { offset: done, at: Number.NEGATIVE_INFINITY }
    let isWorthSaving = false
    // A disk that takes nothing costs repeats after a restart.
    const save = Effect.ignore(Effect.try(() => cursor.save(done)))
    const saveIfDue = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now - saved.at < saveMs) return
      saved = { offset: done, at: now }
      isWorthSaving = false
      yield* save
    })
    const answer = ({ event, ruled }: Ruled) =>
      Effect.gen(function* () {
        const commands = Effect.isEffect(ruled) ? yield* ruled : ruled
        const isFirst = event.offset > answeredUpTo
        yield* Effect.forEach(commands, (command) => deliver(system, reflex.name, event, command, isFirst), {
          concurrency: "unbounded",
          discard: true
        })
      })
    yield* forEachPage(journal, done, (page) =>
      Effect.gen(function* () {
        // Most events lead to nothing: those cost a look, and no fiber.
        const answered = page
          .filter(({ type }) => reflex.on.has(type))
          .map((event): Ruled => ({ event, ruled: reflex.rule(event) }))
          .filter(({ ruled }) => Effect.isEffect(ruled) || ruled.length > 0)
        // What follows from one actor's events follows in their order; those of several share their commits.
        if (answered.length > 0) {
          const byActor = Object.values(Arr.groupBy(answered, ({ event }) => event.stream))
          yield* Effect.forEach(byActor, (events) => Effect.forEach(events, answer, { discard: true }), {
            concurrency: "unbounded",
            discard: true
          })
        }
        done = page.at(-1)?.offset ?? done
        isWorthSaving ||= answered.length > 0 || done - saved.offset >= passedOver
        if (isWorthSaving) yield* saveIfDue
      })
    ).pipe(Effect.ensuring(save))
  })

const deliver = (
  system: ActorSystem["Type"],
  reflex: string,
  event: RecordedEvent,
  { kind, id, command, target, onRefused }: ReflexCommand,
  isFirst: boolean
): Effect.Effect<void> => {
  const commandId = `${reflex}:${event.offset}:${target}`
  return system.send(kind, id, command, { by: `reflex:${reflex}`, commandId, isFirst, because: event }).pipe(
    Effect.asVoid,
    Effect.catchAll((refused) => {
      if (passes(refused)) {
        const same = { kind, id, command, target, ...(onRefused && { onRefused }) }
        const again = deliver(system, reflex, event, same, false)
        return Effect.delay(again, againMs)
      }
      return onRefused ? deliver(system, reflex, event, onRefused(refused.reason), isFirst) : Effect.void
    })
  )
}
