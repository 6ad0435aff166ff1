/** How soon a hub reacts: from a signal to the start of the run that it leads to, and what a sense that sees nothing costs. */
import { Effect } from "effect"
import { cpuMs } from "./cpuTime.js"
import { most } from "./Figure.js"
import { journalOf } from "./journalOf.js"
import { median } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { startHubProcess } from "./servers.js"
import { trivialWorkflow, writeWorkspace } from "./workflowFiles.js"

export const reactions: Scenario = {
  name: "reactions",
  about: "from a signal to a run, and what a sense's tick costs",
  run: ({ sizes: { signals, ticking } }) =>
    Effect.gen(function* () {
      const latencies = yield* Effect.scoped(signalToRun(signals))
      const { msPerTick, cores } = yield* Effect.scoped(ticks(ticking))
      return [
        {
          what: "from SignalEmitted over a second sense to RunStarted, median",
          value: median(latencies),
          unit: "ms",
          target: most(15)
        },
        ...(Number.isFinite(msPerTick)
          ? [
              {
                what: "a tick of a sense that sees nothing, hub and group",
                value: msPerTick,
                unit: "ms of CPU"
              },
              {
                what: `${ticking.senses} senses that compute every second`,
                value: cores * 100,
                unit: "% of a core",
                target: most(60)
              }
            ]
          : [])
      ]
    })
}

/** One sense signals when it is told to, another hears it and launches: as far as a reaction goes, with everything warm. */
const signalToRun = (signals: number) =>
  Effect.gen(function* () {
    const { port } = yield* startHubProcess(
      yield* writeWorkspace({
        senses: { alarm: {}, fireman: { on: ["alarm"] } },
        workflows: { rescue: { concurrency: 8, overflow: "queue" } },
        modules: {
          "senses/alarm/compute": "export const compute = ({ now }) => ({ smoke: now })",
          "senses/fireman/compute": 'export const compute = () => ({ workflow: "rescue|3|put it out" })',
          "workflows/rescue/index": trivialWorkflow
        }
      })
    )
    return yield* Effect.promise(async () => {
      for (let n = 0; n <= signals; n++) {
        await post(port, "/senses/alarm/trigger?wait=60000")
        await until(async () => (await journalOf(port, ["RunCompleted"])).length > n)
      }
      const events = await journalOf(port, ["SignalEmitted", "RunStarted"])
      const times = (type: string) => events.filter((event) => event.type === type).map(({ at }) => at)
      const started = times("RunStarted")
      // The first one had to wait for its worker.
      return times("SignalEmitted")
        .map((at, index) => (started[index] ?? Number.NaN) - at)
        .slice(1)
    })
  })

/** Senses of one group that look every second and see nothing. */
const ticks = ({ senses, seconds }: { readonly senses: number; readonly seconds: number }) =>
  Effect.gen(function* () {
    const names = Array.from({ length: senses }, (_, index) => `idle-${index}`)
    const { port, pid } = yield* startHubProcess(
      yield* writeWorkspace({
        senses: Object.fromEntries(names.map((name) => [name, { interval: "1s" }])),
        modules: Object.fromEntries(
          names.map((name) => [`senses/${name}/compute`, "export const compute = () => null"])
        )
      })
    )
    return yield* Effect.promise(async () => {
      const computes = async () => {
        const { rows } = await get(port, "/senses")
        return (rows as ReadonlyArray<{ readonly computes: number }>).reduce(
          (sum, row) => sum + row.computes,
          0
        )
      }
      // All have been loaded and have looked twice.
      await until(async () => (await computes()) >= 2 * senses)
      const before = { cpu: cpuMs(pid), computes: await computes(), at: performance.now() }
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
      const cpu = cpuMs(pid) - before.cpu
      const looked = (await computes()) - before.computes
      return { msPerTick: cpu / looked, cores: cpu / (performance.now() - before.at) }
    })
  })

const until = async (isSo: () => Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

const post = async (port: number, path: string): Promise<void> => {
  const { ok, status } = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST" })
  if (!ok) throw new Error(`POST ${path}: ${status}`)
}

const get = async (port: number, path: string): Promise<{ readonly [field: string]: unknown }> =>
  (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as { readonly [field: string]: unknown }
