/** A large ledger of the old server moves in: how long that takes, how long its list takes, and how long anybody else has to wait. */
import { closeSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { most } from "./Figure.js"
import { startHelper } from "./Helper.js"
import type { HubJob, HubSpent } from "./hubHelper.js"
import { mark } from "./mark.js"
import { alternate, median } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const imports: Scenario = {
  name: "imports",
  about: "a large ledger of the old server moves in, and is listed",
  run: ({ sizes: { longRounds, imported: marks } }) =>
    Effect.gen(function* () {
      const path = join(yield* temporaryFolder, "ledger.jsonl")
      writeLedger(path, marks)
      const moveIn = Effect.scoped(
        Effect.gen(function* () {
          const helper = yield* startHelper<HubJob, HubSpent>("./hubHelper.js")
          const job = { workspace: yield* temporaryFolder }
          const { port } = yield* helper(job)
          const ask = (route: string, init?: RequestInit) =>
            Effect.promise(async () => {
              const startedAt = performance.now()
              const response = await fetch(`http://127.0.0.1:${port}${route}`, init)
              await response.text()
              return performance.now() - startedAt
            })
          const importMs = yield* ask("/ledger/import", { method: "POST", body: JSON.stringify({ path }) })
          const importing = yield* helper(job)
          const listMs = yield* ask("/pheromones")
          return { importMs, importing, listMs, listing: yield* helper(job) }
        })
      )
      const { all } = yield* alternate(longRounds, { all: moveIn })
      const seconds = (of: (round: (typeof all)[number]) => number) => median(all.map(of)) / 1_000
      const longest = (of: (round: (typeof all)[number]) => HubSpent) =>
        Math.max(...all.map((round) => of(round).longestStallMs))
      const many = `${marks.toLocaleString("en-US")} marks, half of them claimed`
      return [
        { what: `import of ${many}`, value: seconds((it) => it.importMs), unit: "s", target: most(20) },
        { what: "import, of the processor", value: seconds((it) => it.importing.processorMs), unit: "s" },
        { what: "import, longest stall", value: longest((it) => it.importing), unit: "ms", target: most(50) },
        { what: `list of ${many}`, value: seconds((it) => it.listMs), unit: "s", target: most(1.5) },
        { what: "list, of the processor", value: seconds((it) => it.listing.processorMs), unit: "s" },
        { what: "list, longest stall", value: longest((it) => it.listing), unit: "ms", target: most(50) }
      ]
    })
}

/** As the old server writes it: every mark's line, and behind every second one the line of its claim. */
const writeLedger = (path: string, marks: number): void => {
  const file = openSync(path, "w")
  for (let n = 0; n < marks; n++) {
    const id = `mark-${n}`
    const payload = { ...mark(id), publishedAt: 1_700_000_000_000 + n, inflations: 0 }
    const lines: Array<object> = [{ type: "publish", payload }]
    if (n % 2 === 0)
      lines.push({ type: "claim", id, token: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}` })
    writeSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
  }
  closeSync(file)
}
