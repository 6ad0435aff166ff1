/** Events on their way to many followers at once: how many arrive in a second, and that none is missing. */
import { Effect } from "effect"
import { most } from "./Figure.js"
import type { FollowersAnswer, FollowersJob } from "./followersHelper.js"
import { startHelper } from "./Helper.js"
import type { RequestsDone, RequestsJob } from "./requestsHelper.js"
import { alternate, median, perSecond } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { startHubProcess } from "./servers.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const fanOut: Scenario = {
  name: "fan-out",
  about: "events to followers over server-sent events",
  run: ({ sizes: { rounds, followers, followed } }) =>
    Effect.gen(function* () {
      const request = yield* startHelper<RequestsJob, RequestsDone>("./requestsHelper.js")
      const follow = yield* startHelper<FollowersJob, FollowersAnswer>("./followersHelper.js")
      const { port } = yield* startHubProcess(yield* temporaryFolder)
      let from = 0
      /** Publishes marks to the followers that are connected; events that arrived a second, and what was missed. */
      const publish = Effect.gen(function* () {
        const { after } = yield* follow({ step: "connect", port, followers })
        const startedAt = performance.now()
        yield* request({ port, connections: 32, verb: "publish", from, count: followed })
        const { missed } = yield* follow({ step: "await", upTo: after + followed })
        from += followed
        return { rate: perSecond(followed * followers - missed, startedAt), missed }
      })
      const { rounds: counted } = yield* alternate(rounds, { rounds: publish })
      const what = `${followers} followers`
      return [
        { what: `${what}, arriving`, value: median(counted.map(({ rate }) => rate)), unit: "events/s" },
        {
          what: `${what}, missed`,
          value: counted.reduce((sum, { missed }) => sum + missed, 0),
          unit: "events",
          target: most(0)
        }
      ]
    })
}
