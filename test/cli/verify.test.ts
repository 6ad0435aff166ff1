import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { verify } from "../../src/events/verify.js"
import { moundIn } from "../support/binaries.js"
import { golden, goldenWorkspace, journalOf, storeOf, tamper } from "../support/exports.js"
import { temporaryFolder } from "../support/stores.js"

/** What `journal verify` says of the golden journal after these statements. */
const verifyAfter = (...statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const workspace = yield* goldenWorkspace
    yield* tamper(workspace, ...statements)
    return yield* moundIn(workspace)("journal", "verify")
  })

const moved = (where: string, to: string) => `UPDATE events SET "offset" = ${to} WHERE ${where}`

const insertedAt = (offset: number) =>
  `INSERT INTO events SELECT ${offset}, 'claim/forged', 1, type, schema, at, state, "by", command_id, causation, correlation, data, hash
   FROM events WHERE "offset" = 4`

describe("journal verify", () => {
  it.scopedLive("says how many events it has checked", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const mound = moundIn(workspace)
      expect(yield* mound("journal", "verify")).toMatchObject({
        code: 0,
        stdout: "ok 74 events\n",
        stderr: ""
      })
      const asJson = yield* mound("journal", "verify", "--json")
      expect(JSON.parse(asJson.stdout)).toMatchObject({ ok: true, events: 74, fault: null })
      expect(yield* mound("journal", "verify", golden)).toMatchObject({ code: 0, stdout: "ok 74 events\n" })
    })
  )

  it.scopedLive("names the offset at which a bit of the file is flipped", () =>
    Effect.gen(function* () {
      const text = '"attempt":2'
      const workspace = yield* goldenWorkspace
      const bytes = readFileSync(journalOf(workspace))
      // A page that was split may hold the text a second time, where nobody reads it.
      for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
        bytes[at + 10] = (bytes[at + 10] as number) ^ 1
      }
      writeFileSync(journalOf(workspace), bytes)
      const flipped = readFileSync(golden, "utf8")
        .split("\n")
        .findIndex((line) => line.includes(text))
      const found = yield* moundIn(workspace)("journal", "verify")
      expect(found).toMatchObject({ code: 1, stdout: "" })
      expect(found.stderr).toContain(`first bad offset ${flipped} (hash)`)
    })
  )

  it.scopedLive("names the offset of an event of which anything was changed", () =>
    Effect.gen(function* () {
      for (const column of ["stream", "type", "state", "by", "command_id", "correlation", "data", "hash"]) {
        const store = yield* storeOf(golden)
        const sql = `UPDATE events SET "${column}" = "${column}" || '0' WHERE "offset" = 40`
        yield* store.transaction((connection) => connection.executeRaw(sql, []))
        expect([column, (yield* verify(store)).fault?.offset]).toEqual([column, 40])
      }
      const { code, stderr } = yield* verifyAfter(`UPDATE events SET causation = 1 WHERE "offset" = 40`)
      expect(code).toBe(1)
      expect(stderr).toContain("first bad offset 40 (hash)")
    })
  )

  it.scopedLive("names the offset of a row that was deleted", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* verifyAfter(`DELETE FROM events WHERE "offset" = 30`)
      expect(code).toBe(1)
      expect(stderr).toContain("first bad offset 30 (gap): offset 30 is missing, 31 follows")
    })
  )

  it.scopedLive("names the offset of a row that was inserted", () =>
    Effect.gen(function* () {
      const between = yield* verifyAfter(
        moved(`"offset" >= 20`, `-("offset" + 1)`),
        moved(`"offset" < 0`, `-"offset"`),
        insertedAt(20)
      )
      expect(between.code).toBe(1)
      expect(between.stderr).toContain("first bad offset 20 (hash)")
      const atTheEnd = yield* verifyAfter(insertedAt(75))
      expect(atTheEnd.stderr).toContain("first bad offset 75 (hash)")
    })
  )

  it.scopedLive("names the first offset of two rows that were swapped", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* verifyAfter(
        moved(`"offset" = 12`, "-1"),
        moved(`"offset" = 50`, "12"),
        moved(`"offset" = -1`, "50")
      )
      expect(code).toBe(1)
      expect(stderr).toMatch(/first bad offset 12 /)
    })
  )

  it.scopedLive("answers with one JSON value for a bad journal too, and says what to do", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      yield* tamper(workspace, `UPDATE events SET at = at + 1 WHERE "offset" = 2`)
      const { code, stdout, stderr } = yield* moundIn(workspace)("journal", "verify", "--json")
      expect(code).toBe(1)
      expect(JSON.parse(stdout)).toMatchObject({ ok: false, events: 1, fault: { offset: 2, reason: "hash" } })
      expect(stderr).toContain("fix: restore a backup")
    })
  )

  it.scopedLive("says that a file is no database any more", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      writeFileSync(journalOf(workspace), "no database at all".repeat(1_000))
      const { code, stderr } = yield* moundIn(workspace)("journal", "verify")
      expect(code).toBe(1)
      expect(stderr).toContain(`${journalOf(workspace)}: file is not a database`)
      expect(stderr).toContain("fix: restore a backup")
    })
  )
})

describe("journal verify of an exported file", () => {
  const lines = readFileSync(golden, "utf8").trimEnd().split("\n")

  /** What it says of a file with these lines. Line 1 is the header, so the event at offset N stands on line N + 1. */
  const verifyLines = (changed: ReadonlyArray<string>, end = "\n") =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, "export.jsonl")
      writeFileSync(file, changed.join("\n") + end)
      const found = yield* moundIn(folder)("journal", "verify", file)
      expect(found).toMatchObject({ code: 1, stdout: "" })
      return found.stderr
    })

  it.scopedLive("names line and offset of an event that was changed", () =>
    Effect.gen(function* () {
      const changed = lines.with(40, (lines[40] as string).replace('"by":"', '"by":"x'))
      expect(yield* verifyLines(changed)).toContain("line 41: offset 40: recorded hash")
    })
  )

  it.scopedLive("names line and offset of an event that was deleted, inserted or swapped", () =>
    Effect.gen(function* () {
      const line = (offset: number) => lines[offset] as string
      expect(yield* verifyLines(lines.toSpliced(30, 1))).toContain("line 31: offset 30: offset 30 is missing")
      expect(yield* verifyLines(lines.toSpliced(30, 0, line(29)))).toContain("line 31: offset 30: ")
      const swapped = lines.with(30, line(31)).with(31, line(30))
      expect(yield* verifyLines(swapped)).toContain("line 31: offset 30: ")
    })
  )

  it.scopedLive("knows a file that was cut short, in the middle of a line too", () =>
    Effect.gen(function* () {
      expect(yield* verifyLines(lines.slice(0, -1))).toContain(
        "line 75: is cut short: the trailer is missing"
      )
      expect(yield* verifyLines([...lines.slice(0, 20), (lines[20] as string).slice(0, 50)], "")).toContain(
        "line 21: is no JSON"
      )
      expect(yield* verifyLines([], "")).toContain("line 1: is empty")
    })
  )

  it.scopedLive("knows a file that is something else, or a part", () =>
    Effect.gen(function* () {
      expect(yield* verifyLines(["<html>"])).toContain("line 1: is no JSON")
      expect(yield* verifyLines(['{"name":"x"}'])).toContain(
        "line 1: is not the header of an exported journal"
      )
      const partial = (lines[0] as string).replace('"from":1', '"from":2')
      expect(yield* verifyLines(lines.with(0, partial))).toContain("line 1: is a partial export")
    })
  )
})
