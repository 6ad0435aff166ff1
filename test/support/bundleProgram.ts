/** Bundles a program of the tests that is started again and again: from single files a boot takes five times as long. */
import { join } from "node:path"
import { Effect } from "effect"
import { build } from "esbuild"
import { packageRoot } from "./hubProcess.js"

export interface Bundled {
  readonly path: string
  /** Makes it, once a process. */
  readonly make: Effect.Effect<unknown>
}

/** `source` is below `test/fixtures`, `name` that of the bundle. */
export const bundleProgram = (source: string, name: string): Bundled => {
  const path = join(packageRoot, "dist/fixtures", name)
  const building = Effect.promise(() =>
    build({
      entryPoints: [join(packageRoot, "test/fixtures", source)],
      outfile: path,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      external: ["better-sqlite3", "jiti"],
      logLevel: "error",
      // CommonJS packages in the bundle ask for Node's own modules by `require`.
      banner: {
        js: `import { createRequire as __createRequire } from "node:module";const require = __createRequire(import.meta.url);`
      }
    })
  )
  return { path, make: Effect.runSync(Effect.cached(building)) }
}
