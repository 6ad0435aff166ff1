/** Publishing and claiming over HTTP, beside the old ledger server from npm on its SQLite store, which does not sync to disk. */
import { Effect } from "effect"
import { type Figure, leastRatio } from "./Figure.js"
import { startHelper } from "./Helper.js"
import type { RequestsDone, RequestsJob } from "./requestsHelper.js"
import { alternate, median } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { type Server, startHubProcess, startOldLedger } from "./servers.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const ledger: Scenario = {
  name: "ledger",
  about: "publish and claim over HTTP beside @oh-my-stigmergy/sbp-server",
  run: ({ sizes: { rounds, marks } }) =>
    Effect.gen(function* () {
      const request = yield* startHelper<RequestsJob, RequestsDone>("./requestsHelper.js")
      const hub = yield* startHubProcess(yield* temporaryFolder)
      const old = yield* startOldLedger(yield* temporaryFolder)
      let from = 0
      /** Publishes new marks, then claims them; both as requests a second. */
      const publishAndClaim = ({ port }: Server, connections: number) =>
        Effect.gen(function* () {
          const job = { port, connections, from, count: marks }
          from += marks
          const published = yield* request({ ...job, verb: "publish" })
          const claimed = yield* request({ ...job, verb: "claim" })
          return { publish: rate(published, marks), claim: rate(claimed, marks) }
        })
      const figures: Array<Figure> = []
      for (const connections of [8, 32]) {
        const results = yield* alternate(rounds, {
          hub: publishAndClaim(hub, connections),
          old: publishAndClaim(old, connections)
        })
        for (const verb of ["publish", "claim"] as const) {
          const rateOf = (all: ReadonlyArray<{ readonly [Verb in "publish" | "claim"]: number }>) =>
            median(all.map((each) => each[verb]))
          figures.push({
            what: `${verb}, ${connections} connections`,
            value: rateOf(results.hub),
            unit: "requests/s",
            beside: { what: "sbp-server, SQLite, no fsync", value: rateOf(results.old) },
            ...(connections === 32 && { target: leastRatio(1) })
          })
        }
      }
      return figures
    })
}

const rate = ({ tookMs }: RequestsDone, requests: number): number => requests / (tookMs / 1_000)
