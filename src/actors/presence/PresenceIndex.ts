/** Quick answers about all presences together: which are up, which are booting, which are owed. Kept equal to their current states. */
import { idOf, type Offset } from "../../events/Event.js"
import type { ActorState } from "../fold.js"
import { isOwed, type PresenceContext } from "./PresenceContext.js"
import type { PresenceStateName } from "./presenceMachine.js"

export type PresenceState = ActorState & {
  readonly context: PresenceContext
  readonly name: PresenceStateName
}

/** What is kept of a presence in memory. */
export interface ListedPresence {
  readonly identity: string
  readonly state: PresenceStateName
  readonly incarnation: Offset | null
  readonly restart: "onDemand" | "always"
  readonly resume: "topic" | "always" | "never"
  readonly wake: "shared" | "ephemeral"
  readonly sessionId: string | null
  readonly isOwed: boolean
  /** Messages that wait, the one in hand included. */
  readonly waiting: number
}

/** No process, and nobody is about to start one. */
export const isAtRest = (state: PresenceStateName): boolean =>
  state === "undeclared" ||
  state === "stopped" ||
  state === "restarting" ||
  state === "crashLoop" ||
  state.startsWith("asleep.")

const isLive = (state: PresenceStateName): boolean => state.startsWith("live.")

export class PresenceIndex {
  readonly #presences = new Map<string, ListedPresence>()
  readonly #counts = new Map<PresenceStateName, number>()

  /** Takes over how things stand in the journal, at start. */
  seed(presences: Iterable<ListedPresence>): void {
    for (const presence of presences) this.#put(presence)
  }

  update(_before: PresenceState, after: PresenceState): void {
    const { context, name } = after
    const identity = idOf(after.stream)
    this.#drop(identity)
    if (context.incarnation === null) return
    this.#put({
      identity,
      state: name,
      incarnation: context.incarnation,
      restart: context.restart,
      resume: context.resume,
      wake: context.wakePolicy,
      sessionId: context.session?.id ?? null,
      isOwed: isOwed(context),
      waiting: context.queue.length + (context.inFlight ? 1 : 0)
    })
  }

  get(identity: string): ListedPresence | undefined {
    return this.#presences.get(identity)
  }

  all(): Iterable<ListedPresence> {
    return this.#presences.values()
  }

  count(state: PresenceStateName): number {
    return this.#counts.get(state) ?? 0
  }

  get counts(): ReadonlyMap<PresenceStateName, number> {
    return this.#counts
  }

  /** Presences with a session that takes messages. */
  get live(): number {
    return [...this.#counts].reduce((sum, [state, count]) => sum + (isLive(state) ? count : 0), 0)
  }

  isLive(identity: string): boolean {
    const presence = this.#presences.get(identity)
    return presence !== undefined && isLive(presence.state)
  }

  /** The state of a presence that is not at rest. */
  upState(identity: string): PresenceStateName | undefined {
    const state = this.#presences.get(identity)?.state
    return state !== undefined && !isAtRest(state) ? state : undefined
  }

  #put(presence: ListedPresence): void {
    this.#presences.set(presence.identity, presence)
    this.#counts.set(presence.state, this.count(presence.state) + 1)
  }

  #drop(identity: string): void {
    const presence = this.#presences.get(identity)
    if (!presence) return
    this.#presences.delete(identity)
    this.#counts.set(presence.state, this.count(presence.state) - 1)
  }
}
