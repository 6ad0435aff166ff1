/** Many runs at once: how soon they all go on after their hub was killed, and what those take that only wait. */
import { Effect } from "effect"
import { most } from "./Figure.js"
import { startHelper } from "./Helper.js"
import type { QueueJob } from "./queueHelper.js"
import { median, type Rounds } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { startHubProcess } from "./servers.js"
import type { Weight } from "./weigh.js"
import { endlessWorkflow, writeWorkspace } from "./workflowFiles.js"

export const resumption: Scenario = {
  name: "resumption",
  about: "open runs after a kill, and queued ones in memory",
  run: ({ sizes: { longRounds, openRuns, queuedRuns } }) =>
    Effect.gen(function* () {
      const seconds = yield* times(longRounds, Effect.scoped(killAndResume(openRuns)))
      const bytes = yield* times(longRounds, Effect.scoped(queue(queuedRuns)))
      const runs = (count: number) => `${count.toLocaleString("en-US")} runs`
      return [
        {
          what: `${runs(openRuns)} at work, from the start after a kill until all go on`,
          value: median(seconds),
          unit: "s",
          target: most(5)
        },
        {
          what: `${runs(queuedRuns)} in a queue, heap`,
          value: median(bytes.map(({ heapBytes }) => heapBytes)) / 1_000_000,
          unit: "MB"
        }
      ]
    })
}

const times = <A>({ warmUps, counted }: Rounds, measure: Effect.Effect<A>) =>
  Effect.map(Effect.replicateEffect(measure, warmUps + counted), (all) => all.slice(warmUps))

/** As many as a workflow may have at work. */
const perWorkflow = 64
const pollMs = 20

const killAndResume = (count: number) =>
  Effect.gen(function* () {
    const names = Array.from({ length: Math.ceil(count / perWorkflow) }, (_, index) => `endless-${index}`)
    const workspace = yield* writeWorkspace({
      workflows: Object.fromEntries(names.map((name) => [name, { concurrency: perWorkflow }])),
      modules: Object.fromEntries(names.map((name) => [`workflows/${name}/index`, endlessWorkflow]))
    })
    // The scope's end is a SIGKILL.
    yield* Effect.scoped(
      Effect.flatMap(startHubProcess(workspace), ({ port }) =>
        Effect.promise(async () => {
          for (let n = 0; n < count; n++) await request(port, names[n % names.length] as string)
          await reached(port, names, count, 1)
        })
      )
    )
    const startedAt = performance.now()
    const { port } = yield* startHubProcess(workspace)
    yield* Effect.promise(() => reached(port, names, count, 2))
    return (performance.now() - startedAt) / 1_000
  })

const request = async (port: number, workflow: string): Promise<void> => {
  const { status } = await fetch(`http://127.0.0.1:${port}/workflows/${workflow}/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"prompt":"go on for ever"}'
  })
  if (status !== 201) throw new Error(`asking for a run of ${workflow}: ${status}`)
}

/** Waits until all runs are at their n-th attempt. */
const reached = async (
  port: number,
  workflows: ReadonlyArray<string>,
  count: number,
  attempt: number
): Promise<void> => {
  for (;;) {
    let there = 0
    for (const workflow of workflows) {
      const query = `workflow=${workflow}&status=running&limit=${perWorkflow}`
      const answer = await fetch(`http://127.0.0.1:${port}/workflow_runs?${query}`)
      const { rows } = (await answer.json()) as { rows: ReadonlyArray<{ readonly attempt: number }> }
      there += rows.filter((row) => row.attempt === attempt).length
    }
    if (there === count) return
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

const queue = (count: number) =>
  Effect.gen(function* () {
    const workflow = "endless"
    const workspace = yield* writeWorkspace({
      workflows: { [workflow]: { overflow: "queue", max_queue: 10_000 } },
      modules: { [`workflows/${workflow}/index`]: endlessWorkflow }
    })
    const helper = yield* startHelper<QueueJob, Weight>("./queueHelper.js", ["--expose-gc"])
    return yield* helper({ workspace, workflow, runs: count })
  })
