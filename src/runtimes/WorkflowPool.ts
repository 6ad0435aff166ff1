/**
 * The ready workers by workflow, and the runs that wait for one. Alone responsible for telling those that wait in vain: because the
 * circuit is open, or because the hub is stopping.
 */
import { Data, Effect } from "effect"
import type { WorkflowState } from "../actors/workflow/WorkflowIndex.js"
import { idOf } from "../events/Event.js"
import type { WorkflowConnection } from "./WorkflowConnection.js"

/** There will be no worker: the workflow's circuit is open, or the hub is stopping. */
export class Unrunnable extends Data.TaggedError("Unrunnable")<{
  readonly why: "crash_loop" | "load_failed" | "hub_stop"
}> {}

type Resume = (found: Effect.Effect<WorkflowConnection, Unrunnable>) => void

export class WorkflowPool {
  readonly #connections = new Map<string, WorkflowConnection>()
  readonly #waiting = new Map<string, Set<Resume>>()
  readonly #troubles = new Map<string, Unrunnable>()
  #isStopping = false

  /** The workflow's worker, as soon as it is ready. */
  connection(workflow: string): Effect.Effect<WorkflowConnection, Unrunnable> {
    return Effect.async((resume) => {
      const connection = this.#connections.get(workflow)
      const trouble = this.#troubles.get(workflow)
      if (connection) return resume(Effect.succeed(connection))
      if (trouble) return resume(trouble)
      if (this.#isStopping) return resume(new Unrunnable({ why: "hub_stop" }))
      const waiting = this.#waiting.get(workflow) ?? new Set()
      this.#waiting.set(workflow, waiting.add(resume))
      return Effect.sync(() => waiting.delete(resume))
    })
  }

  /** The workflow's worker, if it is ready now. */
  current(workflow: string): WorkflowConnection | undefined {
    return this.#connections.get(workflow)
  }

  connect(workflow: string, connection: WorkflowConnection): void {
    this.#connections.set(workflow, connection)
    this.#tell(workflow, Effect.succeed(connection))
  }

  disconnect(workflow: string, connection: WorkflowConnection): void {
    if (this.#connections.get(workflow) === connection) this.#connections.delete(workflow)
  }

  /** Takes note of how a workflow stands. */
  take({ stream, context: { circuit, openedBy } }: WorkflowState): void {
    const workflow = idOf(stream)
    if (circuit !== "open") return void this.#troubles.delete(workflow)
    const trouble = new Unrunnable({ why: openedBy === "load_failed" ? "load_failed" : "crash_loop" })
    this.#troubles.set(workflow, trouble)
    this.#tell(workflow, trouble)
  }

  /** Nothing of a run is asked again. */
  forget(workflow: string, runId: string): Effect.Effect<void> {
    return Effect.suspend(() => this.#connections.get(workflow)?.forget(runId) ?? Effect.void)
  }

  /** The hub is stopping: no worker will be started any more. */
  stop(): void {
    if (this.#isStopping) return
    this.#isStopping = true
    for (const workflow of this.#waiting.keys()) this.#tell(workflow, new Unrunnable({ why: "hub_stop" }))
  }

  #tell(workflow: string, found: Effect.Effect<WorkflowConnection, Unrunnable>): void {
    const waiting = this.#waiting.get(workflow)
    this.#waiting.delete(workflow)
    for (const resume of waiting ?? []) resume(found)
  }
}
