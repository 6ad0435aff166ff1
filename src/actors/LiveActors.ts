/**
 * The actors in memory: each folded from its snapshot and the tail of its stream when it is first needed, and let go when it
 * has been idle. Loads are set-wise, so that a batch of commands to a hundred sleeping actors costs two queries.
 */
import { Effect } from "effect"
import { kindOf, type Offset, type RecordedEvent, type StreamId, type Version } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import type { Snapshot, Snapshots } from "../events/Snapshots.js"
import { type EventTypes, UnknownEvent, upcast } from "../events/Upcasters.js"
import type { ActorKind } from "./ActorKind.js"
import type { ActorState } from "./fold.js"

/** A stream whose history does not fold with today's machine: its commands are refused, everything else goes on. */
export interface Quarantine {
  readonly stream: StreamId
  readonly offset: Offset
  readonly problem: string
}

interface LiveActor {
  readonly kind: ActorKind
  state: ActorState
  /** Version of its stored snapshot, 0 without one. */
  snapshotVersion: number
  usedAt: number
}

/** Events after which a snapshot is worth a row: what an activation then folds at most, about half a millisecond. */
const snapshotEvery = 64

export interface LiveActorsLimits {
  /** Actors held in memory; the longest idle ones go first. */
  readonly maxLive: number
  readonly idleMs: number
}

export class LiveActors {
  /** In order of use, the longest idle first. */
  readonly #live = new Map<StreamId, LiveActor>()
  readonly #quarantined = new Map<StreamId, Quarantine>()
  #replayed = 0
  /** Committed states whose tail has grown long enough for a snapshot. */
  readonly #due = new Map<LiveActor, ActorState>()

  constructor(
    private readonly kinds: ReadonlyMap<string, ActorKind>,
    private readonly known: EventTypes,
    private readonly journal: Journal["Type"],
    private readonly snapshots: Snapshots["Type"],
    private readonly limits: LiveActorsLimits
  ) {}

  get size(): number {
    return this.#live.size
  }

  /** Events folded by activations so far. */
  get replayed(): number {
    return this.#replayed
  }

  get quarantined(): ReadonlyArray<Quarantine> {
    return [...this.#quarantined.values()]
  }

  quarantineOf(stream: StreamId): Quarantine | undefined {
    return this.#quarantined.get(stream)
  }

  isLive(stream: StreamId): boolean {
    return this.#live.has(stream)
  }

  /** The current state of a live actor. */
  state(stream: StreamId): ActorState {
    const actor = this.#live.get(stream)
    if (!actor) throw new Error(`${stream} is not live`)
    return actor.state
  }

  /** Takes over an actor's next state, or an earlier one when a commit failed. */
  replace(state: ActorState): void {
    const actor = this.#live.get(state.stream)
    if (!actor) throw new Error(`${state.stream} is not live`)
    actor.state = state
  }

  /** Takes note of states that are durable now: only of these may a snapshot be made. */
  committed(changes: ReadonlyArray<{ readonly after: ActorState }>): void {
    for (const { after } of changes) {
      const actor = this.#live.get(after.stream)
      if (actor && after.version - actor.snapshotVersion >= snapshotEvery) this.#due.set(actor, after)
    }
  }

  /** Makes the actors of these streams live. A history that does not fold is quarantined instead. */
  ensure(streams: Iterable<StreamId>, now: number): Effect.Effect<void, JournalUnavailable> {
    const missing: Array<StreamId> = []
    for (const stream of streams) {
      const actor = this.#live.get(stream)
      if (actor) this.#touch(stream, actor, now)
      else if (!this.#quarantined.has(stream)) missing.push(stream)
    }
    return missing.length === 0 ? Effect.void : this.#load([...new Set(missing)], now)
  }

  /** The state of a stream as it was after an earlier event of it; undefined when its history does not fold that far. */
  stateAt(stream: StreamId, version: Version): Effect.Effect<ActorState | undefined, JournalUnavailable> {
    const current = this.#live.get(stream)?.state
    if (current?.version === version) return Effect.succeed(current)
    const kind = this.kindOf(stream)
    return Effect.map(this.journal.readStreams([{ stream, after: 0 as Version }], version), (events) => {
      let state = kind.fold.initial(stream)
      for (const event of events) {
        const next = foldOne(kind, state, upcast(this.known, event))
        if (typeof next === "string") return undefined
        state = next
      }
      return state
    })
  }

  withInvocations(): ReadonlyArray<ActorState> {
    return [...this.#live.values()]
      .map(({ state }) => state)
      .filter(({ invocations }) => invocations.length > 0)
  }

  /** Writes the snapshots that are due. Losing them costs time only, so a store that fails is left to others to report. */
  readonly saveSnapshots: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#due.size === 0) return Effect.void
    const rows = [...this.#due].map(([actor, state]): Snapshot => {
      const { kind } = actor
      const { stream, version } = state
      actor.snapshotVersion = version
      return { stream, version, kindVersion: kind.version, state: kind.fold.persist(state) }
    })
    this.#due.clear()
    return Effect.ignore(this.snapshots.save(rows))
  })

