/**
 * The files that say who may ask, as they are now: looked at when somebody asks, so that a token that is revoked is refused from the next
 * request on. A file that cannot be used leaves the one before it in force, and is told of in health.
 */
import { statSync } from "node:fs"
import type { Effect } from "effect"
import {
  type Agents,
  type AuthFileInvalid,
  attempt,
  type Kinds,
  readAgents,
  readKinds
} from "../config/agents.js"

export interface AgentFiles {
  readonly agents: () => Agents
  /** Undefined when any kind may be published. */
  readonly kinds: (() => Kinds) | undefined
  /** Claims that an agent may hold, if it has a number of its own; as the file was when somebody last asked. */
  readonly heldLimitOf: (agentId: string) => number | undefined
  /** Whether a file has changed and cannot be used. */
  readonly isRejected: () => boolean
}

export const openAgentFiles = (
  tokensPath: string,
  kindsPath: string | undefined
): Effect.Effect<AgentFiles, AuthFileInvalid> =>
  attempt(() => {
    const tokens = new Reread(tokensPath, readAgents)
    const kinds = kindsPath === undefined ? undefined : new Reread(kindsPath, readKinds)
    return {
      agents: () => tokens.current(),
      kinds: kinds && (() => kinds.current()),
      heldLimitOf: (agentId) => {
        const limits = [...tokens.last.values()].flatMap((agent) =>
          agent.agentId === agentId && agent.maxHeld !== undefined ? [agent.maxHeld] : []
        )
        return limits.length === 0 ? undefined : Math.min(...limits)
      },
      isRejected: () => {
        tokens.current()
        kinds?.current()
        return tokens.isRejected || kinds?.isRejected === true
      }
    }
  })

/** A file's contents, read again whenever it is another file or has other bytes. */
class Reread<A> {
  last: A
  isRejected = false
  #stamp: string

  constructor(
    readonly path: string,
    readonly read: (path: string) => A
  ) {
    this.#stamp = stampOf(path)
    this.last = read(path)
  }

  current(): A {
    // Taken first: what is written while it is read is found the next time.
    const stamp = stampOf(this.path)
    if (stamp !== this.#stamp) {
      this.#stamp = stamp
      try {
        this.last = this.read(this.path)
        this.isRejected = false
      } catch {
        this.isRejected = true
      }
    }
    return this.last
  }
}

const stampOf = (path: string): string => {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stats ? `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}` : "absent"
}
