import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { readExport } from "../../src/events/Archive.js"
import { restoreJournal } from "../../src/hub/restoreJournal.js"
import { end, jsonLines, moundIn, startDev, workspaceFolder } from "../support/binaries.js"
import { digestsOf, golden, goldenWorkspace, journalOf, project, storeOf } from "../support/exports.js"
import { deposit, eventsIn, post } from "../support/hubs.js"
import { temporaryFolder } from "../support/stores.js"

const goldenLines = readFileSync(golden, "utf8").trimEnd().split("\n")

/** A workspace with a leased claim, a claim that is held for ever and an open one, and its export. */
const exported = Effect.gen(function* () {
  const workspace = yield* workspaceFolder()
  const mound = moundIn(workspace)
  const hub = yield* startDev(workspace)
  for (const id of ["leased", "forever", "open"]) yield* deposit(hub, id)
  yield* post(hub, "/claims/leased/claim", { peer: "ann", ttlMs: 3_600_000 })
  yield* post(hub, "/claims/forever/claim", { peer: "bob", ttlMs: null })
  yield* end(hub)
  const file = join(workspace, "export.jsonl")
  const { stdout } = yield* mound("journal", "export", "--out", file, "--json")
  return { workspace, file, summary: JSON.parse(stdout) }
})

describe("journal import", () => {
  it.scopedLive("makes the same history elsewhere: every event as it was, then the restore's own", () =>
    Effect.gen(function* () {
      const { file, summary } = yield* exported
      const workspace = yield* workspaceFolder()
      const mound = moundIn(workspace)
      const imported = yield* mound("journal", "import", file, "--json")
      const { events } = summary
      expect(summary).toEqual({ file, from: 1, to: events, events })
      expect(JSON.parse(imported.stdout)).toMatchObject({ offset: events + 2, revoked: 1 })
      expect(imported.stderr).toContain("1 leases were revoked")
      const again = yield* mound("journal", "export")
      const [header, ...lines] = jsonLines(again.stdout)
      const [before, ...old] = jsonLines(readFileSync(file, "utf8"))
      expect(lines.slice(0, events)).toEqual(old.slice(0, events))
      expect(lines.slice(events, -1)).toMatchObject([
        {
          type: "JournalRestored",
          data: { previousJournalId: before?.journalId, journalId: header?.journalId }
        },
        { type: "ClaimRevoked", stream: "claim/leased", data: { reason: "journal_restored" } }
      ])
      expect(header?.journalId).not.toBe(before?.journalId)
      expect((yield* mound("journal", "verify")).stdout).toBe(`ok ${events + 2} events\n`)
    })
  )

  it.scopedLive("leaves claims that are held for ever to their holders, and a hub goes on from there", () =>
    Effect.gen(function* () {
      const { file } = yield* exported
      const workspace = yield* workspaceFolder()
      const mound = moundIn(workspace)
      yield* mound("journal", "import", file)
      const replayed = yield* mound("journal", "replay", "--json")
      expect(replayed.code).toBe(0)
      expect(JSON.parse(replayed.stdout)).toMatchObject({
        compared: [
          "claims",
          "health",
          "senses",
          "signals",
          "workflows",
          "workflow_runs",
          "thread_rounds",
          "registry",
          "messages",
          "servers"
        ],
        differingRows: 0
      })
      yield* startDev(workspace)
      expect((yield* eventsIn(workspace)).some(({ type }) => type === "HubLossDetected")).toBe(false)
      const { rows } = JSON.parse((yield* mound("claim", "list", "--json")).stdout)
      const states = rows.map(({ id, state }: { id: string; state: string }) => [id, state])
      expect(Object.fromEntries(states)).toEqual({ leased: "open", forever: "held.active", open: "open" })
      expect((yield* mound("claim", "take", "leased", "--as", "cyd")).code).toBe(0)
    })
  )

  it.scopedLive("gives the same rows as the journal that was exported, up to where it was", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const file = join(workspace, "export.jsonl")
      yield* moundIn(workspace)("journal", "export", "--out", file)
      const [here, there] = yield* Effect.forEach([golden, file], (each) =>
        Effect.tap(storeOf(each), project).pipe(Effect.flatMap(digestsOf))
      )
      expect(here).toEqual(there)
      expect(readFileSync(file, "utf8").split("\n").slice(1)).toEqual(
        readFileSync(golden, "utf8").split("\n").slice(1)
      )
    })
  )

  it.scopedLive("overwrites no journal, and needs no running hub to be ended by it", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const before = readFileSync(journalOf(workspace))
      const there = yield* moundIn(workspace)("journal", "import", golden)
      expect(there).toMatchObject({ code: 1, stdout: "" })
      expect(there.stderr).toContain(
        `${journalOf(workspace)} exists already\nfix: import into another workspace`
      )
      expect(readFileSync(journalOf(workspace)).equals(before)).toBe(true)
      yield* startDev(workspace)
      expect((yield* moundIn(workspace)("journal", "import", golden)).code).toBe(75)
    })
  )

  it.scopedLive("refuses a damaged file whole, names the line, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const file = join(yield* temporaryFolder, "damaged.jsonl")
      writeFileSync(
        file,
        `${goldenLines.with(40, (goldenLines[40] as string).replace("ann", "bob")).join("\n")}\n`
      )
      const refused = yield* moundIn(workspace)("journal", "import", file)
      expect(refused).toMatchObject({ code: 1, stdout: "" })
      expect(refused.stderr).toContain(`${file}, line 41: offset 40: `)
      expect(refused.stderr).toContain("fix: use a file that journal export wrote")
      expect(readdirSync(join(workspace, ".mound"))).toEqual(["hub.lock"])
      expect((yield* moundIn(workspace)("journal", "import", golden)).code).toBe(0)
    })
  )

  it.scopedLive("refuses a file that is cut at any line, or within one", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, "cut.jsonl")
      const stateDir = join(folder, ".mound")
      for (let line = 0; line < goldenLines.length; line++) {
        const whole = goldenLines.slice(0, line)
        const part = line % 2 === 0 ? [] : [(goldenLines[line] as string).slice(0, -10)]
        writeFileSync(file, [...whole, ...part].map((text) => `${text}\n`).join(""))
        const exit = yield* Effect.exit(restoreJournal(stateDir, file))
        expect([line, Exit.isFailure(exit)]).toEqual([line, true])
        expect(existsSync(join(stateDir, "mound.db"))).toBe(false)
      }
      expect(readdirSync(stateDir)).toEqual(["hub.lock"])
    })
  )

  it.scopedLive("refuses a file with lines missing that its chain does not cover", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "forged.jsonl")
      const read = (lines: ReadonlyArray<string>) => {
        writeFileSync(file, lines.join("\n"))
        return Effect.map(Effect.flip(readExport(file, () => Effect.void)), ({ message }) => message)
      }
      const header = JSON.parse(goldenLines[0] as string)
      const trailer = JSON.parse(goldenLines.at(-1) as string)
      const shorter = goldenLines.toSpliced(-2, 1)
      expect(yield* read(shorter)).toContain("the trailer speaks of 74 events, 73 were found")
      const forged = shorter.with(
        -1,
        JSON.stringify({ rows: 73, lastHash: JSON.parse(shorter.at(-2) as string).hash })
      )
      expect(yield* read(forged)).toContain("line 1: the header speaks of 74 events, 73 were found")
      expect(yield* read([...goldenLines, goldenLines[5] as string])).toContain("stands after the trailer")
      expect(header.to).toBe(trailer.rows)
    })
  )
})
