/** The built `mound` binary as a person runs it. */
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { Effect } from "effect"

/** The same from the sources and from their build. */
const binary = resolve(import.meta.dirname.replace(/\/dist\/test\//, "/test/"), "../../dist/bin/mound.js")

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a verb to its end in a folder, without any of this environment's own settings. */
export const mound = (folder: string, ...argv: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.async((resume) => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MOUND_")))
    execFile(process.execPath, [binary, ...argv], { cwd: folder, env }, (error, stdout, stderr) =>
      resume(Effect.succeed({ code: error ? Number(error.code) : 0, stdout, stderr }))
    )
  })
