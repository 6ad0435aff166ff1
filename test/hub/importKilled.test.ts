/** An import that is killed on its way, in a process of its own, and taken up again. */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import { Effect } from "effect"
import { hubProcess } from "../support/hubProcess.js"
import { importKilledAt } from "../support/importKills.js"
import { temporaryFolder } from "../support/stores.js"

const ids = 6_000
/** Every third mark is claimed, every fifth was inflated; some claims stand alone. */
const lines = Array.from({ length: ids }, (_, n) => [
  `{"type":"publish","payload":{"id":"w${n}","stanceTarget":"s","baseIntensity":${n},"decayRate":0,"publishedAt":${n},"inflations":0}}`,
  ...(n % 3 === 0 ? [`{"type":"claim","id":"w${n}","token":"t${n}"}`] : []),
  ...(n % 5 === 0 ? [`{"type":"inflate","id":"w${n}"}`] : []),
  ...(n % 100 === 0 ? [`{"type":"claim","id":"alone${n}","token":"t${n}"}`] : [])
]).flat()

const claimEvents = (folder: string): number => {
  const path = join(folder, ".mound", "mound.db")
  if (!existsSync(path)) return 0
  const db = new Database(path, { readonly: true })
  try {
    const { count } = db
      .prepare("SELECT count(*) AS count FROM events WHERE stream LIKE 'claim/%'")
      .get() as {
      readonly count: number
    }
    return count
  } catch {
    return 0
  } finally {
    db.close()
  }
}

/** Everything that an import recorded, but for when and at which offset. */
const imported = (folder: string) => {
  const db = new Database(join(folder, ".mound", "mound.db"), { readonly: true })
  try {
    return db
      .prepare(
        `SELECT stream, type, state, "by", command_id, data FROM events
         WHERE stream LIKE 'claim/%' OR type = 'LedgerImported' ORDER BY "offset"`
      )
      .all()
  } finally {
    db.close()
  }
}

describe("an import that is killed", () => {
  it.scopedLive(
    "is taken up where it was, and comes to the very same",
    () =>
      Effect.gen(function* () {
        const source = yield* temporaryFolder
        const path = join(source, "old.jsonl")
        writeFileSync(path, `${lines.join("\n")}\n`)
        const environment = { MOUND_LEDGER_IMPORT: path }
        const boot = (folder: string) => hubProcess(folder, { environment })

        const calm = yield* temporaryFolder
        const undisturbed = yield* boot(calm)
        yield* Effect.promise(() => undisturbed.url())
        const expected = imported(calm)
        expect(expected.length).toBe(ids + ids / 3 + ids / 100 + 1)

        const troubled = yield* temporaryFolder
        const done: Array<number> = []
        for (const atLeast of [1, 4_000]) {
          const hub = yield* boot(troubled)
          yield* Effect.promise(async () => {
            while (claimEvents(troubled) < atLeast) await new Promise((resolve) => setTimeout(resolve, 2))
            await hub.kill()
          })
          done.push(claimEvents(troubled))
        }
        expect(Math.min(...done)).toBeLessThan(expected.length - 1)
        const last = yield* boot(troubled)
        yield* Effect.promise(() => last.url())
        expect(imported(troubled)).toEqual(expected)
      }),
    120_000
  )

  // A sample of all places; `npm run kill-import` walks them all.
  it.scopedLive(
    "before or after any of its commits comes to the very same",
    () =>
      Effect.gen(function* () {
        const expected = yield* importKilledAt()
        expect(expected.commits).toBeGreaterThan(3)
        const places = [
          { when: "before", commit: 1 },
          { when: "after", commit: 1 },
          { when: "after", commit: 3 }
        ] as const
        for (const place of places) {
          const { imported, isKilled } = yield* importKilledAt(place)
          expect([place, isKilled]).toEqual([place, true])
          expect(imported).toEqual(expected.imported)
        }
      }),
    120_000
  )
})
