/** Everything that a workspace configures: its settings, its senses and its workflows, with all faults of the file in one list. */
import { Effect, Either } from "effect"
import { ConfigInvalid, type ConfigProblem, inOrder, problemLine } from "./ConfigProblem.js"
import { type LoadedConfig, loadWorkspaceConfig } from "./loadWorkspaceConfig.js"
import {
  type LoadSettings,
  loadSettings,
  type SettingProblem,
  type Settings,
  SettingsInvalid
} from "./Settings.js"

export interface LoadedWorkspace extends LoadedConfig {
  readonly settings: Settings
  /** Lines that a person should see. */
  readonly notices: ReadonlyArray<string>
}

export const loadWorkspace = (
  options: LoadSettings
): Effect.Effect<LoadedWorkspace, ConfigInvalid | SettingsInvalid> =>
  Effect.gen(function* () {
    const settings = yield* Effect.either(loadSettings(options))
    const config = yield* Effect.either(loadWorkspaceConfig(options.workspace))
    if (Either.isRight(settings) && Either.isRight(config)) {
      const { file, warnings } = config.right
      const lines = warnings.map((warning) => problemLine(file ?? "", warning))
      const notices = [...settings.right.warnings, ...lines]
      return { ...config.right, settings: settings.right.settings, notices }
    }
    return yield* together(
      Either.isLeft(settings) ? settings.left.problems : [],
      Either.isLeft(config) ? config.left : undefined
    )
  })

/** The file's faults in one list; faults of flags and the environment, which have no line, in another if they are all there is. */
const together = (
  problems: ReadonlyArray<SettingProblem>,
  config: ConfigInvalid | undefined
): ConfigInvalid | SettingsInvalid => {
  if (!config) return new SettingsInvalid({ problems })
  // What is no YAML, and a key that nobody owns, both readers find.
  const isKnown = ({ line, column }: ConfigProblem) =>
    config.errors.some((error) => error.line === line && error.column === column)
  const added = problems.map(toProblem).filter((problem) => !isKnown(problem))
  const { file, hash, errors } = config
  const isYaml = !errors.some(({ code }) => code === "not_yaml")
  return new ConfigInvalid({ file, hash, errors: isYaml ? inOrder([...errors, ...added]) : errors })
}

const toProblem = ({ key, source, problem }: SettingProblem): ConfigProblem => {
  const [, line, column] = /:(\d+):(\d+)$/.exec(source) ?? []
  const message = line === undefined ? `${source}: ${problem}` : problem
  return { path: key, line: Number(line ?? 1), column: Number(column ?? 1), code: "bad_setting", message }
}
