/**
 * The worker's side of the channel: what an entry file calls. It decodes what comes, runs a handler for each message, and ends the
 * process in the one way that is meant for its cause. A worker never outlives its hub, whatever its user code does.
 */
import { Worker as Thread } from "node:worker_threads"
import { Effect, Runtime, Schema } from "effect"
import type { Frame, WorkerProtocol } from "./workerProtocol.js"

/** The hub as a worker sees it. */
export interface HubPort<ToHub> {
  /** Completes when the message has left this process. */
  readonly send: (message: ToHub) => Effect.Effect<void>
}

export interface WorkerHandlers<ToWorker, ToHub> {
  /** Runs in a fiber of its own; one that fails ends the process, which the hub sees as a loss. */
  readonly onMessage: (message: ToWorker, hub: HubPort<ToHub>) => Effect.Effect<void>
  /** Runs when the hub asks the worker to end, before it does. */
  readonly onEnd?: Effect.Effect<void>
}

/** How often the parent is looked for, ms. */
const watchMs = 500

/** Serves for ever. */
export const serveHub = <ToWorker, ToHub>(
  protocol: WorkerProtocol<ToWorker, ToHub>,
  { onMessage, onEnd = Effect.void }: WorkerHandlers<ToWorker, ToHub>
): Effect.Effect<never> =>
  Effect.gen(function* () {
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const decode = Schema.decodeUnknown(protocol.toWorker)
    const encode = Schema.encodeSync(protocol.toHub)
    const hub: HubPort<ToHub> = {
      send: (message) =>
        Effect.async((resume) => {
          process.send?.({ message: encode(message) } satisfies Frame, () => resume(Effect.void))
        })
    }
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})
    process.on("disconnect", endGroup)
    // The hub may be gone already: then nothing tells of it any more.
    if (!process.connected) endGroup()
    watchParent(Number(process.argv[2]))
    process.on("message", (frame: Frame) => {
      if ("end" in frame) return run(Effect.ensuring(onEnd, exit(0)))
      run(
        decode(frame.message).pipe(
          Effect.orDie,
          Effect.flatMap((message) => onMessage(message, hub)),
          Effect.catchAllCause((cause) => {
            process.stderr.write(`${cause.toString()}\n`)
            return exit(70)
          })
        )
      )
    })
    return yield* Effect.never
  })

const exit = (code: number): Effect.Effect<never> => Effect.sync(() => process.exit(code))

/** The hub is gone: nobody is left to answer to, and nobody but us ends what we have started. */
const endGroup = (): void => {
  try {
    process.kill(-process.pid, "SIGKILL")
  } finally {
    process.exit(1)
  }
}

/** User code in an endless loop hears of no disconnection; a thread beside it sees that the parent is another one. */
const watchParent = (hub: number): void => {
  const watch = `
    const { workerData: hub } = require("node:worker_threads")
    setInterval(() => { if (process.ppid !== hub) process.kill(-process.pid, "SIGKILL") }, ${watchMs})
  `
  new Thread(watch, { eval: true, execArgv: [], workerData: hub }).unref()
}
