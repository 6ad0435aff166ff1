/**
 * Bundles the two binaries. Loading the packages file by file costs three quarters of a second at every call of a verb; from a bundle
 * it is a fifth. Native code stays outside.
 */
import { chmodSync, rmSync } from "node:fs"
import { build } from "esbuild"

const outdir = "dist/bin"
rmSync(outdir, { recursive: true, force: true })

await build({
  entryPoints: {
    mound: "dist/src/main.js",
    journal: "dist/src/journal.js",
    server: "dist/src/server.js",
    // Beside the chunks, where the code that starts it looks for it.
    "chunks/writerThread": "dist/src/hub/writerThread.js",
    "chunks/foldingThread": "dist/src/replay/foldingThread.js",
    "chunks/backupThread": "dist/src/hub/backupThread.js",
    "chunks/senseWorker": "dist/src/runtimes/senseWorker.js",
    "chunks/workflowWorker": "dist/src/runtimes/workflowWorker.js"
  },
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  chunkNames: "chunks/[name]-[hash]",
  external: ["better-sqlite3", "jiti"],
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
  // CommonJS packages in the bundle ask for Node's own modules by `require`.
  banner: {
    js: `#!/usr/bin/env node\nimport { createRequire as __createRequire } from "node:module";const require = __createRequire(import.meta.url);`
  }
})

for (const binary of ["mound", "journal"]) chmodSync(`${outdir}/${binary}.js`, 0o755)
