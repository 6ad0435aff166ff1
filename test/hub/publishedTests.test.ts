/**
 * The published tests of the old server and its plugin that ask over HTTP, run against Mound as they are. Left out: those that call the
 * old module's own functions on its own files (compaction, decay, decay-gc, rotation, multi-writer, all but one of sqlite-store; of the
 * plugin what never asks a server); supervised-runtime, whose last line wants the old database file (`dropIn.test.ts` does the same); and
 * the restart in durability, whose bound gives it a fifth of a second, which a process that is stopped and started cannot keep.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { publishedTests, runPublished } from "../support/publishedTests.js"

/** How many tests of each file are to pass. */
const files: ReadonlyArray<readonly [file: string, tests: number, pattern?: string]> = [
  ["sbp-server/test/sbp.test.mjs", 1],
  ["sbp-server/test/healthz.test.mjs", 1],
  ["sbp-server/test/stream.test.mjs", 1],
  ["sbp-server/test/floor.test.mjs", 1],
  ["sbp-server/test/load.test.mjs", 1],
  ["sbp-server/test/log-contract.test.mjs", 1],
  ["sbp-server/test/durability.test.mjs", 1, "truncated"],
  ["sbp-server/test/stance-registry.test.mjs", 3],
  ["sbp-server/test/sqlite-store.test.mjs", 1, "healthz"],
  ["sbp-server/test/metrics.test.mjs", 1],
  ["opencode-plugin/test/plugin.test.mjs", 5],
  ["opencode-plugin/test/superviseSbp.test.mjs", 4]
]

describe("the old ledger's published tests", () => {
  for (const [file, tests, pattern] of files) {
    it.scopedLive(
      `${file} passes`,
      () =>
        Effect.gen(function* () {
          const { code, passed, output } = yield* Effect.flatMap(publishedTests, (root) =>
            Effect.promise(() => runPublished(root, file, pattern))
          )
          expect([passed, code === 0 ? "" : output]).toEqual([tests, ""])
        }),
      60_000
    )
  }
})
