/**
 * A reflex: a pure rule from an event to commands. It follows the journal from a durable cursor, so each event is met at least once;
 * its command ids say which event they answer to, so each command is carried out once (contracts: senses and workflows 3.4).
 */
import { Array as Arr, Effect, Schedule } from "effect"
import { makeStreamId, type Offset, type RecordedEvent } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import type { ActorKind, CommandShape } from "./ActorKind.js"
import { type ActorSystem, passes } from "./ActorSystem.js"
import type { Reason } from "./Refused.js"

/** A command that follows from an event. */
export interface Reaction {
  readonly kind: ActorKind
  readonly id: string
  readonly command: CommandShape
  /** Reactions about one thing are carried out in the order of their events; others need not wait for them. */
  readonly about: string
  /** What follows when the command is refused for good. */
  readonly refused?: (reason: Reason) => Reaction | undefined
}

export interface Reflex {
  readonly name: string
  /** Reads nothing but what the event itself has settled: met again, it leads to the same commands. */
  readonly react: (event: RecordedEvent) => Effect.Effect<ReadonlyArray<Reaction>, JournalUnavailable>
}

/** Where a reflex goes on after a restart. A cursor that is lost costs time only. */
export interface Cursors {
  readonly load: (name: string) => Effect.Effect<Offset, JournalUnavailable>
  readonly save: (name: string, offset: Offset) => Effect.Effect<void, JournalUnavailable>
}

const pageSize = 256
/** How far a cursor may be behind: what a restart looks at again. */
const saveEvery = 2_000
const againMs = 1_000

/** Follows the journal for ever. */
export const follow = (
  { name, react }: Reflex,
  system: ActorSystem["Type"],
  journal: Journal["Type"],
  cursors: Cursors
): Effect.Effect<never, JournalUnavailable> =>
  Effect.gen(function* () {
    let cursor = yield* cursors.load(name)
    let saved = cursor
    for (;;) {
      const page = yield* journal.read(cursor, pageSize)
      const reactions = (yield* Effect.forEach(page, (event) =>
        Effect.map(react(event), (each) => named(name, event, each))
      )).flat()
      const byAbout = Object.values(Arr.groupBy(reactions, ({ reaction }) => reaction.about))
      yield* Effect.forEach(
        byAbout,
        (own) => Effect.forEach(own, (each) => carryOut(name, system, each), { discard: true }),
        { concurrency: "unbounded", discard: true }
      )
      cursor = page.at(-1)?.offset ?? cursor
      const isIdle = page.length < pageSize
      if (cursor - saved >= (isIdle ? pageSize : saveEvery)) {
        yield* cursors.save(name, cursor)
        saved = cursor
      }
      if (isIdle) yield* journal.awaitBeyond(cursor)
    }
  })

interface Named {
  readonly event: RecordedEvent
  readonly reaction: Reaction
  readonly commandId: string
}

/** `<reflex>:<offset>:<target>`; a further command to the same target has its number behind. */
const named = (
  name: string,
  event: RecordedEvent,
  reactions: ReadonlyArray<Reaction>
): ReadonlyArray<Named> => {
  const seen = new Map<string, number>()
  return reactions.map((reaction) => {
    const target = makeStreamId(reaction.kind.name, reaction.id)
    const count = (seen.get(target) ?? 0) + 1
    seen.set(target, count)
    const commandId = `${name}:${event.offset}:${target}${count > 1 ? `:${count}` : ""}`
    return { event, reaction, commandId }
  })
}

/** Until it is carried out, or refused for a reason that will not pass. */
const carryOut = (
  name: string,
  system: ActorSystem["Type"],
  { event, reaction, commandId }: Named
): Effect.Effect<void> => {
  const { kind, id, command, refused } = reaction
  const origin = {
    by: `reflex:${name}`,
    commandId,
    lane: "hub",
    causation: event.offset,
    correlation: event.correlation
  } as const
  return system.send(kind, id, command, origin).pipe(
    Effect.retry({ while: passes, schedule: Schedule.spaced(againMs) }),
    Effect.asVoid,
    Effect.catchAll(({ reason }) => {
      const [next] = named(name, event, [refused?.(reason) ?? []].flat())
      return next ? carryOut(name, system, next) : Effect.void
    })
  )
}
