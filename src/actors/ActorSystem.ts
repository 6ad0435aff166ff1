/**
 * The actors as the rest of the program sees them: a command goes in, a committed outcome or a refusal comes out. Puts the
 * sequencer, the driver and the deadlines together and nothing else.
 */
import { Cause, Context, Effect, Exit, Layer, Schedule } from "effect"
import { idOf, type RecordedEvent, type StreamId } from "../events/Event.js"
import { Journal, type JournalUnavailable } from "../events/Journal.js"
import { randomHex } from "../events/randomHex.js"
import { Snapshots } from "../events/Snapshots.js"
import { slicesOf } from "../events/slicesOf.js"
import { KnownEvents } from "../events/Upcasters.js"
import type { ActorKind, CommandShape, ReasonShape } from "./ActorKind.js"
import { CommandQueue, type Envelope, type Outcome } from "./CommandQueue.js"
import { Deadlines, type Delivery } from "./Deadlines.js"
import { makeDriver, type RunningInvocation } from "./Driver.js"
import type { ActorState } from "./fold.js"
import { HubClock } from "./HubClock.js"
import { LiveActors, type LiveActorsLimits, type Quarantine } from "./LiveActors.js"
import { makeSealer, type Origin } from "./makeSealer.js"
import type { Outage } from "./Outages.js"
import { RefusalFeed } from "./RefusalFeed.js"
import type { Refused, SystemReason } from "./Refused.js"
import { Sequencer } from "./Sequencer.js"
import type { Change } from "./Turn.js"
import type { Defect } from "./TurnDecider.js"

export interface SendOptions {
  /** Who asks: a peer's name, `operator`, `hub`. */
  readonly by: string
  /** The sender's own id for this command: repeating it is harmless. Fresh when left out. */
  readonly commandId?: string | undefined
  /** The sender knows that nobody has sent this id before: the journal is not searched for it. */
  readonly isFirst?: boolean
  /** How long to wait for a command that may succeed later, ms. */
  readonly waitMs?: number | undefined
  /** The event that the command follows from, when one does. */
  readonly because?: Pick<RecordedEvent, "offset" | "correlation"> | undefined
}

/** One of many commands that are sent together. */
export interface CommandTo<Command extends CommandShape> {
  readonly id: string
  readonly command: Command
  readonly commandId: string
}

/** What a restart took up again. */
export interface Recovery {
  readonly streams: number
  /** Events folded on the way; snapshots spare the others. */
  readonly replayed: number
  readonly deadlines: number
  readonly invocations: number
  readonly quarantined: ReadonlyArray<Quarantine>
}

export class ActorSystem extends Context.Tag("mound/ActorSystem")<
  ActorSystem,
  {
    /** Sends a command to an actor, or with `id` undefined to whichever actor its kind chooses. */
    readonly send: <Command extends CommandShape, Reason extends ReasonShape>(
      kind: ActorKind<Command, Reason>,
      id: string | undefined,
      command: Command,
      options: SendOptions
    ) => Effect.Effect<Outcome, Refused<Reason>>
    /**
     * Sends a command to each of many actors of one kind, as `send` would, at once and without a fiber for each. Succeeds with what they led
     * to, in order, or fails with the first refusal; either way each of them has been decided by then.
     */
    readonly sendAll: <Command extends CommandShape, Reason extends ReasonShape>(
      kind: ActorKind<Command, Reason>,
      commands: ReadonlyArray<CommandTo<Command>>,
      by: string
    ) => Effect.Effect<ReadonlyArray<Outcome>, Refused<Reason>>
    /** Loads every actor with a deadline or an invocation and arms the deadlines. Nothing fires and nothing forks yet. */
    readonly recover: Effect.Effect<Recovery, JournalUnavailable>
    /**
     * Gives every lease at least one grace from `at` on, then lets deadlines fire and invocations run. `checkClock` runs
     * before any deadline is delivered.
     */
    readonly release: (at: number, checkClock?: Effect.Effect<void>) => Effect.Effect<void>
    /** Moves deadlines by a time that the clock skipped, and raises their floor. */
    readonly raiseFloor: (at: number, shiftMs: number) => void
    /** Since when nothing has kept anybody from renewing: from then on every lease has at least one grace. */
    readonly floorAt: () => number
    /** Commands that wait for their turn. */
    readonly waiting: () => number
    /** Deadlines that are armed. */
    readonly armed: () => number
    /** How long the most overdue deadline has waited, ms. */
    readonly overdueMs: () => number
    /** Invocations that run, save those that stand. */
    readonly running: () => ReadonlyArray<RunningInvocation>
    /** Ends every invocation except one stream's and refuses what waits. */
    readonly quiesce: (except: StreamId) => Effect.Effect<void>
    readonly outage: () => Outage | undefined
    readonly quarantined: () => ReadonlyArray<Quarantine>
    readonly refusals: RefusalFeed
    readonly live: () => number
    /** Hub time of the newest command of a caller, null before the first. */
    readonly lastCommandAt: () => number | null
  }
