import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { KnownEvents } from "../../src/events/Upcasters.js"
import * as SqliteWriter from "../../src/projections/SqliteWriter.js"
import { knownEvents, projections } from "../../src/replay/installed.js"
import { faultyStore } from "../support/faultyStore.js"
import { runFullDisk } from "../support/fullDisk.js"
import { startedHub } from "../support/startedHub.js"
import { temporaryFolder } from "../support/stores.js"

interface Disk {
  isFull: boolean
}

const writerOn = (disk: Disk) => (path: string) =>
  SqliteWriter.layer(projections).pipe(
    Layer.provide(faultyStore(() => (disk.isFull ? "full" : "works"))),
    Layer.provide(SqliteStore.layer(path)),
    Layer.provide(Layer.succeed(KnownEvents, knownEvents))
  )

describe("A hub whose disk is full", () => {
  it.scopedLive("refuses writes and says why, goes on reading, and writes again once there is space", () =>
    Effect.gen(function* () {
      const workspace = yield* temporaryFolder
      const disk: Disk = { isFull: false }
      const { url } = yield* startedHub(workspace, { writer: writerOn(disk) })
      const faults = yield* Effect.promise(() =>
        runFullDisk({
          url,
          path: join(workspace, ".mound/mound.db"),
          fill: () => {
            disk.isFull = true
          },
          free: () => {
            disk.isFull = false
          }
        })
      )
      expect(faults).toEqual([])
    })
  )
})
