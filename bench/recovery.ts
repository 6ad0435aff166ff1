/** How long a hub takes from its start until it serves, with a long journal and many claims under way, beside one with nothing at all. */
import { Effect } from "effect"
import { most } from "./Figure.js"
import { alternate, median } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { startHubProcess } from "./servers.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const recovery: Scenario = {
  name: "recovery",
  about: "start of a hub until it serves, on a long journal",
  run: ({ sizes: { rounds, journalEvents, unfinished }, longWorkspace }) =>
    Effect.gen(function* () {
      const start = (workspace: string) =>
        Effect.scoped(Effect.map(startHubProcess(workspace), ({ startedInMs }) => startedInMs / 1_000))
      const seconds = yield* alternate(rounds, {
        long: start(yield* longWorkspace),
        empty: start(yield* temporaryFolder)
      })
      const claims = unfinished.toLocaleString("en-US")
      return [
        {
          what: `${journalEvents.toLocaleString("en-US")} events, ${claims} claims open and ${claims} held`,
          value: median(seconds.long),
          unit: "s",
          beside: { what: "an empty journal", value: median(seconds.empty) },
          target: most(3)
        }
      ]
    })
}
