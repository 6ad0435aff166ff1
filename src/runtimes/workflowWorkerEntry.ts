/** Where the program of a workflow's worker is: beside this file, in the sources' build as in the bundle. */
import { fileURLToPath } from "node:url"

export const workflowWorkerEntry: string = fileURLToPath(new URL("./workflowWorker.js", import.meta.url))
