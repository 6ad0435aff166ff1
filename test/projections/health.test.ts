import { describe, expect, it } from "@effect/vitest"
import { RecordedEvent } from "../../src/events/Event.js"
import { health } from "../../src/projections/health.js"
import { RowFold } from "../../src/projections/Projection.js"
import { offset, stream, version } from "../support/stores.js"

type Given = readonly [type: string, data: { readonly [field: string]: unknown }, at?: number]

/** The rows that these events of the hub leave. */
const rowsAfter = (...given: ReadonlyArray<Given>) => {
  const fold = new RowFold(health)
  for (const [index, [type, data, at = 1_000]] of given.entries()) {
    const place = { offset: offset(index + 1), version: version(index + 1), stream: stream("hub") }
    const rest = { schema: 1, state: "ready", by: "hub", commandId: "c", causation: null, correlation: null }
    fold.apply(new RecordedEvent({ ...place, ...rest, type, at, dataJson: JSON.stringify(data), hash: "" }))
  }
  return [...fold.rows.values()]
}

const minute = 60_000
const defect = { stream: "claim/a", offset: 1, where: "decide", message: "no", stack: [] }

describe("Health", () => {
  it("has no rows when nothing is wrong", () => {
    expect(rowsAfter(["HubStarted", {}], ["HubReady", { quarantined: [] }])).toEqual([])
  })

  it("shows a lost boot and a clock that jumped for ten minutes, a defect for an hour", () => {
    const rows = rowsAfter(
      ["HubLossDetected", { lastOffset: 7 }],
      ["ClockJumpDetected", { wallMs: 5, monotonicMs: 0 }],
      ["DefectRecorded", defect]
    )
    expect(rows.map(({ key, status, expires_at }) => [key, status, expires_at])).toEqual([
      ["hub/lost/", "degraded", 1_000 + 10 * minute],
      ["clock/jumped/", "degraded", 1_000 + 10 * minute],
      ["actors/defect/claim/a", "degraded", 1_000 + 60 * minute]
    ])
  })

  it("knows since when a reason holds: from its first event while it is raised, anew after it was over", () => {
    const again = (at: number) => rowsAfter(["DefectRecorded", defect], ["DefectRecorded", defect, at])[0]
    expect(again(1_000 + 59 * minute)).toMatchObject({ since: 1_000, offset: 2 })
    expect(again(1_000 + 61 * minute)).toMatchObject({ since: 1_000 + 61 * minute })
  })

  it("shows quarantined streams until a boot at which all of them fold", () => {
    const quarantined = ["HubReady", { quarantined: [{ stream: "claim/a", offset: 4 }] }] as const
    expect(rowsAfter(quarantined)).toMatchObject([
      { key: "actors/quarantined/", expires_at: null, detail: "claim/a at offset 4" }
    ])
    expect(rowsAfter(quarantined, ["HubReady", { quarantined: [] }])).toEqual([])
  })

  it("fails while a projection differs from its events, until it is rebuilt", () => {
    const diverged = ["ProjectionDiverged", { name: "claims", liveDigest: "a", rebuiltDigest: "b" }] as const
    expect(rowsAfter(diverged)).toMatchObject([{ key: "projections/diverged/claims", status: "failing" }])
    expect(rowsAfter(diverged, ["ProjectionRebuilt", { name: "claims" }])).toEqual([])
  })
})
