/** given(events).when(command): what a kind decides on a stream with this history, checked by its machine like any command. */
import type {
  ActorKind,
  CommandShape,
  DecideContext,
  EventShape,
  ReasonShape
} from "../../src/actors/ActorKind.js"
import type { ActorState } from "../../src/actors/fold.js"
import {
  type EventData,
  makeStreamId,
  type Offset,
  type StreamId,
  type Version
} from "../../src/events/Event.js"
import type { Deadline } from "../../src/events/Journal.js"

/** An event of the past, at a time if that matters. */
export type Past = EventShape & { readonly at?: number }

/** What a command led to: its events, those of the stream that it made, and the state after; or why it was refused. */
export interface Result {
  readonly events: ReadonlyArray<EventShape>
  readonly admitted: ReadonlyArray<EventShape>
  readonly refused: ReasonShape | undefined
  readonly state: string
  readonly after: ActorState
}

export interface Given<Command> {
  readonly state: ActorState
  readonly when: (command: Command, more?: { readonly at?: number; readonly by?: string }) => Result
  /** The deadline of this id comes due, when it is due. */
  readonly whenDue: (id: string) => Result
  readonly deadline: (id: string) => Deadline | undefined
}

export const given = <Command extends CommandShape, Reason extends ReasonShape>(
  kind: ActorKind<Command, Reason>,
  id: string,
  past: ReadonlyArray<Past>
): Given<Command> => {
  const stream = makeStreamId(kind.name, id)
  let state = kind.fold.initial(stream)
  for (const { at, ...event } of past) {
    const next = step(kind, state, event, at ?? state.at, "test", null)
    if (!next) throw new Error(`the past is impossible: ${event.type} in ${state.name}`)
    state = next
  }
  const deadline = (name: string) => state.deadlines.find((each) => each.id === name)
  const contextAt = (now: number, by: string): DecideContext => ({
    now,
    by,
    floorAt: 0,
    read: (other: StreamId) => {
      throw new Error(`${other} is not a part of this test`)
    }
  })

  const follow = (facts: ReadonlyArray<EventShape>, now: number, by: string, causation: Offset | null) => {
    let after = state
    for (const fact of facts) {
      const next = step(kind, after, fact, now, by, causation)
      if (!next) return { state: after, illegal: { _tag: "IllegalInState", event: fact.type } }
      after = next
    }
    return { state: after, illegal: undefined }
  }

  return {
    state,
    deadline,
    when: (command, { at = state.at, by = "test" } = {}) => {
      const decision = kind.decide(state, command, contextAt(at, by))
      const nothing = { events: [], admitted: [], refused: undefined, state: state.name, after: state }
      if (decision._tag === "Unchanged") return nothing
      if (decision._tag === "Refuse") return { ...nothing, refused: decision.reason }
      for (const { type } of decision.events) {
        const declared: { readonly [command: string]: ReadonlyArray<string> } = kind.yields
        if (!declared[command.type]?.includes(type)) throw new Error(`${command.type} does not yield ${type}`)
      }
      const { state: after, illegal } = follow(decision.events, at, by, null)
      if (illegal) return { ...nothing, refused: illegal }
      const admitted = decision.admits?.events ?? []
      return { events: decision.events, admitted, refused: undefined, state: after.name, after }
    },
    whenDue: (name) => {
      const due = deadline(name)
      if (!due) throw new Error(`no deadline ${name} is armed in ${state.name}`)
      const facts = [kind.complete?.(state, due, contextAt(due.dueAt, "deadline")) ?? due.event].flat()
      const { state: after, illegal } = follow(facts, due.dueAt, "deadline", due.armedBy)
      return { events: illegal ? [] : facts, admitted: [], refused: illegal, state: after.name, after }
    }
  }
}

const step = (
  kind: ActorKind,
  before: ActorState,
  fact: EventShape,
  at: number,
  by: string,
  causation: Offset | null
): ActorState | undefined => {
  const { type, ...data } = fact as EventShape & EventData
  if (!(type in kind.upcasters)) throw new Error(`${kind.name} has no event ${type}`)
  return kind.fold.apply(before, {
    stream: before.stream,
    version: (before.version + 1) as Version,
    offset: (before.offset + 1) as Offset,
    at,
    type,
    by,
    causation,
    correlation: null,
    data
  })
}
