/** Senses and workflows that are configured and have no code: legal, since code may come later, but worth a word. */
import { join } from "node:path"
import { type ConfigProblem, problemLine } from "../config/ConfigProblem.js"
import type { LoadedWorkspace } from "../config/loadWorkspace.js"
import type { WorkspaceConfig } from "../config/WorkspaceConfig.js"
import { findEntry } from "../runtimes/moduleFiles.js"

/** Names of the files that a module may be entered by (contracts: senses and workflows 2.2). */
export const senseEntries = ["compute", "index"]
export const workflowEntries = ["index"]

export const moduleWarnings = (
  workspace: string,
  { senses, workflows }: WorkspaceConfig
): ReadonlyArray<ConfigProblem> => [
  ...senses.flatMap(({ name }) => missing(workspace, "senses", name, senseEntries)),
  ...workflows.flatMap(({ name }) => missing(workspace, "workflows", name, workflowEntries))
]

/** All that a person should be told of a workspace that is configured without an error. */
export const warningLines = (
  workspace: string,
  { notices, config, file }: LoadedWorkspace
): ReadonlyArray<string> => [
  ...notices,
  ...moduleWarnings(workspace, config).map((warning) => problemLine(file ?? workspace, warning))
]

const missing = (
  workspace: string,
  section: string,
  name: string,
  entries: ReadonlyArray<string>
): ReadonlyArray<ConfigProblem> =>
  findEntry(join(workspace, section, name), entries) !== undefined
    ? []
    : [
        {
          path: `${section}.${name}`,
          line: 1,
          column: 1,
          code: "no_module",
          message: `there is no code in ${section}/${name}`,
          fix: `write ${section}/${name}/${entries[0]}.ts`
        }
      ]
