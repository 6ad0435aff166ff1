/** Fuzzes a hub of its own for so many seconds: `npm run fuzz -- 60 [seed]`. Prints what it has seen; exit 1 for any fault. */
import { Effect } from "effect"
import { fuzz } from "../test/support/fuzz.js"
import { startedHub } from "../test/support/hub.js"

const [seconds = "60", given] = process.argv.slice(2)
const seed = given === undefined ? Date.now() % 1_000_000 : Number(given)
const until = performance.now() + Number(seconds) * 1_000

const { sent, statuses, faults } = await Effect.runPromise(
  Effect.scoped(
    Effect.flatMap(startedHub(), (hub) =>
      Effect.promise(() => fuzz(hub, seed, () => performance.now() > until))
    )
  )
)
const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
process.stdout.write(`seed ${seed}, ${sent} connections; ${counts.join(", ")}; ${faults.length} faults\n`)
for (const fault of faults.slice(0, 20)) process.stdout.write(`${fault}\n`)
process.exitCode = faults.length > 0 ? 1 : 0
