/** Files that workers run: beside this one, also in the bundle. */
import { fileURLToPath } from "node:url"

export const senseWorkerEntry = fileURLToPath(new URL("./senseWorker.js", import.meta.url))
export const workflowWorkerEntry = fileURLToPath(new URL("./workflowWorker.js", import.meta.url))