>() {}

export interface ActorSystemOptions {
  readonly kinds: ReadonlyArray<ActorKind>
  /** Why a command is not taken now, if it is not. Asked in the command's turn, when live states are exactly current. */
  readonly gate?: (envelope: Envelope, live: LiveActors) => SystemReason | undefined
  /** The kind whose invocations run during recovery too: the hub's. */
  readonly unheld?: ActorKind
  readonly onCommitted?: (changes: ReadonlyArray<Change>) => void
  /** Told of every command that was carried out, right before its sender is. */
  readonly onCarriedOut?: (envelope: Envelope, outcome: Outcome) => void
  readonly onDefect?: (defect: Defect) => void
  /** The sequencer itself died: nothing can be decided any more. */
  readonly onFatal?: (cause: Cause.Cause<never>) => void
  /** The command that records that the journal takes writes again. */
  readonly resume?: (outage: Outage) => Addressed
  readonly limits?: LiveActorsLimits
}

/** A command and the actor it goes to. */
export interface Addressed {
  readonly kind: ActorKind
  readonly id: string
  readonly command: CommandShape
}

const defaultLimits: LiveActorsLimits = { maxLive: 20_000, idleMs: 60_000 }
/** Streams that a recovery loads at a time. */
const recoveryChunk = 500
/** When an invocation or a deadline that met a passing refusal comes again. */
const againMs = 1_000
const passing: ReadonlySet<string> = new Set([
  "ReadOnly",
  "SlowDown",
  "Recovering",
  "Draining",
  "OutcomeUnknown"
])
/** Whether a refusal is over by itself soon: the same command is then worth another try. */
export const passes = ({ reason }: Refused): boolean => passing.has(reason._tag)

export const layer = (
  options: ActorSystemOptions
): Layer.Layer<ActorSystem, never, Journal | Snapshots | KnownEvents | HubClock> =>
  Layer.scoped(ActorSystem, make(options))

