/**
 * The runs that are not over, and what each is doing. Kept equal to the runs' current states, so that a drain, a stop and a reload see
 * exactly who is at work.
 */
import { idOf } from "../../events/Event.js"
import type { ActorState } from "../fold.js"
import { isOver, type RunContext, type RunStateName } from "./runMachine.js"

/** A run's state as this kind's fold makes it. */
export type RunState = ActorState & { readonly context: RunContext; readonly name: RunStateName }

/** A run that is not over. */
export interface OpenRun {
  readonly id: string
  readonly workflow: string
  readonly state: RunStateName
}

/** A run that has been watched from its beginning. */
export interface Watched {
  readonly workflow: string
  /** Whether a role of it was ever offered to claimants. */
  readonly hasOffered: boolean
}

/** Runs that have ended are known for a while still: whoever clears up after them need not look them up. */
const maxWatched = 20_000

export class RunIndex {
  readonly #open = new Map<string, OpenRun>()
  readonly #watched = new Map<string, Watched>()

  /** Takes over how things stand in the journal, at start. */
  seed(open: ReadonlyArray<OpenRun>): void {
    for (const run of open) this.#open.set(run.id, run)
  }

  update(before: RunState, { stream, version, name, context: { workflow } }: RunState): void {
    const id = idOf(stream)
    if (version === 0 || isOver(name)) this.#open.delete(id)
    else this.#open.set(id, { id, workflow, state: name })
    this.#watch(id, before.version === 0, workflow, name === "running.offered")
  }

  /** Undefined for a run that began before this hub did, or that ended long ago. */
  watched(id: string): Watched | undefined {
    return this.#watched.get(id)
  }

  #watch(id: string, begins: boolean, workflow: string, offers: boolean): void {
    const known = this.#watched.get(id)
    if (!known && !begins) return
    if (!known || (offers && !known.hasOffered)) this.#watched.set(id, { workflow, hasOffered: offers })
    if (this.#watched.size > maxWatched) this.#watched.delete(this.#watched.keys().next().value ?? "")
  }

  /** Whether user code works for it right now: it is choosing a role, or playing one. */
  isBusy(id: string): boolean {
    const run = this.#open.get(id)
    return run !== undefined && isAtWork(run)
  }

  /** Runs that user code works for: of one workflow, or of all. */
  busy(workflow?: string): ReadonlyArray<string> {
    return this.#idsWhere((run) => isAtWork(run) && (workflow ?? run.workflow) === run.workflow)
  }

  /** Runs that a plain stop must not pull the floor from under. */
  running(): ReadonlyArray<string> {
    return this.#idsWhere(({ state }) => state.startsWith("running."))
  }

  #idsWhere(matches: (run: OpenRun) => boolean): ReadonlyArray<string> {
    return [...this.#open.values()].filter(matches).map(({ id }) => id)
  }
}

const isAtWork = ({ state }: OpenRun): boolean =>
  state === "running.selecting" || state === "running.attempting"
