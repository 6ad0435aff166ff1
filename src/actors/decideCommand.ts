/**
 * Decides one command against current state: from the gate over the choice of the actor to the events, each checked by the
 * actor's machine before the next is looked at. Pure; it moves nothing.
 */
import {
  type EventData,
  makeStreamId,
  type NewEvent,
  type Offset,
  type StreamId,
  type Version
} from "../events/Event.js"
import type { ActorKind, Admission, DecideContext, Decision, EventShape, ReasonShape } from "./ActorKind.js"
import type { Envelope } from "./CommandQueue.js"
import type { ActorState } from "./fold.js"
import type { LiveActors } from "./LiveActors.js"
import type { Reason } from "./Refused.js"

/** An actor's next event and the state after it. */
export interface Step {
  readonly kind: ActorKind
  readonly event: NewEvent
  readonly state: ActorState
}

/** What becomes of a command in its turn. */
export type Decided =
  | { readonly _tag: "Accept"; readonly steps: ReadonlyArray<Step>; readonly state: ActorState }
  | { readonly _tag: "Unchanged"; readonly state: ActorState }
  | { readonly _tag: "Refuse"; readonly reason: Reason }
  | { readonly _tag: "Wait"; readonly reason: Reason }
  /** These actors must be live before it can be decided. */
  | { readonly _tag: "Need"; readonly streams: ReadonlyArray<StreamId> }

export const decideCommand = (
  actors: LiveActors,
  envelope: Envelope,
  time: { readonly now: number; readonly floorAt: number },
  nextOffset: Offset
): Decided => {
  const { kind, command } = envelope
  const context: DecideContext = { ...time, by: envelope.by, read: (stream) => actors.state(stream) }
  const stream = addressOf(envelope, context)
  if (typeof stream !== "string") return stream

  const needed = [stream, ...(kind.reads?.(command, stream) ?? [])]
  for (const each of needed) {
    const quarantine = actors.quarantineOf(each)
    if (quarantine) return { _tag: "Refuse", reason: { _tag: "StreamQuarantined", ...quarantine } }
  }
  if (!needed.every((each) => actors.isLive(each))) return { _tag: "Need", streams: needed }

  const state = actors.state(stream)
  const decision = envelope.deadline
    ? decideDeadline(kind, state, envelope.deadline, context)
    : kind.decide(state, command, context)
  switch (decision._tag) {
    case "Refuse":
      return decision
    case "Unchanged":
      return { _tag: "Unchanged", state }
    case "Accept":
      return toSteps(actors, envelope, state, decision, context.now, nextOffset)
  }
}

const addressOf = (envelope: Envelope, context: DecideContext): StreamId | Decided => {
  if (envelope.stream !== undefined) return envelope.stream
  const choice = envelope.kind.choose?.(envelope.command, context)
  if (!choice) throw new Error(`${envelope.kind.name} cannot choose an actor for ${envelope.command.type}`)
  return choice._tag === "Choose" ? makeStreamId(envelope.kind.name, choice.id) : choice
}

/** A deadline acts only on the very entry that armed it: a renewal committed since then wins. */
const decideDeadline = (
  kind: ActorKind,
  state: ActorState,
  due: NonNullable<Envelope["deadline"]>,
  context: DecideContext
): Decision<EventShape, ReasonShape> => {
  const armed = state.deadlines.find(({ id, armedBy }) => id === due.id && armedBy === due.armedBy)
  if (!armed) return { _tag: "Unchanged" }
  return { _tag: "Accept", events: [kind.complete?.(state, armed, context) ?? armed.event].flat() }
}

const toSteps = (
  actors: LiveActors,
  envelope: Envelope,
  state: ActorState,
  decision: { readonly events: ReadonlyArray<EventShape>; readonly admits?: Admission },
  at: number,
  nextOffset: Offset
): Decided => {
  const steps: Array<Step> = []
  const parts = [{ kind: envelope.kind, state, events: decision.events }]
  if (decision.admits) {
    const { kind: name, id, events } = decision.admits
    const stream = makeStreamId(name, id)
    if (!actors.isLive(stream)) return { _tag: "Need", streams: [stream] }
    parts.push({ kind: actors.kindOf(stream), state: actors.state(stream), events })
  }
  for (const part of parts) {
    let current = part.state
    for (const fact of part.events) {
      const offset = (nextOffset + steps.length) as Offset
      const step = takeStep(part.kind, current, fact, envelope, at, offset)
      if (!step) {
        return { _tag: "Refuse", reason: { _tag: "IllegalInState", state: current.name, event: fact.type } }
      }
      steps.push(step)
      current = step.state
    }
    part.state = current
  }
  return { _tag: "Accept", steps, state: parts[0]?.state ?? state }
}

/** The event as it will be recorded and the state after it, or undefined when the machine does not accept it. */
const takeStep = (
  kind: ActorKind,
  before: ActorState,
  fact: EventShape,
  envelope: Envelope,
  at: number,
  offset: Offset
): Step | undefined => {
  const upcasters = kind.upcasters[fact.type]
  if (!upcasters) throw new Error(`${kind.name} has no event ${fact.type}`)
  if (!envelope.deadline && kind === envelope.kind) assertYielded(kind, envelope.command.type, fact.type)
  const { type, ...data } = fact as EventShape & EventData
  const { stream } = before
  const { by, commandId, causation, correlation } = envelope
  const version = (before.version + 1) as Version
  const state = kind.fold.apply(before, {
    stream,
    version,
    offset,
    at,
    type,
    by,
    causation,
    correlation,
    data
  })
  if (!state) return undefined
  const event: NewEvent = {
    stream,
    version,
    type,
    schema: upcasters.length + 1,
    at,
    state: state.name,
    by,
    commandId,
    causation,
    correlation,
    data
  }
  return { kind, event, state }
}

/** What a repeated command id is recognised by must hold for the first time too. */
const assertYielded = (kind: ActorKind, commandType: string, eventType: string): void => {
  const yields: { readonly [commandType: string]: ReadonlyArray<string> } = kind.yields
  if (yields[commandType]?.includes(eventType)) return
  throw new Error(`${kind.name}: ${commandType} is not declared to lead to ${eventType}`)
}
