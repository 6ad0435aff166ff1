/** `npm run kill-import`: kills an import just before and after each of its commits; exit 1 if it does not come to the same each time. */
import { isDeepStrictEqual } from "node:util"
import { Effect } from "effect"
import { importKilledAt } from "../test/support/importKills.js"

const walk = Effect.gen(function* () {
  const expected = yield* Effect.scoped(importKilledAt())
  let failed = 0
  for (let commit = 1; ; commit++) {
    for (const when of ["before", "after"] as const) {
      const { imported, isKilled, commits } = yield* Effect.scoped(importKilledAt({ when, commit }))
      const isSame = isDeepStrictEqual(imported, expected.imported)
      if (!isSame) failed += 1
      const said = isSame ? "the same" : "another ledger"
      if (isKilled) process.stdout.write(`killed ${when} commit ${commit}, ${commits} more: ${said}\n`)
      // How many commits share a transaction depends on the disk: the last place is one that none of them reaches.
      else if (commit > expected.commits) return failed
    }
  }
})

Effect.runPromise(walk).then((failed) => {
  process.stdout.write(failed === 0 ? "every place held\n" : `${failed} places did not hold\n`)
  process.exit(failed === 0 ? 0 : 1)
})
