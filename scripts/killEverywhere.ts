/**
 * Kills the hub, its worker, and both, before and after every event of the sample run, and checks after each that the run went on as it
 * must. Takes some minutes; the test suite samples it. `npm run kill-everywhere`, or with a number to begin at.
 */
import { Effect } from "effect"
import { killAt, type Place, sampleEvents } from "../test/support/killing.js"

const places = Array.from({ length: sampleEvents }, (_, index) => index + 1).flatMap((event) =>
  (["before", "after"] as const).flatMap((when) =>
    (["hub", "worker", "both"] as const).map((whom): Place => ({ when, event, whom }))
  )
)

const walk = Effect.gen(function* () {
  const from = Number(process.argv[2] ?? 1)
  let failed = 0
  for (const [index, place] of places.entries()) {
    if (index + 1 < from) continue
    const { problems, events, calls } = yield* Effect.scoped(killAt(place))
    const said = problems.length === 0 ? "ok" : problems.join("; ")
    process.stdout.write(
      `${index + 1}/${places.length} ${place.whom} killed ${place.when} event ${place.event}: ${events.length} events, ${calls} calls, ${said}\n`
    )
    failed += problems.length === 0 ? 0 : 1
  }
  process.stdout.write(failed === 0 ? "every place held\n" : `${failed} places did not hold\n`)
  return failed
})

Effect.runPromise(walk).then((failed) => process.exit(failed === 0 ? 0 : 1))
