/** What the process was started with. The only place that reads it. */
import type { Environment } from "./Settings.js"

export const environment: Environment = process.env
export const workingDirectory: string = process.cwd()

/** The boot id that the starter of a background hub has drawn for it; taken out, so that no child of the hub inherits it. */
export const takeBootId = (): string | undefined => {
  const bootId = process.env.MOUND_BOOT_ID
  delete process.env.MOUND_BOOT_ID
  return bootId
}
