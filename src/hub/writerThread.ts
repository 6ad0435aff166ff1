/**
 * The thread that writes: it owns the store's writing connection, so that waiting for the disk holds up nobody who decides, answers
 * or listens. Started by `ThreadedWriter` with the store's path.
 */
import { parentPort, workerData } from "node:worker_threads"
import { layer as inlineWriter } from "./inlineWriter.js"
import { serveWriter } from "./serveWriter.js"

if (parentPort) serveWriter(parentPort, inlineWriter((workerData as { readonly path: string }).path))
