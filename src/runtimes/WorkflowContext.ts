/** What the roles and the moderator of a workflow are handed (contracts: senses and workflows 2.2). */
import type { UserBlobs } from "./SenseContext.js"

/** How a run begins: the frame before the first step. */
export interface StartFrame {
  readonly role: "__start__"
  /** The prompt. */
  readonly content: string
  readonly meta: {
    readonly maxRounds: number
    readonly threadId: string
    readonly dryRun: boolean
    readonly evidence?: unknown
  }
  readonly timestamp: number
}

/** A recorded step. */
export interface StepFrame {
  readonly role: string
  readonly content: string
  readonly meta: { readonly [name: string]: unknown }
  readonly timestamp: number
  readonly round: number
}

/** A run so far. Frozen: what was recorded cannot be changed. */
export interface Thread {
  readonly start: StartFrame
  readonly steps: ReadonlyArray<StepFrame>
}

export interface RoleContext extends Thread {
  readonly runId: string
  /** The old name of `runId`. */
  readonly threadId: string
  readonly round: number
  readonly attempt: number
  /** The same over all attempts at this round: what a role does in the world should bear it. */
  readonly idempotencyKey: string
  /** Larger for every later attempt: who knows the largest one can turn the others away. */
  readonly token: number
  readonly dryRun: boolean
  readonly evidence: unknown
  readonly blobs: UserBlobs
  /** Fires when the run is killed or out of time. */
  readonly abort: AbortSignal
  readonly log: (text: string) => void
  readonly workspace: string
}

export interface RoleAnswer {
  readonly content: string
  readonly meta?: { readonly [name: string]: unknown }
}

export type Role = (context: RoleContext) => Promise<RoleAnswer> | RoleAnswer
export type Moderator = (thread: Thread) => string
