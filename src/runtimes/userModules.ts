/** Loads the code of a workspace, in workers alone: TypeScript and JavaScript of either module system, without any installation. */
import { Data, Effect } from "effect"
import { createJiti } from "jiti"
import { errorText } from "./errorText.js"
import * as workspaceModule from "./workspaceModule.js"

/** The code could not be loaded; why, in the words of whoever failed. */
export class LoadFailed extends Data.TaggedError("LoadFailed")<{ readonly problem: string }> {}

export interface UserModules {
  /** The module's exports. A module is loaded once a process: changed code needs a new one. */
  readonly load: (path: string) => Effect.Effect<{ readonly [name: string]: unknown }, LoadFailed>
}

/** Names under which a workspace may import what Mound offers; the second is the old system's. */
const offered = ["mound/workspace", "@uncaged/nerve-core"]

export const makeUserModules = (workspace: string, cacheFolder: string): UserModules => {
  // From here on, for the user's code alone: to read those of this program would take longer than to start it.
  process.setSourceMapsEnabled(true)
  const jiti = createJiti(`${workspace}/`, {
    fsCache: cacheFolder,
    sourceMaps: true,
    interopDefault: false,
    virtualModules: Object.fromEntries(offered.map((name) => [name, workspaceModule]))
  })
  return {
    load: (path) =>
      Effect.map(
        Effect.tryPromise({
          try: () => jiti.import(path),
          catch: (error) => new LoadFailed({ problem: errorText(error) })
        }),
        // What CommonJS exports as a whole, a function too, is its default.
        (module) => ({ default: module, ...(module as object) })
      )
  }
}

/** What a module exports under a name, or inside its default export, as CommonJS compilers leave it. */
export const exported = (module: { readonly [name: string]: unknown }, name: string): unknown => {
  if (module[name] !== undefined) return module[name]
  const inner = module.default
  return typeof inner === "object" && inner !== null
    ? (inner as { [name: string]: unknown })[name]
    : undefined
}
