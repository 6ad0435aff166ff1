/** Sweeps by themselves, while the store cannot be read and when it can again (contracts: ledger 6.4 and 6.5). */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { JournalUnavailable } from "../../src/events/Journal.js"
import { makeSweeper } from "../../src/hub/Sweeper.js"
import { askAt, type Fields, serverBeside, startedHub } from "../support/hub.js"

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("the scheduled sweep", () => {
  it.scopedLive("that fails is told of in the audit log and in health, and goes on", () =>
    Effect.gen(function* () {
      const hub = yield* startedHub()
      const { parts } = hub
      let isBroken = true
      const noted: Array<readonly [event: string, fields: object]> = []
      const read: typeof parts.projector.read = (sql, parameters) =>
        isBroken
          ? new JournalUnavailable({ reason: "io", detail: "the disk is gone" })
          : parts.projector.read(sql, parameters)
      const sweeper = makeSweeper({
        ...parts,
        kind: parts.claimKind,
        projector: { ...parts.projector, read },
        now: parts.clock.now,
        settings: { ...parts.settings, "ledger.sweep.interval": 5 },
        audit: { isOn: true, note: (event, fields) => noted.push([event, fields]) }
      })
      const { port, close } = yield* Effect.promise(() =>
        serverBeside({ ...hub, parts: { ...parts, sweeper } })
      )
      const ledger = async () => {
        const { components } = (await askAt(port, "/health")).json
        return (components as ReadonlyArray<Fields>).find(({ component }) => component === "ledger")
      }
      yield* Effect.forkScoped(sweeper.schedule)
      yield* Effect.promise(async () => {
        await hub.publish("faded", { baseIntensity: 0.001 })
        await hub.ask("/pheromones/faded/claim", { body: "" })
        while (!sweeper.outage()) await turn()
        expect(noted[0]).toEqual(["decay_gc_error", { err: expect.stringContaining("the disk is gone") }])
        expect(await ledger()).toMatchObject({
          status: "degraded",
          reasons: [{ reason: "sweep_failed", detail: expect.stringContaining("the disk is gone") }]
        })
        isBroken = false
        while (sweeper.outage()) await turn()
        expect(await hub.listed()).toEqual([])
        expect(await ledger()).toBeUndefined()
        await close()
      })
    })
  )
})
