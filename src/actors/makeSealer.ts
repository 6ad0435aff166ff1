/** Puts commands into envelopes: who sends them and why, and under what id. */
import { makeStreamId } from "../events/Event.js"
import type { ActorKind, CommandShape } from "./ActorKind.js"
import type { Envelope } from "./CommandQueue.js"

/** Where a command comes from. */
export type Origin = Pick<Envelope, "lane" | "by"> &
  Partial<Pick<Envelope, "causation" | "correlation" | "deadline" | "waitUntil">> & {
    readonly commandId?: string | undefined
    readonly isFirst?: boolean
  }

/** Makes envelopes with fresh command ids: `prefix` is new at every start, so none comes twice. */
export const makeSealer = (prefix: string, now: () => number) => {
  let sequence = 0
  return (
    kind: ActorKind,
    id: string | undefined,
    command: CommandShape,
    { commandId: chosen, isFirst = false, deadline, ...origin }: Origin,
    answer: Envelope["answer"]
  ): Envelope => {
    sequence += 1
    // Of fixed length, so that ids sort as they were made and their index grows at its end.
    const commandId = chosen ?? `${prefix}-${sequence.toString(36).padStart(8, "0")}`
    return {
      kind,
      stream: id === undefined ? undefined : makeStreamId(kind.name, id),
      command,
      commandId,
      repeatable: chosen !== undefined && !isFirst,
      causation: null,
      correlation: commandId,
      waitUntil: 0,
      ...origin,
      ...(deadline && { deadline }),
      sequence,
      arrivedAt: now(),
      answer,
      cancelled: false
    }
  }
}