  /** Lets the longest idle actors go, save those with a running invocation and those that `isBusy`. */
  passivate(now: number, isBusy: (stream: StreamId) => boolean): void {
    for (const [stream, actor] of this.#live) {
      const over = this.#live.size > this.limits.maxLive
      if (!over && now - actor.usedAt < this.limits.idleMs) break
      if (actor.state.invocations.length === 0 && !isBusy(stream)) this.#live.delete(stream)
    }
  }

  #load(streams: ReadonlyArray<StreamId>, now: number) {
    return Effect.gen(this, function* () {
      const found = yield* this.snapshots.latest(streams)
      const snapshots = new Map(
        found.filter((each) => this.#isUsable(each)).map((each) => [each.stream, each])
      )
      const actors = new Map(
        streams.map((stream) => [stream, this.#start(stream, snapshots.get(stream), now)])
      )
      const tails = [...actors.values()].map(({ state: { stream, version } }) => ({ stream, after: version }))
      for (const event of yield* this.journal.readStreams(tails)) {
        const actor = actors.get(event.stream)
        if (actor && !this.#advance(actor, event)) actors.delete(event.stream)
      }
      // Whoever loaded one of them meanwhile may have moved it already.
      for (const [stream, actor] of actors) if (!this.#live.has(stream)) this.#live.set(stream, actor)
    })
  }

  #touch(stream: StreamId, actor: LiveActor, now: number): void {
    actor.usedAt = now
    this.#live.delete(stream)
    this.#live.set(stream, actor)
  }

  #isUsable({ stream, kindVersion }: Snapshot): boolean {
    return this.kindOf(stream).version === kindVersion
  }

  #start(stream: StreamId, snapshot: Snapshot | undefined, usedAt: number): LiveActor {
    const kind = this.kindOf(stream)
    const restored = snapshot && restore(kind, snapshot)
    const state = restored ?? kind.fold.initial(stream)
    return { kind, state, snapshotVersion: state.version, usedAt }
  }

  /** False when the history does not fold at this event; its stream is then quarantined. */
  #advance(actor: LiveActor, recorded: RecordedEvent): boolean {
    if (this.#quarantined.has(recorded.stream)) return false
    const next = foldOne(actor.kind, actor.state, upcast(this.known, recorded))
    if (typeof next === "string") {
      const { stream, offset } = recorded
      this.#quarantined.set(stream, { stream, offset, problem: next })
      actor.kind.index?.exclude?.(stream)
      return false
    }
    actor.state = next
    this.#replayed += 1
    return true
  }

  /** The kind that owns a stream. */
  kindOf(stream: StreamId): ActorKind {
    const kind = this.kinds.get(kindOf(stream))
    if (!kind) throw new Error(`no actor kind owns the stream ${stream}`)
    return kind
  }
}

/** Undefined when today's machine cannot make anything of it: a snapshot is worth no more than the time it saves. */
const restore = ({ fold }: ActorKind, { stream, state }: Snapshot): ActorState | undefined => {
  try {
    return fold.restore(stream, state)
  } catch {
    return undefined
  }
}

/** The next state, or what keeps the event from folding. */
const foldOne = (
  kind: ActorKind,
  state: ActorState,
  event: RecordedEvent | UnknownEvent
): ActorState | string => {
  if (event instanceof UnknownEvent) return event.message
  try {
    return kind.fold.apply(state, event) ?? `no ${event.type} in state ${state.name}`
  } catch (error) {
    return `the machine failed on ${event.type}: ${error}`
  }
}
