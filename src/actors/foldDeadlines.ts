/** The deadlines that are armed after an event: those before it, less what fired or was cancelled, and what its transition raised. */
import type { Deadline } from "../events/Journal.js"
import type { Action, Foldable } from "./fold.js"

export const deadlinesAfter = (
  before: ReadonlyArray<Deadline>,
  event: Foldable,
  actions: ReadonlyArray<Action>
): ReadonlyArray<Deadline> => {
  let deadlines = before
  // The deadline that fired is over, also if its state is not left.
  if (event.by === "deadline") {
    const { causation, type } = event
    deadlines = deadlines.filter((deadline) => deadline.armedBy !== causation || deadline.event.type !== type)
  }
  for (const { type, params } of actions) {
    if (type === "xstate.cancel") {
      const { sendId } = params as { readonly sendId: string }
      deadlines = deadlines.filter(({ id }) => id !== sendId)
    }
    if (type === "xstate.raise") deadlines = armed(deadlines, event, params as RaiseParameters)
  }
  return deadlines
}

interface RaiseParameters {
  readonly id: string | undefined
  readonly event: Deadline["event"]
  readonly delay: number | undefined
}

/** An infinite delay arms nothing: it is how a machine says that this time there is no deadline. */
const armed = (
  deadlines: ReadonlyArray<Deadline>,
  { at, offset, correlation }: Foldable,
  { id, event, delay }: RaiseParameters
): ReadonlyArray<Deadline> => {
  if (delay === undefined || id === undefined) throw new Error(`raise(${event.type}) needs a delay and an id`)
  if (!Number.isFinite(delay)) return deadlines
  const others = deadlines.filter((deadline) => deadline.id !== id)
  return [...others, { id, dueAt: at + delay, event, armedBy: offset, correlation }]
}
