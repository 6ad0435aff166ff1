import { execFileSync } from "node:child_process"
import { cpSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { RecordedEvent } from "../../src/events/Event.js"
import { temporaryFolder } from "../support/stores.js"
import { awaitEvent, eventsOf, startTestHub } from "../support/testHubs.js"

const example = resolve(import.meta.dirname, "../../examples/scratch-guard")

describe("the senses of examples/scratch-guard", () => {
  it.scopedLive("see this disk as df does, and have room made once for one filling", () =>
    Effect.gen(function* () {
      const workspace = join(yield* temporaryFolder, "scratch-guard")
      cpSync(example, workspace, {
        recursive: true,
        filter: (path) => !/\.mound|scratch$/.test(path) || path === example
      })
      const hub = yield* startTestHub(workspace)
      const signals = (scratch: number) =>
        awaitEvent(
          hub,
          ({ stream, type, data }) =>
            stream === "sense/disk-usage" &&
            type === "SignalEmitted" &&
            (data.payload as { scratch: number }).scratch === scratch
        )
      const empty = yield* signals(0)
      const df = execFileSync("df", ["--output=pcent", workspace])
        .toString()
        .match(/(\d+)%/)?.[1]
      // The disk is in use by others meanwhile.
      expect(Math.abs((empty.data.payload as { disk: number }).disk - Number(df))).toBeLessThanOrEqual(1)

      execFileSync(process.execPath, [join(workspace, "fill.mjs"), "56MiB"])
      yield* signals(88)
      // The machine that the test runs on may be busy enough for the other sense.
      const isLaunch = ({ stream, type }: RecordedEvent) =>
        stream === "sense/disk-pressure" && type === "SenseLaunched"
      const launched = yield* awaitEvent(hub, isLaunch)
      expect(launched).toMatchObject({
        stream: "sense/disk-pressure",
        data: {
          workflow: "free-scratch",
          maxRounds: 8,
          prompt: "scratch at 88 % of 64 MiB",
          evidence: { path: join(workspace, "scratch"), pct: 88 },
          depth: 2
        }
      })
      execFileSync(process.execPath, [join(workspace, "fill.mjs"), "63MiB"])
      yield* signals(98)
      yield* awaitEvent(
        hub,
        ({ stream, type, offset, data }) =>
          stream === "sense/disk-pressure" &&
          type === "SenseComputeCompleted" &&
          offset > launched.offset &&
          data.outcome === "silent"
      )
      expect((yield* eventsOf(hub)).filter(isLaunch)).toHaveLength(1)
    }).pipe(Effect.orDie)
  )
})
