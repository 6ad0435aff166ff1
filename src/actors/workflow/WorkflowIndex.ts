/** What runs ask of their workflows in the very turn in which they are decided. Kept equal to the workflows' current states. */
import { idOf } from "../../events/Event.js"
import type { ActorState } from "../fold.js"
import type { ReadyWorker, WorkflowContext } from "./workflowMachine.js"

/** A workflow's state as this kind's fold makes it. */
export type WorkflowState = ActorState & { readonly context: WorkflowContext }

export interface ListedWorkflow {
  readonly worker: ReadyWorker | null
  readonly circuit: WorkflowContext["circuit"]
  /** The longest run, and the longest attempt at a role that names none. */
  readonly timeoutMs: number
  readonly roleTimeoutMs: number
  /** It has been taken out of the configuration, and is there only until its runs have ended. */
  readonly isLeaving: boolean
}

export class WorkflowIndex {
  readonly #listed = new Map<string, ListedWorkflow>()

  update(_before: ActorState, after: WorkflowState): void {
    this.take(after)
  }

  /** Takes over how one workflow stands: at start, when nothing has changed yet. */
  take({ stream, context: { settings, worker, circuit, drain } }: WorkflowState): void {
    const name = idOf(stream)
    if (!settings) this.#listed.delete(name)
    else {
      const { timeoutMs, roleTimeoutMs } = settings
      const isLeaving = drain?.reason === "removed"
      this.#listed.set(name, { worker, circuit, timeoutMs, roleTimeoutMs, isLeaving })
    }
  }

  /** Undefined for one that is not in the configuration. */
  find(name: string): ListedWorkflow | undefined {
    return this.#listed.get(name)
  }
}
