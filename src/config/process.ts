/** What the process was started with. The only place that reads it. */
import type { Environment } from "./Settings.js"

export const environment: Environment = process.env
export const workingDirectory: string = process.cwd()

/** What the processes that this one starts from now on are told to be caused by: a command of theirs names it to the hub. */
export const nameCause = (cause: string): void => {
  process.env.MOUND_CAUSE = cause
}
