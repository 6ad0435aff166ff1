/** Runs of three trivial roles through one worker, from a full queue: everything journaled, every answer in the outbox, all of it synced. */
import { Effect } from "effect"
import { Connection } from "./Connection.js"
import { cpuMs } from "./cpuTime.js"
import { least, most } from "./Figure.js"
import { alternate, median, perSecond } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { type Server, startHubProcess } from "./servers.js"
import { trivialWorkflow, writeWorkspace } from "./workflowFiles.js"

export const runs: Scenario = {
  name: "runs",
  about: "runs of three trivial roles, one worker",
  run: ({ sizes: { longRounds, runs: count } }) =>
    Effect.gen(function* () {
      const hub = yield* startHubProcess(
        yield* writeWorkspace({
          workflows: {
            one: { concurrency: 1, overflow: "queue", max_queue: 10_000 },
            eight: { concurrency: 8, overflow: "queue", max_queue: 10_000 }
          },
          modules: { "workflows/one/index": trivialWorkflow, "workflows/eight/index": trivialWorkflow }
        })
      )
      yield* carryOut(hub, "one", 1)
      yield* carryOut(hub, "eight", 1)
      const results = yield* alternate(longRounds, {
        one: carryOut(hub, "one", Math.ceil(count / 4)),
        eight: carryOut(hub, "eight", count)
      })
      const runsPerSecond = (each: ReadonlyArray<CarriedOut>) => median(each.map(({ rate }) => rate))
      const stepMs = median(results.eight.map(({ msPerRun }) => msPerRun / rolesEach))
      return [
        { what: "concurrency 8", value: runsPerSecond(results.eight), unit: "runs/s", target: least(300) },
        { what: "concurrency 1", value: runsPerSecond(results.one), unit: "runs/s" },
        ...(Number.isFinite(stepMs)
          ? [
              {
                what: "concurrency 8, a role step in the hub and the worker",
                value: stepMs,
                unit: "ms of CPU",
                target: most(3)
              }
            ]
          : [])
      ]
    })
}

const rolesEach = 3
const clients = 8
const pollMs = 20

interface CarriedOut {
  readonly rate: number
  /** CPU time of the hub and its worker. */
  readonly msPerRun: number
}

/** Asks for so many runs and waits until they have all ended. */
const carryOut = ({ port, pid }: Server, workflow: string, count: number): Effect.Effect<CarriedOut> =>
  Effect.promise(async () => {
    const connections = await Promise.all(Array.from({ length: clients }, () => Connection.open(port)))
    const cpuBefore = cpuMs(pid)
    const startedAt = performance.now()
    let asked = 0
    const ask = async (connection: Connection) => {
      while (asked++ < count) {
        const status = await connection.post(`/workflows/${workflow}/runs`, '{"prompt":"tidy up"}')
        if (status !== 201) throw new Error(`asking for a run: ${status}`)
      }
    }
    await Promise.all(connections.map(ask))
    while (await isAnyOpen(port, workflow)) await new Promise((resolve) => setTimeout(resolve, pollMs))
    for (const connection of connections) connection.close()
    return { rate: perSecond(count, startedAt), msPerRun: (cpuMs(pid) - cpuBefore) / count }
  })

const isAnyOpen = async (port: number, workflow: string): Promise<boolean> => {
  const answer = await fetch(`http://127.0.0.1:${port}/workflow_runs?workflow=${workflow}&limit=1`)
  const { rows } = (await answer.json()) as { readonly rows: ReadonlyArray<unknown> }
  return rows.length > 0
}
