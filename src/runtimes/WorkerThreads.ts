/**
 * The runs that a worker knows, as its roles and its moderator see them. The hub sends each step once; what is too large for an event is
 * read from its blob. Everything is frozen: what was recorded cannot be changed.
 */
import { Data, Effect } from "effect"
import type { BlobRef } from "../actors/run/RunEvent.js"
import type { Blobs } from "../events/Blobs.js"
import type { StartFrame, StepFrame, Thread } from "./WorkflowContext.js"
import type { Start, Step, ThreadPart } from "./workflowProtocol.js"
import { START } from "./workspaceModule.js"

/** A step of the history is not what it was recorded to be. */
export class HistoryCorrupt extends Data.TaggedError("HistoryCorrupt")<{ readonly problem: string }> {}

interface Known {
  readonly start: StartFrame
  readonly steps: Array<StepFrame>
}

export class WorkerThreads {
  readonly #known = new Map<string, Known>()

  constructor(private readonly blobs: Blobs) {}

  /** The whole thread, with what the hub has just sent of it. */
  take({ runId, start, from, steps }: ThreadPart): Effect.Effect<Thread, HistoryCorrupt> {
    return Effect.gen(this, function* () {
      const known = this.#known.get(runId) ?? (start && { start: frameOf(runId, start), steps: [] })
      if (!known || known.steps.length < from)
        return yield* Effect.dieMessage(`steps ${from} of run ${runId} came before the ones before them`)
      known.steps.length = from
      for (const step of steps) known.steps.push(yield* this.#stepOf(step))
      this.#known.set(runId, known)
      return { start: known.start, steps: Object.freeze([...known.steps]) }
    })
  }

  forget(runId: string): void {
    this.#known.delete(runId)
  }

  #stepOf({ role, content, meta, at, round }: Step): Effect.Effect<StepFrame, HistoryCorrupt> {
    return Effect.gen(this, function* () {
      const text = typeof content === "string" ? content : yield* this.#read(content)
      const shown = isRef(meta) ? JSON.parse(yield* this.#read(meta)) : meta
      return freeze({ role, content: text, meta: shown, timestamp: at, round })
    })
  }

  #read({ blob }: BlobRef): Effect.Effect<string, HistoryCorrupt> {
    return this.blobs.read(blob).pipe(
      Effect.mapError(({ message }) => new HistoryCorrupt({ problem: message })),
      Effect.flatMap((bytes) =>
        bytes
          ? Effect.succeed(bytes.toString("utf8"))
          : new HistoryCorrupt({ problem: `the blob ${blob} of an earlier step is missing` })
      )
    )
  }
}

/** The thread with one more step, which is as good as recorded. */
export const extend = ({ start, steps }: Thread, step: StepFrame): Thread => ({
  start,
  steps: Object.freeze([...steps, freeze(step)])
})

const frameOf = (runId: string, { prompt, maxRounds, dryRun, evidence, at }: Start): StartFrame =>
  freeze({
    role: START,
    content: prompt,
    meta: { maxRounds, threadId: runId, dryRun, ...(evidence !== undefined && { evidence }) },
    timestamp: at
  })

const isRef = (meta: Step["meta"]): meta is BlobRef =>
  typeof (meta as BlobRef).blob === "string" && "chars" in meta

const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner)
  }
  return value
}
