/** What live actors take in memory: claims under a lease, each with its deadline. */
import { Effect } from "effect"
import { most } from "./Figure.js"
import { startHelper } from "./Helper.js"
import type { MemoryJob } from "./memoryHelper.js"
import { alternate, median } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { temporaryFolder } from "./temporaryFolder.js"
import type { Weight } from "./weigh.js"

export const memory: Scenario = {
  name: "memory",
  about: "memory of live actors",
  run: ({ sizes: { longRounds, liveActors } }) =>
    Effect.gen(function* () {
      const measure = Effect.scoped(
        Effect.gen(function* () {
          const helper = yield* startHelper<MemoryJob, Weight>("./memoryHelper.js", ["--expose-gc"])
          return yield* helper({ workspace: yield* temporaryFolder, actors: liveActors })
        })
      )
      const { taken } = yield* alternate(longRounds, { taken: measure })
      const actors = liveActors.toLocaleString("en-US")
      const megabytes = (bytes: ReadonlyArray<number>) => median(bytes) / 1_000_000
      return [
        {
          what: `${actors} live claims, heap`,
          value: megabytes(taken.map(({ heapBytes }) => heapBytes)),
          unit: "MB",
          target: most(60)
        },
        {
          // With what two threads and SQLite took for themselves while twice as many commands went through them.
          what: `${actors} live claims, growth of the process`,
          value: megabytes(taken.map(({ residentBytes }) => residentBytes)),
          unit: "MB"
        }
      ]
    })
}
