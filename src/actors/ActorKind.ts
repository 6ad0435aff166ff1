/**
 * What a kind of actor is: a pure machine, the commands it takes and the events they lead to, and the effects that its
 * states invoke. Alone responsible for deciding; alone allowed to add the time and fresh ids to what a machine knows.
 */
import type { Cause, Effect } from "effect"
import type { StreamId } from "../events/Event.js"
import type { Deadline } from "../events/Journal.js"
import type { Upcaster } from "../events/Upcasters.js"
import type { Outcome } from "./CommandQueue.js"
import type { ActorState, Fold, Invocation } from "./fold.js"
import type { Refused, SystemReason } from "./Refused.js"

/** Asks for something and may be refused. Plain data, discriminated by `type`. */
export interface CommandShape {
  readonly type: string
}

/** A fact about to be appended: its `type` and the event's own fields. */
export interface EventShape {
  readonly type: string
}

export interface ReasonShape {
  readonly _tag: string
}

/** What `decide` may use besides the state and the command. */
export interface DecideContext {
  /** Hub clock, epoch ms: the `at` of every event that this decision leads to. */
  readonly now: number
  /** Who sent the command. */
  readonly by: string
  /** Since when the hub could be reached and could write: no lease may end sooner than one grace after it. */
  readonly floorAt: number
  /** The current state of an actor that the kind names in `reads`. */
  readonly read: (stream: StreamId) => ActorState
}

/** Events of one other, new stream, appended in the same batch. */
export interface Admission {
  readonly kind: string
  readonly id: string
  readonly events: ReadonlyArray<EventShape>
}

/** What a command leads to: facts, nothing at all (it is so already), a refusal, or waiting until it may succeed. */
export type Decision<Event extends EventShape, Reason extends ReasonShape> =
  | { readonly _tag: "Accept"; readonly events: ReadonlyArray<Event>; readonly admits?: Admission }
  | { readonly _tag: "Unchanged" }
  | Refusal<Reason>

/** The actor that a command without an address goes to. */
export type Choice<Reason extends ReasonShape> =
  | { readonly _tag: "Choose"; readonly id: string }
  | { readonly _tag: "Wait"; readonly reason: Reason }
  | Refusal<Reason>

export interface Refusal<Reason extends ReasonShape> {
  readonly _tag: "Refuse"
  readonly reason: Reason | SystemReason
}

export const accept = <const Events extends ReadonlyArray<EventShape>>(...events: Events) =>
  ({ _tag: "Accept", events }) as const
export const unchanged = { _tag: "Unchanged" } as const
export const refuse = <Reason extends ReasonShape>(reason: Reason) => ({ _tag: "Refuse", reason }) as const

/** A running invocation's view of its actor. */
export interface InvocationCall {
  readonly stream: StreamId
  readonly invocation: Invocation
  /** The same for every attempt at this invocation, across restarts: `<stream>@<offset of entry>`. */
  readonly idempotencyKey: string
  readonly send: (command: CommandShape) => Effect.Effect<Outcome, Refused>
}

/** A fiber that runs while a machine is in a state. It reports by sending commands to its own actor. */
export interface InvocationDefinition {
  readonly run: (call: InvocationCall) => Effect.Effect<void>
  /** It stands by for as long as its state lasts and is no work: a drain does not wait for it. */
  readonly isStanding?: boolean
  /** The command that records its death. A fiber that is interrupted because its state was left did not die. */
  readonly lost: (cause: Cause.Cause<never>, invocation: Invocation) => CommandShape
}

/** A quick answer to "which of them": the sequencer tells it every change of state, and takes changes back the same way. */
export interface ActorIndex {
  update(before: ActorState, after: ActorState): void
  /** An actor is quarantined: it must not be chosen any more, or it would stand before all others for ever. */
  exclude?(stream: StreamId): void
}

/** What it takes to read the past of a kind's actors. */
export interface ActorHistory {
  /** First part of its streams' names. */
  readonly name: string
  /** Raised when the machine's states or context change shape; older snapshots are then ignored. */
  readonly version: number
  readonly fold: Fold
  /** States that nothing leaves: the stream of an actor in one of them has ended. */
  readonly finalStates?: ReadonlySet<string>
  /** Its event types, each with the upcasters from its first shape to today's. */
  readonly upcasters: { readonly [eventType: string]: ReadonlyArray<Upcaster> }
}

/**
 * Methods, not function properties: a kind's own take its own states and commands, which is narrower than what stands
 * here, and method parameters permit that. It is sound because an actor only ever meets states and commands of its kind.
 */
export interface ActorKind<
  Command extends CommandShape = CommandShape,
  Reason extends ReasonShape = ReasonShape
> extends ActorHistory {
  /** For each command the event types it may lead to: how a repeated command id is told from a reused one. */
  readonly yields: { readonly [Type in Command["type"]]: ReadonlyArray<string> }
  /** Commands that begin something new: a draining hub refuses these and no others. */
  readonly startsWork: ReadonlySet<string>
  decide(state: ActorState, command: Command, context: DecideContext): Decision<EventShape, Reason>
  /** Picks the actor for a command that is sent to the kind as a whole. */
  choose?(command: Command, context: DecideContext): Choice<Reason>
  /** Whether an actor's new state may let a command through that `choose` lets wait. */
  wakes?(command: Command, state: ActorState): boolean
  /** Other actors whose state the decision of a command to this stream needs. */
  reads?(command: Command, stream: StreamId | undefined): ReadonlyArray<StreamId>
  /** The event of a deadline that came due, completed with what is known only then, and whatever it brings about at once. */
  complete?(
    state: ActorState,
    deadline: Deadline,
    context: DecideContext
  ): EventShape | ReadonlyArray<EventShape>
  /** How long after a restart a deadline of this state comes due at the earliest, ms. */
  graceMs?(state: ActorState): number | undefined
  /** Deadlines of this kind wait while the hub drains. */
  readonly holdsDeadlines?: boolean
  readonly index?: ActorIndex
  readonly invocations?: { readonly [src: string]: InvocationDefinition }
}
