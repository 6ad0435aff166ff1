/** What a verb says when it fails, and the exit code that scripts see: 1 refused or failed, 2 usage, 75 locked; or a run's own. */
import { Data } from "effect"

export class CliFailure extends Data.TaggedError("CliFailure")<{
  /** The reason's name, as in JSON errors. */
  readonly tag: string
  readonly message: string
  readonly fix?: string | undefined
  readonly exitCode: number
  /** The reason's own fields, for `--json`. */
  readonly fields?: { readonly [name: string]: unknown }
  /** Set when the verb's answer on stdout says it already: under `--json` there is one value only. */
  readonly isAnswered?: boolean
}> {}

export const usage = (message: string, fix?: string): CliFailure =>
  new CliFailure({ tag: "Usage", message, fix, exitCode: 2 })

export const failed = (tag: string, message: string, fix?: string): CliFailure =>
  new CliFailure({ tag, message, fix, exitCode: 1 })

const exitCodes: { readonly [tag: string]: 2 | 75 } = {
  InvalidCommand: 2,
  SettingsInvalid: 2,
  ConfigInvalid: 2,
  StanceRegistryInvalid: 2,
  AuthFileInvalid: 2,
  Locked: 75
}

/** Any error of this program as a failure: errors with a `_tag`, a message and perhaps a `fix` say all there is to say. */
export const toCliFailure = (error: unknown): CliFailure => {
  if (error instanceof CliFailure) return error
  const {
    _tag: tag = "Defect",
    fix,
    reason
  } = (typeof error === "object" && error !== null ? error : {}) as {
    readonly _tag?: string
    readonly fix?: string
    readonly reason?: unknown
  }
  // Of the faults of a journal this one has a way out of its own, which its message tells.
  const _tag = tag === "JournalUnavailable" && reason === "missing" ? "ArchiveMissing" : tag
  const message = error instanceof Error ? error.message : String(error)
  return new CliFailure({ tag: _tag, message, fix, exitCode: exitCodes[_tag] ?? 1 })
}
