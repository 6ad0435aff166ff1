/** What is wrong with a workspace's configuration: where, and what to do about it (contracts: senses and workflows 2.1). */
import { Schema } from "effect"

export const ConfigProblem = Schema.Struct({
  /** `senses.disk.throttle`, `reflexes[0].on[1]`. */
  path: Schema.String,
  line: Schema.Int,
  column: Schema.Int,
  code: Schema.Literal(
    "not_yaml",
    "too_large",
    "duplicate_key",
    "unknown_key",
    "two_spellings",
    "wrong_type",
    "missing",
    "bad_name",
    "bad_duration",
    "out_of_range",
    "unknown_sense",
    "no_trigger",
    "self_listen",
    "cycle",
    "queue_option_without_queue",
    "reflex_starts_workflow",
    // Of warnings.
    "no_module",
    "interval_below_throttle",
    "old_spelling",
    "two_files",
    // Of settings, which another reader checks.
    "bad_setting"
  ),
  message: Schema.String,
  fix: Schema.optional(Schema.String)
})
export type ConfigProblem = typeof ConfigProblem.Type

/** The file cannot be used; every fault of it, in the order of its lines. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  file: Schema.String,
  hash: Schema.String,
  errors: Schema.Array(ConfigProblem)
}) {
  override get message() {
    return this.errors.map((error) => problemLine(this.file, error)).join("\n")
  }
  get fix() {
    return "mend the file; mound validate checks it"
  }
}

/** `file:line:column path code message (fix)`. */
export const problemLine = (
  file: string,
  { path, line, column, code, message, fix }: ConfigProblem
): string =>
  `${file}:${line}:${column} ${path || "-"} ${code} ${message}${fix === undefined ? "" : ` (${fix})`}`

export const inOrder = (problems: ReadonlyArray<ConfigProblem>): ReadonlyArray<ConfigProblem> =>
  problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
