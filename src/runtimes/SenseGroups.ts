/**
 * The processes that senses compute in: one for each group. Alone responsible for a sense's code being loaded where it says, for
 * bringing back what a compute answers, and for saying which sense a lost process is blamed on.
 */
import type { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { Answer } from "../actors/sense/SenseCommand.js"
import type { SenseCause } from "../actors/sense/SenseEvent.js"
import type { Offset } from "../events/Event.js"
import type { SenseSignal } from "./SenseContext.js"

export interface ComputeRequest {
  /** Offset of the start: the report comes under it. */
  readonly token: Offset
  /** Hub time of the start. */
  readonly now: number
  readonly causes: ReadonlyArray<SenseCause>
  readonly state: unknown
  readonly signals: { readonly [sense: string]: SenseSignal }
}

/** How a compute ended by itself. `state` is there only if it was set. */
export type ComputeReport =
  | {
      readonly _tag: "Answered"
      readonly answer: Answer
      readonly state?: unknown
      readonly durationMs: number
    }
  | { readonly _tag: "Failed"; readonly error: string; readonly durationMs: number }

export interface SenseGroups {
  /**
   * While it runs, the group has a process and the sense is loaded in it, or on its way there. Loads and losses are reported by commands
   * to the sense.
   */
  readonly member: (group: string, call: InvocationCall) => Effect.Effect<never>
  /** Completes once the sense is loaded and the journal says so. */
  readonly ready: (sense: string) => Effect.Effect<void>
  /** Never completes if the process is lost meanwhile: the loss is reported instead. */
  readonly compute: (sense: string, request: ComputeRequest) => Effect.Effect<ComputeReport>
  /** Tells a compute that its time is over; completes once it has ended. */
  readonly abort: (sense: string, token: Offset) => Effect.Effect<void>
  /** Kills the process of a compute that does not end. */
  readonly condemn: (sense: string, token: Offset) => Effect.Effect<void>
  /** The sense's code may have changed: if it has, its group gets a new process once no compute runs. */
  readonly changed: (sense: string) => Effect.Effect<void>
  /** As if its code had changed. */
  readonly reload: (sense: string) => Effect.Effect<void>
}
