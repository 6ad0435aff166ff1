import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { moundIn, startDev, workspaceFolder } from "../support/binaries.js"
import { startedHub } from "../support/hub.js"
import { eventsIn } from "../support/hubs.js"

/** Asks again until it is so; the test's own limit ends what never is. */
const until = <E, R>(isSo: Effect.Effect<boolean, E, R>) =>
  Effect.repeat(Effect.delay(isSo, 50), { until: (so) => so })

describe("backups that a hub takes by itself", () => {
  it.scopedLive("are kept as many as wanted, restore, and touch nothing that is not theirs", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder("journal:\n  backup_every: 1s\n  backup_keep: 2\n")
      const backups = join(workspace, ".mound/backups")
      mkdirSync(join(backups, "mine"), { recursive: true })
      mkdirSync(join(backups, "2020-01-01T00-00-00.000Z.partial"))
      yield* startDev(workspace)
      const taken = Effect.map(eventsIn(workspace), (events) =>
        events.filter(({ type, by }) => type === "BackupTaken" && by === "hub")
      )
      yield* until(Effect.map(taken, ({ length }) => length >= 3))
      const own = Effect.sync(() => readdirSync(backups).filter((name) => name !== "mine"))
      yield* until(
        Effect.map(own, (names) => names.filter((name) => !name.endsWith(".partial")).length === 2)
      )
      expect(readdirSync(backups)).toContain("mine")
      expect(readdirSync(backups)).not.toContain("2020-01-01T00-00-00.000Z.partial")

      yield* moundIn(workspace)("stop", "--force")
      const newest = (yield* taken).at(-1)?.data as { readonly dir: string; readonly offset: number }
      const target = yield* workspaceFolder()
      const restored = yield* moundIn(target)("journal", "import", newest.dir)
      expect(restored).toMatchObject({ code: 0 })
      expect((yield* moundIn(target)("journal", "verify")).code).toBe(0)
      expect((yield* eventsIn(target)).slice(0, newest.offset)).toEqual(
        (yield* eventsIn(workspace)).slice(0, newest.offset)
      )
    })
  )

  it.scopedLive("that fail are told in health once twice their time has gone by, and harm nobody", () =>
    Effect.gen(function* () {
      const hub = yield* startedHub({
        settings: { "journal.backup_every": "1s" },
        takeBackup: () => Effect.never
      })
      const reasons = Effect.promise(async () => (await hub.ask("/health")).text)
      yield* until(Effect.map(reasons, (text) => text.includes('"component":"backup"')))
      expect(JSON.parse(yield* reasons)).toMatchObject({
        status: "degraded",
        components: [{ component: "backup", reasons: [{ reason: "overdue" }] }]
      })
      expect((yield* Effect.promise(() => hub.publish("w1"))).status).toBe(201)
    })
  )
})
