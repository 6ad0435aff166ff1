/** Workspaces for tests: files in a folder that goes with the scope. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect, type Scope } from "effect"
import { temporaryFolder } from "./stores.js"

export type Files = { readonly [path: string]: string }

export const writeFiles = (folder: string, files: Files): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

export const makeWorkspace = (files: Files): Effect.Effect<string, never, Scope.Scope> =>
  Effect.tap(temporaryFolder, (folder) => Effect.sync(() => writeFiles(folder, files)))
