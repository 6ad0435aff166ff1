/**
 * A process of the bench's own that does jobs when it is asked. Clients run in such a process, so that the one server that is measured
 * has a core to itself and each server has the same client.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"

/** Does one job after the other; whoever asks waits for the answer. */
export type Helper<Job, Answer> = (job: Job) => Effect.Effect<Answer>

/** Starts the helper in a module beside this one. */
export const startHelper = <Job extends object, Answer>(
  module: string,
  execArgv: ReadonlyArray<string> = []
): Effect.Effect<Helper<Job, Answer>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => fork(fileURLToPath(new URL(module, import.meta.url)), { execArgv: [...execArgv] })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => (job: Job) => ask(child, job)
  )

const ask = <Answer>(child: ChildProcess, job: object): Effect.Effect<Answer> =>
  Effect.async<Answer>((resume) => {
    const onExit = (code: number | null) =>
      resume(Effect.dieMessage(`${child.spawnargs.at(-1)} ended with code ${code} before it had answered`))
    child.once("exit", onExit)
    child.once("message", (answer) => {
      child.off("exit", onExit)
      resume(Effect.succeed(answer as Answer))
    })
    child.send(job)
  })

/** In the helper's process: does each job as it comes. A job that fails ends the process, which tells the asker. */
export const serveJobs = <Job, Answer>(perform: (job: Job) => Promise<Answer>): void => {
  process.on("message", (job) => {
    perform(job as Job).then(
      (answer) => process.send?.(answer),
      (error) => {
        console.error(error)
        process.exit(1)
      }
    )
  })
  process.on("disconnect", () => process.exit(0))
}
