/** Workspaces with user code, as the scenarios of senses and workflows want them. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect, type Scope } from "effect"
import { stringify } from "yaml"
import { temporaryFolder } from "./temporaryFolder.js"

/** What `mound.yaml` says, and the code of each module. */
export interface WorkspaceFiles {
  readonly senses?: { readonly [name: string]: object }
  readonly workflows?: { readonly [name: string]: object }
  /** By the module's path: `senses/idle/compute`, `workflows/tidy/index`. */
  readonly modules: { readonly [path: string]: string }
}

export const writeWorkspace = ({
  modules,
  ...config
}: WorkspaceFiles): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(temporaryFolder, (workspace) => {
    const write = (path: string, text: string) => {
      const file = join(workspace, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
    write("mound.yaml", stringify(config))
    for (const [path, code] of Object.entries(modules)) write(`${path}.mjs`, code)
    return workspace
  })

/** Three roles that answer at once, one after the other. */
export const trivialWorkflow = `
const roles = ["scout", "planner", "cleaner"]
const role = async ({ round }) => ({ content: "done " + round, meta: { round } })
export default {
  roles: Object.fromEntries(roles.map((name) => [name, role])),
  moderator: ({ steps }) => roles[steps.length] ?? "__end__"
}
`

/** A role that goes on for ever. */
export const endlessWorkflow = `
export default {
  roles: { worker: () => new Promise(() => setInterval(() => {}, 1e6)) },
  moderator: () => "worker"
}
`
