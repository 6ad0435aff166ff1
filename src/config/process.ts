/** What the process was started with. The only place that reads it. */
import type { Environment } from "./Settings.js"

export const environment: Environment = process.env
export const workingDirectory: string = process.cwd()

/** What the processes that this one starts from now on are told to be caused by: a command of theirs names it to the hub. */
export const nameCause = (cause: string): void => {
  process.env.MOUND_CAUSE = cause
}

const dashes = process.argv.indexOf("--")

/** The words after `--`: somebody else's command, which this program only passes on. */
export const foreignCommand: ReadonlyArray<string> = dashes < 0 ? [] : process.argv.slice(dashes + 1)

/** The boot id that the starter of a background hub has drawn for it; taken out, so that no child of the hub inherits it. */
export const takeBootId = (): string | undefined => {
  const bootId = process.env.MOUND_BOOT_ID
  delete process.env.MOUND_BOOT_ID
  return bootId
}
