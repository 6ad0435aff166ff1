/** Folds a stretch of a journal on a thread of its own, with the code that is installed. */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { Effect } from "effect"
import type { Offset } from "../events/Event.js"
import type { Aside } from "./replay.js"
import type { ReplayedStretch, Stretch } from "./replayStretch.js"

/** What a thread is started with. */
export interface Job {
  /** Of the database. */
  readonly path: string
  readonly stretch: Stretch
  readonly upTo: Offset
  readonly from: Offset | undefined
  readonly compare: boolean
  /** Where the journal ended for whoever asks: rows can be compared only with those of that moment. */
  readonly head: Offset
}

/** What it says: how far it is, and in the end what it came to, or that this is not the journal that it was asked about. */
export type Said =
  | { readonly events: number }
  | { readonly replayed: ReplayedStretch }
  | { readonly isOther: true }

/** A thread takes a third of a second to load the code: what it takes over must be worth that. */
const leastEvents = 50_000
const maxStretches = 8

/** Into how many stretches a journal of so many events is best cut on this machine. */
export const worthwhileStretches = (events: number): number =>
  Math.max(1, Math.min(availableParallelism(), maxStretches, Math.floor(events / leastEvents)))

/** Whatever keeps the thread from its end, the stretch is then folded by whoever asked. `program` is what the thread runs. */
export const makeFoldAside =
  (program = new URL("./foldingThread.js", import.meta.url)): Aside =>
  (store, { onProgress, upTo, from, compare, head }, stretch) =>
    Effect.async((resume) => {
      const job: Job = { path: store.path, stretch, upTo, from, compare, head }
      // Flags that a host program was started with, such as `--eval`, are not for this thread.
      const worker = new Worker(program, { workerData: job, execArgv: [] })
      worker.on("message", (said: Said) => {
        if ("events" in said) onProgress?.(said.events)
        else resume(Effect.succeed("replayed" in said ? said.replayed : undefined))
      })
      worker.on("error", () => resume(Effect.succeed(undefined)))
      worker.on("exit", () => resume(Effect.succeed(undefined)))
      return Effect.promise(() => worker.terminate())
    })
