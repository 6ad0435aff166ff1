/** Records faults of this program in the journal, so that they show in health; a fault that repeats is noted once a minute. */
import { Effect, Queue } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { HubKind } from "../actors/hub/hubKind.js"
import type { Defect } from "../actors/TurnDecider.js"

/** Defects that wait to be recorded; more at once say nothing new. */
const maxWaiting = 100
const againMs = 60_000
const stackLines = 8

export const makeDefectQueue: Effect.Effect<Queue.Queue<Defect>> = Queue.dropping<Defect>(maxWaiting)

export const recordDefects = (
  queue: Queue.Dequeue<Defect>,
  system: ActorSystem["Type"],
  hubKind: HubKind,
  { now, count }: { readonly now: () => number; readonly count: () => void }
): Effect.Effect<never> => {
  const recordedAt = new Map<string, number>()
  return Effect.forever(
    Effect.gen(function* () {
      const { stream = null, offset, where, error } = yield* Queue.take(queue)
      count()
      const message = error instanceof Error ? error.message : String(error)
      yield* Effect.logError(`${where}${stream === null ? "" : ` of ${stream}`}: ${message}`)
      const key = `${where} ${stream} ${message}`
      if (now() - (recordedAt.get(key) ?? 0) < againMs) return
      recordedAt.set(key, now())
      const stack = error instanceof Error ? (error.stack ?? "").split("\n").slice(1, 1 + stackLines) : []
      const defect = { type: "RecordDefect", stream, offset, where, message, stack } as const
      yield* Effect.ignore(system.send(hubKind, "", defect, { by: "hub" }))
    })
  )
}
