/** What an operator waits for: the end of a hub that is idle, on a long journal, and a backup while others write. */
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { most } from "./Figure.js"
import { startHelper } from "./Helper.js"
import type { RequestsDone, RequestsJob } from "./requestsHelper.js"
import { alternate, median } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { binary, startHubProcess } from "./servers.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const operations: Scenario = {
  name: "operations",
  about: "stop of an idle hub, and a backup while others write",
  run: ({ sizes: { longRounds, journalEvents, marks }, longWorkspace }) =>
    Effect.gen(function* () {
      const workspace = yield* longWorkspace
      // The claims of the long journal are held: a plain stop would refuse.
      const stop = Effect.scoped(
        Effect.zipRight(
          startHubProcess(workspace),
          took(run("mound", "stop", "--force", "--workspace", workspace))
        )
      )
      const { stopped } = yield* alternate(longRounds, { stopped: stop })

      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "mound.yaml"), "")
      const request = yield* startHelper<RequestsJob, RequestsDone>("./requestsHelper.js")
      const { port } = yield* startHubProcess(folder)
      let from = 0
      const publish = Effect.suspend(() => {
        const job = { port, connections: 32, verb: "publish", from, count: marks } as const
        from += marks
        return Effect.map(request(job), ({ tookMs }) => (1_000 * marks) / tookMs)
      })
      let backups = 0
      const backedUp = Effect.suspend(() => {
        const target = join(folder, `backup-${backups++}`)
        return took(run("journal", "backup", target, "--workspace", folder))
      })
      const { alone, meanwhile } = yield* alternate(longRounds, {
        alone: Effect.map(publish, (rate) => ({ rate, ms: 0 })),
        meanwhile: Effect.map(Effect.all([publish, backedUp], { concurrency: 2 }), ([rate, ms]) => ({
          rate,
          ms
        }))
      })
      const events = journalEvents.toLocaleString("en-US")
      return [
        {
          what: `mound stop, idle, ${events} events`,
          value: median(stopped) / 1_000,
          unit: "s",
          target: most(2)
        },
        {
          what: "publish while a backup is taken, 32 connections",
          value: median(meanwhile.map(({ rate }) => rate)),
          unit: "requests/s",
          beside: { what: "without", value: median(alone.map(({ rate }) => rate)) }
        },
        { what: "that backup", value: median(meanwhile.map(({ ms }) => ms)) / 1_000, unit: "s" }
      ]
    })
}

const took = (work: Effect.Effect<void>): Effect.Effect<number> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    return Effect.map(work, () => performance.now() - startedAt)
  })

/** Runs a verb to its end. It must end well. */
const run = (name: "mound" | "journal", ...argv: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.async((resume) => {
    execFile(process.execPath, [binary(name), ...argv], (error) =>
      resume(error ? Effect.die(error) : Effect.void)
    )
  })
