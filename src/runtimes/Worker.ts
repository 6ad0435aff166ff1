/**
 * A child process that runs user code, as the hub sees it. Alone responsible for its being gone when it says so, and for handing on
 * what it reports, decoded. What a worker computes, and what its loss means, is the business of whoever starts it.
 *
 * ```ts
 * const worker = yield* workers.start({ name: "workflow-free-scratch", entry, protocol })
 * yield* worker.send({ type: "Load", folder })
 * const answer = yield* worker.take      // its next message; fails with WorkerGone once there is none left
 * const exit = yield* worker.ended       // completes when the process and all that it left behind are gone
 * yield* worker.kill("lost")             // the one way to stop a computation that does not stop by itself
 * ```
 *
 * The other side is `serveHub`, called by the entry file. What both may rely on:
 * - A worker has a process group and a mark in its environment of its own. When it ends, for whatever reason, its group and every
 *   process with its mark get SIGKILL before `ended` completes: no shell of a dead worker runs beside the next one.
 * - It ends when its scope closes (it is asked, and killed after `endMs`), when it is told to, and by itself when the hub is gone,
 *   even out of an endless loop. Signals of the terminal do not end it.
 * - A message that its schema does not accept is dropped and noted in the log: user code shares the channel.
 * - Messages arrive in order, and all that came before the exit are delivered before `take` fails.
 * - Its output goes to the log, bounded; the end of stderr is kept for whoever reports a loss.
 *
 * Respawning, back-off and circuits follow from events, so they belong to the kinds: `actors/losses.ts` has the numbers.
 */
import { Data, type Effect } from "effect"
import type { WorkerProtocol } from "./workerProtocol.js"

export interface WorkerSpec<ToWorker, ToHub> {
  /** Who it works for, such as `group-system`: a part of its id, of its mark and of the log. */
  readonly name: string
  /** The file that it runs. */
  readonly entry: string
  readonly protocol: WorkerProtocol<ToWorker, ToHub>
}

/** How a worker ended. */
export interface WorkerExit {
  readonly workerId: string
  readonly code: number | null
  readonly signal: string | null
  /** The hub wanted it to end: no loss. */
  readonly isAsked: boolean
  /** The end of what it wrote to stderr. */
  readonly stderrTail: string
}

/** The process is gone, and with it whatever it was asked. */
export class WorkerGone extends Data.TaggedError("WorkerGone")<{ readonly exit: WorkerExit }> {}

/** The process could not be started. */
export class SpawnFailed extends Data.TaggedError("SpawnFailed")<{ readonly problem: string }> {}

export interface Worker<ToWorker, ToHub> {
  /** New for every process: its name and six random digits. */
  readonly workerId: string
  readonly pid: number
  readonly pidStartedAt: string | null
  /** Hands a message over; that it was read is known only from an answer. Fails once the process is gone. */
  readonly send: (message: ToWorker) => Effect.Effect<void, WorkerGone>
  readonly take: Effect.Effect<ToHub, WorkerGone>
  readonly ended: Effect.Effect<WorkerExit>
  /** Asks it to end, and kills it if it does not within `endMs`. */
  readonly end: Effect.Effect<WorkerExit>
  /** SIGKILL to it and its children: as asked for, or to be reported as a loss, since it hangs. */
  readonly kill: (as: "asked" | "lost") => Effect.Effect<WorkerExit>
}
