/**
 * The runs that are not over, and what each is doing. Kept equal to the runs' current states, so that a drain, a stop and a reload see
 * exactly who is at work.
 */
import { idOf } from "../../events/Event.js"
import type { ActorState } from "../fold.js"
import { isOver, type RunContext, type RunStateName } from "./runMachine.js"

/** A run's state as this kind's fold makes it. */
export type RunState = ActorState & { readonly context: RunContext; readonly name: RunStateName }

export class RunIndex {
  readonly #open = new Map<string, RunStateName>()

  /** Takes over how things stand in the journal, at start. */
  seed(open: ReadonlyArray<{ readonly id: string; readonly state: RunStateName }>): void {
    for (const { id, state } of open) this.#open.set(id, state)
  }

  update(_before: RunState, { stream, version, name }: RunState): void {
    if (version === 0 || isOver(name)) this.#open.delete(idOf(stream))
    else this.#open.set(idOf(stream), name)
  }

  /** Whether user code works for it right now: it is choosing a role, or playing one. */
  isBusy(id: string): boolean {
    const state = this.#open.get(id)
    return state === "running.selecting" || state === "running.attempting"
  }

  /** Runs that a plain stop must not pull the floor from under. */
  running(): ReadonlyArray<string> {
    return this.#idsWhere((state) => state.startsWith("running."))
  }

  /** Runs that user code was working for. */
  busy(): ReadonlyArray<string> {
    return this.#idsWhere((state) => state === "running.selecting" || state === "running.attempting")
  }

  #idsWhere(matches: (state: RunStateName) => boolean): ReadonlyArray<string> {
    return [...this.#open].filter(([, state]) => matches(state)).map(([id]) => id)
  }
}
