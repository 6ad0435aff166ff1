/** A way to run peers: what is started, on what it runs, how it is spoken to and what counts as having been heard (contracts: peers 4). */

/** When a session takes its first message. A control line that says `ready` always counts. */
export type Readiness =
  | { readonly _tag: "Alive"; readonly forMs: number }
  | { readonly _tag: "Line"; readonly pattern: RegExp }
  | { readonly _tag: "File"; readonly path: string }
  /** What its screen shows, twice running. */
  | { readonly _tag: "Pane"; readonly pattern: RegExp }

/** A question that a program asks on its screen before it is ready, and the keys that answer it. */
export interface Dialog {
  readonly when: RegExp
  readonly and?: RegExp | undefined
  readonly keys: ReadonlyArray<string>
}

export type Interrupt =
  | { readonly _tag: "Signal" }
  | { readonly _tag: "Keys"; readonly keys: ReadonlyArray<string> }

/** How a session is asked to make its memory smaller. */
export type Compact =
  | { readonly _tag: "Control" }
  | { readonly _tag: "Unsupported" }
  | { readonly _tag: "Text"; readonly text: string; readonly withinMs: number; readonly match: RegExp }

/** Files that show that there is a session to go on with. */
export interface ResumeProbe {
  readonly glob: string
  /** What the first line of one of them has in it. */
  readonly contains?: string | undefined
}

export interface RuntimeConfig {
  readonly host: "process" | "tmux"
  /** What is run, before a peer's own arguments. Templates as `{session_id}` are filled in. */
  readonly argv: ReadonlyArray<string>
  /** Empty where sessions cannot be resumed. */
  readonly resumeArgv: ReadonlyArray<string>
  readonly resumeBy: "session" | "folder"
  readonly resumeProbe: ResumeProbe | undefined
  readonly env: { readonly [name: string]: string }
  readonly bootMs: number
  readonly endGraceMs: number
  readonly ready: Readiness
  /** The first that its screen shows is answered. */
  readonly dialogs: ReadonlyArray<Dialog>
  readonly deliver: "stdin" | "paste"
  readonly format: "json" | "envelope" | "text"
  /** Keys that send what was pasted. */
  readonly submit: ReadonlyArray<string>
  readonly settleMs: number
  readonly resubmitAfterMs: number
  readonly confirm: "ack" | "transcript" | "written"
  /** How long evidence is waited for. */
  readonly confirmWithinMs: number
  /** Files that a program writes what it has heard to. */
  readonly transcript: string | undefined
  /** What shows that a session is at work, besides requests, deliveries and whoever is attached. */
  readonly activity: "output" | "transcript"
  readonly interrupt: Interrupt
  readonly compact: Compact
  /** Arguments in brackets switch a program's own approvals off: they are passed only when this is said. */
  readonly unattended: boolean
}

export type RuntimeTable = ReadonlyMap<string, RuntimeConfig>
