/** Passes that a hub makes by itself: of time, and of size (contracts: ledger 3.4 no. 18 and 6.4). */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { jsonLines } from "../support/binaries.js"
import { startedHub } from "../support/hub.js"
import { temporaryFolder } from "../support/stores.js"

interface Pass {
  readonly kept: number
  readonly dropped: number
  readonly bytesAfter: number
}

const passesIn = (path: string): ReadonlyArray<Pass> =>
  jsonLines(existsSync(path) ? readFileSync(path, "utf8") : "")
    .filter(({ event }) => event === "compaction_done")
    .map((line) => line as unknown as Pass)

describe("a ledger that has grown too large", () => {
  it.live("is swept harshly once, and gently again as soon as it fits", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const audit = join(yield* temporaryFolder, "audit.ndjson")
        const maxBytes = 20_000
        const hub = yield* startedHub({
          settings: {
            "ledger.sweep.interval": "100ms",
            "ledger.sweep.max_bytes": String(maxBytes),
            "ledger.audit.file": audit
          }
        })
        /** Faded, but above the floor of an ordinary pass; done with, so a harsh one takes it. */
        const addTaken = (id: string) =>
          Effect.promise(async () => {
            await hub.publish(id, { baseIntensity: 0.6, payload: { text: "x".repeat(1_000) } })
            await hub.ask(`/pheromones/${id}/claim`, { body: "" })
          })
        const hasDropped = Effect.sync(() => passesIn(audit).some(({ dropped }) => dropped > 0))
        yield* Effect.promise(() => hub.publish("strong", { payload: { text: "x".repeat(1_000) } }))
        let added = 0
        yield* Effect.repeat(
          Effect.suspend(() => addTaken(`old-${added++}`)),
          { until: () => hasDropped }
        )
        const harsh = passesIn(audit).find(({ dropped }) => dropped > 0)
        expect(harsh?.dropped).toBeGreaterThan(10)
        expect(harsh?.bytesAfter).toBeLessThan(maxBytes / 2)

        yield* addTaken("new")
        const before = passesIn(audit).length
        yield* Effect.repeat(
          Effect.sync(() => passesIn(audit).length),
          { until: (count) => count >= before + 3, schedule: Schedule.spaced("10 millis") }
        )
        const left = (yield* Effect.promise(hub.listed)).map(({ id }) => id)
        expect(left).toEqual(expect.arrayContaining(["strong", "new"]))
      })
    )
  )
})