const make = (options: ActorSystemOptions) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const clock = yield* HubClock
    const scope = yield* Effect.scope
    const kinds = new Map(options.kinds.map((kind) => [kind.name, kind]))
    const limits = options.limits ?? defaultLimits
    const actors = new LiveActors(kinds, yield* KnownEvents, journal, yield* Snapshots, limits)
    const refusals = new RefusalFeed()
    const queue = new CommandQueue()
    const seal = makeSealer(yield* randomHex(12), clock.now)
    let floorAt = 0
    let released = false
    let lastCommandAt: number | null = null

    const sequencer: Sequencer = new Sequencer({
      queue,
      actors,
      journal,
      now: clock.now,
      floorAt: () => floorAt,
      gate: (envelope) => options.gate?.(envelope, actors),
      onCommitted: (changes) => {
        for (const { kind, before, after } of changes) {
          if (before.deadlines !== after.deadlines) arm(kind, after)
          if (before.invocations !== after.invocations) drive(kind, after)
        }
        options.onCommitted?.(changes)
      },
      onRefused: (envelope, { reason }) => refusals.add(clock.now(), envelope, reason),
      onDefect: (defect) => options.onDefect?.(defect),
      resume: (outage) => {
        const resume = options.resume?.(outage)
        // Nobody could renew a lease meanwhile: from now on each has at least one grace.
        const resumed: Envelope["answer"] = (exit) => {
          if (Exit.isSuccess(exit)) raiseFloor(exit.value.at)
        }
        return resume && seal(resume.kind, resume.id, resume.command, { lane: "hub", by: "hub" }, resumed)
      }
    })

    const submitTo = (
      kind: ActorKind,
      id: string | undefined,
      command: CommandShape,
      origin: Origin,
      answer: Envelope["answer"]
    ): Envelope => {
      const envelope: Envelope = seal(kind, id, command, origin, (exit) => {
        if (Exit.isSuccess(exit)) options.onCarriedOut?.(envelope, exit.value)
        answer(exit)
      })
      sequencer.submit(envelope)
      return envelope
    }

    const submit = (
      kind: ActorKind,
      id: string | undefined,
      command: CommandShape,
      origin: Origin
    ): Effect.Effect<Outcome, Refused> =>
      Effect.async((resume) => {
        // A commit in doubt may be answered twice; the first answer is the one that counts, as `resume` has it.
        const envelope = submitTo(kind, id, command, origin, resume)
        return Effect.sync(() => sequencer.forget(envelope))
      })

    const submitAll = (
      kind: ActorKind,
      commands: ReadonlyArray<CommandTo<CommandShape>>,
      by: string
    ): Effect.Effect<ReadonlyArray<Outcome>, Refused> =>
      Effect.async((resume) => {
        const exits = new Map<number, Exit.Exit<Outcome, Refused>>()
        const take = (index: number, exit: Exit.Exit<Outcome, Refused>) => {
          // Of two answers to a commit in doubt the first one counts.
          if (!exits.has(index)) exits.set(index, exit)
          if (exits.size < commands.length) return
          resume(Effect.forEach(commands, (_, index) => exits.get(index) as Exit.Exit<Outcome, Refused>))
        }
        if (commands.length === 0) return resume(Effect.succeed([]))
        const envelopes = commands.map(({ id, command, commandId }, index) =>
          submitTo(kind, id, command, { lane: "caller", by, commandId }, (exit) => take(index, exit))
        )
        return Effect.sync(() => {
          for (const envelope of envelopes) sequencer.forget(envelope)
        })
      })

    const driver = yield* makeDriver({
      send: (kind, stream, { src, since, correlation }, command) =>
        submit(kind, idOf(stream), command, {
          lane: "invocation",
          by: `invocation:${src}`,
          causation: since,
          correlation
        }).pipe(Effect.retry({ while: passes, schedule: Schedule.spaced(againMs) })),
      onDefect: (stream, cause) =>
        options.onDefect?.({ stream, offset: null, where: "invocation", error: Cause.squash(cause) })
    })
    const drive = (kind: ActorKind, state: ActorState) => {
      if (released || kind === options.unheld) driver.update(kind, state)
    }

    const deadlines = new Deadlines({
      now: clock.now,
      deliver: (stream, deadline) =>
        submit(actors.kindOf(stream), idOf(stream), deadline.event, {
          lane: "deadline",
          by: "deadline",
          causation: deadline.armedBy,
          correlation: deadline.correlation,
          deadline
        }).pipe(
          Effect.match({
            onSuccess: (): Delivery => "settled",
            onFailure: (refused): Delivery => (passes(refused) ? "again" : "settled")
          })
        )
    })
    const arm = (kind: ActorKind, state: ActorState) => deadlines.update(state, kind.graceMs?.(state))
    const raiseFloor = (at: number, shiftMs = 0) => {
      floorAt = at
      deadlines.raiseFloor(at, shiftMs)
    }

    // Without its sequencer a hub can do nothing: that is the one defect that must end it.
    const fatal = (cause: Cause.Cause<never>) =>
      Cause.isInterruptedOnly(cause) ? Effect.void : Effect.sync(() => options.onFatal?.(cause))
    yield* Effect.forkScoped(Effect.tapErrorCause(sequencer.run, fatal))

    return ActorSystem.of({
      send: (kind, id, command, { by, commandId, isFirst = false, because, waitMs = 0 }) => {
        // What the hub has to say of itself does not wait behind its callers.
        const lane = kind === options.unheld ? "hub" : "caller"
        if (lane === "caller") lastCommandAt = clock.now()
        const { offset: causation, correlation } = because ?? {}
        const origin: Origin = {
          lane,
          by,
          commandId,
          isFirst,
          waitUntil: clock.now() + waitMs,
          ...(causation !== undefined && { causation }),
          ...(correlation !== undefined && correlation !== null && { correlation })
        }
        const sent = submit(kind, id, command, origin) as Effect.Effect<Outcome, Refused<never>>
        if (waitMs === 0) return sent
        const timesUp = Effect.sync(() =>
          sequencer.refuseWaiting(({ waitUntil }) => waitUntil <= clock.now())
        )
        return Effect.raceFirst(sent, Effect.zipRight(Effect.delay(timesUp, waitMs), Effect.never))
      },
      sendAll: (kind, commands, by) => {
        lastCommandAt = clock.now()
        return submitAll(kind, commands, by) as Effect.Effect<ReadonlyArray<Outcome>, Refused<never>>
      },
      recover: Effect.gen(function* () {
        const streams = (yield* journal.agendas).map(({ stream }) => stream)
        let invocations = 0
        let recovered = 0
        for (const chunk of slicesOf(streams, recoveryChunk)) {
          yield* actors.ensure(chunk, clock.now())
          // At once, since more of them may have a deadline than may stay in memory.
          for (const stream of chunk.filter((each) => actors.isLive(each))) {
            const state = actors.state(stream)
            arm(actors.kindOf(stream), state)
            invocations += state.invocations.length
            recovered += 1
          }
        }
        return {
          streams: recovered,
          replayed: actors.replayed,
          deadlines: deadlines.size,
          invocations,
          quarantined: actors.quarantined
        }
      }),
      release: (at, checkClock = Effect.void) =>
        Effect.gen(function* () {
          released = true
          raiseFloor(at)
          for (const state of actors.withInvocations()) drive(actors.kindOf(state.stream), state)
          yield* Effect.forkIn(deadlines.run(checkClock), scope)
        }),
      raiseFloor,
      floorAt: () => floorAt,
      waiting: () => queue.waiting,
      armed: () => deadlines.size,
      overdueMs: () => deadlines.overdueMs,
      running: driver.running,
      quiesce: (except) =>
        Effect.suspend(() => {
          sequencer.refuseWaiting(() => true, { _tag: "Draining" })
          return driver.interruptAll(except)
        }),
      outage: () => sequencer.outage,
      quarantined: () => actors.quarantined,
      refusals,
      live: () => actors.size,
      lastCommandAt: () => lastCommandAt
    })
  })
