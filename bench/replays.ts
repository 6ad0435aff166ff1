/** A long journal folded again, by the commands that a person runs: through machines and reducers, and into a new table. */
import { execFile } from "node:child_process"
import { Effect } from "effect"
import { least } from "./Figure.js"
import { alternate, median, perSecond } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { binary } from "./servers.js"

export const replays: Scenario = {
  name: "replays",
  about: "journal replay and journal rebuild of a long journal",
  run: ({ sizes: { longRounds, journalEvents }, longWorkspace }) =>
    Effect.gen(function* () {
      const workspace = yield* longWorkspace
      const journal = (...verb: ReadonlyArray<string>) => eventsPerSecond([...verb, "--workspace", workspace])
      const rates = yield* alternate(longRounds, {
        replay: journal("replay", "--json"),
        rebuild: journal("rebuild", "claims", "--json"),
        verify: journal("verify", "--json")
      })
      const events = journalEvents.toLocaleString("en-US")
      const unit = "events/s"
      return [
        {
          what: `journal replay of ${events} events`,
          value: median(rates.replay),
          unit,
          target: least(100_000)
        },
        { what: `journal rebuild claims of ${events} events`, value: median(rates.rebuild), unit },
        { what: `journal verify of ${events} events`, value: median(rates.verify), unit }
      ]

      function eventsPerSecond(argv: ReadonlyArray<string>): Effect.Effect<number> {
        return Effect.suspend(() => {
          const startedAt = performance.now()
          return Effect.map(run(argv), () => perSecond(journalEvents, startedAt))
        })
      }
    })
}

/** Runs a `journal` verb to its end. It must end well: a replay that diverges has no rate. */
const run = (argv: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.async((resume) => {
    execFile(process.execPath, [binary("journal"), ...argv], { maxBuffer: 2 ** 26 }, (error) =>
      resume(error ? Effect.die(error) : Effect.void)
    )
  })
