/** What the process was started with. The only place that reads it. */
import type { Environment } from "./Settings.js"

export const environment: Environment = process.env
export const workingDirectory: string = process.cwd()
