/** Tells the process that started this hub in the background how far it is (contracts: hub 3.3); without one it tells nobody. */
import { Effect } from "effect"
import { reportEveryMs, type StartReport } from "../hub/startReport.js"
import { toCliFailure } from "./CliFailure.js"

export const reportStart = <A, E, R>(starting: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  process.send === undefined
    ? starting
    : Effect.acquireUseRelease(
        Effect.sync(() => setInterval(() => report({ type: "recovering" }), reportEveryMs)),
        () => starting,
        (interval) => Effect.sync(() => clearInterval(interval))
      ).pipe(
        Effect.tapBoth({
          onSuccess: () => Effect.sync(() => report({ type: "ready" })),
          onFailure: (error) =>
            Effect.promise(() => {
              const { tag, message, fix = null, exitCode } = toCliFailure(error)
              return reported({ type: "failed", tag, message, fix, exitCode })
            })
        })
      )

/** Whoever listened may be gone: then nobody needs to know. */
const report = (said: StartReport): void => void process.send?.(said, undefined, undefined, () => {})

/** Completes when it is on its way: the process ends right after. */
const reported = (said: StartReport): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(said, undefined, undefined, () => resolve())
  })
