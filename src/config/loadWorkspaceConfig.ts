/**
 * The workspace's senses and workflows from `mound.yaml`, or from the old system's `nerve.yaml` where there is no other. It is refused
 * whole, with every fault at once, or taken whole (contracts: senses and workflows 2.1).
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { ConfigInvalid, type ConfigProblem } from "./ConfigProblem.js"
import { readSenses } from "./readSenses.js"
import { readWorkflows } from "./readWorkflows.js"
import { topLevelKeys } from "./Settings.js"
import { integer } from "./values.js"
import { type WorkspaceConfig, workspaceKeys } from "./WorkspaceConfig.js"
import { YamlReader } from "./YamlReader.js"

export interface LoadedConfig {
  readonly config: WorkspaceConfig
  /** The file that was read; null when there is none, which is legal. */
  readonly file: string | null
  readonly warnings: ReadonlyArray<ConfigProblem>
}

const maxBytes = 1024 * 1024
const defaultMaxRounds = 100
const names = { modern: "mound.yaml", old: "nerve.yaml" }

/** Loads what a workspace has. */
export const loadWorkspaceConfig = (workspace: string): Effect.Effect<LoadedConfig, ConfigInvalid> =>
  Effect.suspend(() => {
    const modern = readIfThere(join(workspace, names.modern))
    const old = readIfThere(join(workspace, names.old))
    const file = join(workspace, modern === undefined && old !== undefined ? names.old : names.modern)
    const text = modern ?? old
    if (text === undefined) {
      const config: WorkspaceConfig = {
        hash: hashOf(""),
        maxRounds: defaultMaxRounds,
        senses: [],
        reflexes: 0,
        workflows: []
      }
      return Effect.succeed({ config, file: null, warnings: [] })
    }
    return Effect.map(parseWorkspaceConfig(file, text), (loaded) =>
      modern !== undefined && old !== undefined
        ? { ...loaded, warnings: [twoFiles, ...loaded.warnings] }
        : loaded
    )
  })

/** Reads the text of a file; its name says whether it is of the old form. */
export const parseWorkspaceConfig = (
  file: string,
  text: string
): Effect.Effect<LoadedConfig, ConfigInvalid> =>
  Effect.suspend(() => {
    const hash = hashOf(text)
    const fail = (errors: ReadonlyArray<ConfigProblem>) => new ConfigInvalid({ file, hash, errors })
    const bytes = Buffer.byteLength(text)
    if (bytes > maxBytes) {
      const message = `it has ${bytes} bytes, the limit is ${maxBytes}`
      return fail([{ path: "", line: 1, column: 1, code: "too_large", message }])
    }
    const isOld = file.endsWith(names.old)
    const reader = new YamlReader(text, { isOld })
    if (!reader.isYaml) return fail(reader.errors)
    const config = read(reader, hash, isOld)
    return reader.errors.length > 0
      ? fail(reader.errors)
      : Effect.succeed({ config, file, warnings: reader.warnings })
  })

const read = (reader: YamlReader, hash: string, isOld: boolean): WorkspaceConfig => {
  // The settings' own reader looks into their sections; here they only have to be known.
  const { max_rounds, senses, reflexes, workflows } = reader.fields(
    reader.root,
    isOld ? workspaceKeys : [...workspaceKeys, ...topLevelKeys]
  )
  return {
    hash,
    maxRounds: (max_rounds && integer(reader, max_rounds, 1, 1_000)) ?? defaultMaxRounds,
    ...readSenses(reader, senses, reflexes),
    workflows: readWorkflows(reader, workflows)
  }
}

const twoFiles: ConfigProblem = {
  path: "",
  line: 1,
  column: 1,
  code: "two_files",
  message: `there is a ${names.old} too: it is not read`,
  fix: "remove it"
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex")

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
