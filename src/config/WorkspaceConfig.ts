/** Senses and workflows as a workspace configures them: what `mound.yaml` says, with every default filled in. */

/** One sense. Durations in ms. */
export interface SenseConfig {
  readonly name: string
  readonly group: string
  /** Least time from start to start of its computes; 0 for none. */
  readonly throttleMs: number
  readonly timeoutMs: number
  readonly graceMs: number
  readonly intervalsMs: ReadonlyArray<number>
  /** Senses whose signals trigger it. */
  readonly on: ReadonlyArray<string>
}

export interface WorkflowConfig {
  readonly name: string
  readonly concurrency: number
  readonly overflow: "drop" | "queue"
  readonly maxQueue: number
  readonly timeoutMs: number
  readonly roleTimeoutMs: number
  readonly drainTimeoutMs: number
  readonly onReload: "interrupt" | "resume"
}

export interface WorkspaceConfig {
  /** SHA-256 of the file's bytes; of nothing when there is no file. */
  readonly hash: string
  /** Rounds of a run whose start gives none. */
  readonly maxRounds: number
  readonly senses: ReadonlyArray<SenseConfig>
  /** Rules that schedule senses, wherever they are written. */
  readonly reflexes: number
  readonly workflows: ReadonlyArray<WorkflowConfig>
}

/** Sections that this reader owns; all others are settings. */
export const workspaceKeys = ["max_rounds", "senses", "reflexes", "workflows"] as const
