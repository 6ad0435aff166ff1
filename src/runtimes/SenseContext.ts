/** What a sense's compute function is handed (contracts: senses and workflows 2.2). */
import type { Database } from "better-sqlite3"

export interface SenseCause {
  readonly kind: "interval" | "signal" | "manual"
  readonly at: number
  /** Of the signal's event. */
  readonly offset?: number | undefined
  /** Whose signal it is. */
  readonly sense?: string | undefined
  /** Who asked. */
  readonly by?: string | undefined
}

export interface SenseSignal {
  readonly payload: unknown
  readonly at: number
  readonly offset: number
}

export interface UserBlobs {
  readonly write: (data: string | Uint8Array) => Promise<{ readonly sha256: string; readonly bytes: number }>
  readonly read: (sha256: string) => Promise<Uint8Array | null>
}

export interface SenseContext {
  readonly name: string
  /** Epoch ms of the hub's clock when this compute started. */
  readonly now: number
  /** Everything that this compute answers to. */
  readonly causes: ReadonlyArray<SenseCause>
  /** What `setState` was last given in a compute that completed; null at first. */
  readonly state: unknown
  /** Recorded together with this compute's result, or not at all: the place for "launched already". */
  readonly setState: (state: unknown) => void
  /** This sense's own database. It commits on its own, whatever becomes of the compute. */
  readonly db: Database
  /** The databases of other senses, read-only; absent until a file exists. */
  readonly peers: { readonly [sense: string]: Database }
  /** The latest signals of the senses that this one listens to, as of the start. */
  readonly signals: { readonly [sense: string]: SenseSignal }
  readonly blobs: UserBlobs
  /** Fires when the compute's time is over. */
  readonly abort: AbortSignal
  readonly log: (text: string) => void
  readonly workspace: string
}
