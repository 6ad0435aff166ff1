/** What passes between the hub and a worker: a kind of worker's own messages, in a frame that tells them from ours. */
import type { Schema } from "effect"

/** The messages of one kind of worker, each way. Both sides decode what they get: the other one may run other code. */
export interface WorkerProtocol<ToWorker, ToHub> {
  readonly toWorker: Schema.Schema<ToWorker, unknown>
  readonly toHub: Schema.Schema<ToHub, unknown>
}

/** `as` is safe: what the wire carries of these schemas is plain JSON, and `unknown` accepts any of it. */
export const workerProtocol = <ToWorker, ToWorkerEncoded, ToHub, ToHubEncoded>(
  toWorker: Schema.Schema<ToWorker, ToWorkerEncoded>,
  toHub: Schema.Schema<ToHub, ToHubEncoded>
): WorkerProtocol<ToWorker, ToHub> => ({ toWorker, toHub }) as unknown as WorkerProtocol<ToWorker, ToHub>

/** One message on the channel. */
export type Frame = { readonly message: unknown } | { readonly end: true }

/** The variable that marks a worker and everything that it starts: `<journalId>/<workerId>`. */
export const markVariable = "MOUND_WORKER"
export const workspaceVariable = "MOUND_WORKSPACE"
