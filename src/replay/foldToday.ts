/** One recorded event through today's code: the state that it leads to, and why that is not the recorded one if it is not. */
import type { ActorHistory } from "../actors/ActorKind.js"
import type { ActorState } from "../actors/fold.js"
import type { RecordedEvent } from "../events/Event.js"
import { UnknownEvent } from "../events/Upcasters.js"

export interface Folded {
  /** Undefined when the event does not fold. */
  readonly next: ActorState | undefined
  /** Null when the event leads where it led. */
  readonly problem: string | null
}

/** `event` is the recorded one in today's shape, or what is unknown about it. */
export const foldToday = (
  { fold }: ActorHistory,
  state: ActorState,
  event: RecordedEvent | UnknownEvent
): Folded => {
  if (event instanceof UnknownEvent) return { next: undefined, problem: event.message }
  try {
    const next = fold.apply(state, event)
    if (!next) return { next, problem: "today's machine refuses it" }
    return {
      next,
      problem: next.name === event.state ? null : `it led to ${event.state} when it was recorded`
    }
  } catch (error) {
    return { next: undefined, problem: `today's machine fails on it: ${error}` }
  }
}
