/** The summary of an audit log, beside what the old project's own program makes of the same file (contracts: ledger 6.5). */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { moundIn } from "../support/binaries.js"
import { startedHub } from "../support/hub.js"
import { temporaryFolder } from "../support/stores.js"

const program = join(
  dirname(createRequire(import.meta.url).resolve("@oh-my-stigmergy/sbp-server")),
  "bin/metrics.mjs"
)
const line = (event: unknown, more: object = {}, ts: unknown = 1_000) =>
  JSON.stringify({ ts, event, ...more })
const compaction = (store: string, durationMs: unknown) =>
  line("compaction_done", { store, kept: 3, dropped: "x", durationMs, bytesBefore: 10, bytesAfter: 5 })

const logs: { readonly [name: string]: ReadonlyArray<string> } = {
  empty: [""],
  "with everything in it": [
    line("healthz", { ok: true }),
    line("publish", { id: "a" }, 3_000),
    line("publish", { id: "a" }, 500),
    line("publish", { id: "" }),
    line("claim", { id: "ü" }),
    line("claim_conflict"),
    line("inflate", { id: 5 }),
    line("inflate_missing"),
    line("publish_error"),
    line("stance_unknown"),
    line("sse_open"),
    line("not_found"),
    line("decay_gc_error"),
    ...Array.from({ length: 30 }, (_, n) => compaction(n % 2 ? "jsonl" : "sqlite", n)),
    compaction("sqlite", null),
    compaction("other", 7),
    line("7"),
    line("made up"),
    ""
  ],
  "with lines that are none": ["", "  ", "{", "5", "null", "[]", line(5), line(""), line("x", {}, "1"), "{}"]
}

describe("mound ledger metrics", () => {
  for (const [name, lines] of Object.entries(logs)) {
    it.scopedLive(`prints of a log ${name} what the old program prints`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const file = join(folder, "audit.log")
        writeFileSync(file, lines.join("\n"))
        const { stdout } = yield* moundIn(folder)("ledger", "metrics", "audit.log")
        expect(stdout).toBe(spawnSync(process.execPath, [program, file], { encoding: "utf8" }).stdout)
      })
    )
  }

  it.scopedLive("sums up the journal when no file is named, and says what it cannot read", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const hub = yield* startedHub({ folder })
      yield* Effect.promise(async () => {
        for (const id of ["a", "b", "a"]) await hub.publish(id)
        await hub.ask("/pheromones/a/claim", { body: "" })
        await hub.ask("/pheromones/b/inflate", { body: "" })
        await hub.end()
      })
      const mound = moundIn(folder)
      const { stdout } = yield* mound("ledger", "metrics")
      expect(JSON.parse(stdout)).toMatchObject({
        version: 1,
        input: { path: join(folder, ".mound/mound.db"), lines: 5, parsed: 5, skipped: 0 },
        events: { total: 5, byEvent: { publish: 3, claim: 1, inflate: 1 } },
        pheromones: { published: 2, claimed: 1, inflated: 1 }
      })
      const failed = yield* mound("ledger", "metrics", "nowhere.log")
      expect([failed.code, failed.stdout, failed.stderr]).toEqual([
        1,
        "",
        expect.stringContaining(join(folder, "nowhere.log"))
      ])
    })
  )
})
