/** Old days move into files, and the journal is the same to everybody who reads it (contracts: hub 3.8, 8). */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Scope, TestContext } from "effect"
import * as EventRows from "../../src/events/EventRows.js"
import { moveToSegment } from "../../src/events/moveToSegment.js"
import { inspectSegment, writeSegment } from "../../src/events/Segment.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { verify } from "../../src/events/verify.js"
import { archiveStopped } from "../../src/hub/archiveStopped.js"
import { binaryOf, filesIn, moundIn, start, startDev, workspaceFolder } from "../support/binaries.js"
import { journalOf, type Store } from "../support/exports.js"
import { startedHub } from "../support/hub.js"
import { dayOf, linesIn, looking, oldWorkspace, onDay } from "../support/oldJournal.js"
import { offset } from "../support/stores.js"

const archive = (workspace: string, before = dayOf(5)) =>
  archiveStopped(join(workspace, ".mound"), { before, vacuum: false })
const faultIn = (workspace: string) =>
  looking(workspace, (store) => Effect.map(verify(store), ({ fault }) => fault))
const segmentsIn = (workspace: string) => filesIn(join(workspace, ".mound/archive"))
const daysOf = (lines: ReadonlyArray<string>) =>
  new Set(lines.map((line) => new Date((JSON.parse(line) as { at: number }).at).getUTCDate()))

const writing = <A, E>(workspace: string, body: (store: Store) => Effect.Effect<A, E>) =>
  Layer.build(SqliteStore.layer(journalOf(workspace))).pipe(
    Effect.flatMap((context) => body(Context.get(context, SqliteStore.SqliteStore))),
    Effect.scoped
  )

/** The first events, whose segment tests make by hand. */
const firstTo = offset(40)

describe("archiving", () => {
  it.scoped("moves whole days up to what is still going on, and the rest once that has ended", () =>
    Effect.gen(function* () {
      const workspace = yield* oldWorkspace()
      const before = yield* linesIn(workspace)
      const { segments } = yield* archive(workspace)
      const heldFrom = before.findIndex((line) => line.includes('"stream":"claim/d3-1"'))
      expect(segments.map(({ toOffset }) => toOffset)).toEqual([62, 124, heldFrom])
      const files = readdirSync(join(workspace, ".mound/archive")).sort()
      for (const [index, { file, fromOffset, toOffset, sha256 }] of segments.entries()) {
        expect(file).toBe(files[index])
        const bytes = readFileSync(join(workspace, ".mound/archive", file))
        expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256)
        const lines = gunzipSync(bytes).toString().trimEnd().split("\n")
        expect(lines).toEqual(before.slice(fromOffset - 1, toOffset))
        expect([...daysOf(lines)]).toEqual([index + 1])
      }
      expect(yield* Effect.flip(archive(workspace))).toMatchObject({
        reason: { _tag: "NothingToArchive", lowWater: heldFrom, heldBy: "claim/d3-1" }
      })
      yield* onDay(workspace, 6, ({ send }) => send("d3-1", { type: "RevokeClaim", reason: "over" }))
      const kept = segmentsIn(workspace)
      const rest = yield* archive(workspace)
      expect(rest.segments.map(({ fromOffset, toOffset }) => [fromOffset, toOffset])).toEqual([
        [heldFrom + 1, 185],
        [186, 247]
      ])
      expect(segmentsIn(workspace)).toMatchObject(kept)
      const after = yield* linesIn(workspace)
      expect(after.slice(0, before.length)).toEqual(before)
      expect(yield* faultIn(workspace)).toBe(undefined)
      expect(yield* Effect.flip(archive(workspace))).toMatchObject({ reason: { heldBy: null } })
    })
  )

  it.scoped("takes the bytes out of the database, and leaves what an event is found by", () =>
    Effect.gen(function* () {
      const workspace = yield* oldWorkspace()
      yield* archive(workspace)
      const [row] = yield* looking(workspace, (store) =>
        store.read(`SELECT stream, version, data, hash FROM events WHERE "offset" = 1`)
      )
      expect(row).toEqual({ stream: "claim/d1-0", version: 1, data: "", hash: "" })
      const { commandId } = JSON.parse((yield* linesIn(workspace))[0] ?? "") as { commandId: string }
      const found = yield* looking(workspace, (store) => EventRows.byCommands(store, [commandId]))
      expect(found.map(({ offset, data }) => [offset, typeof data.record])).toEqual([[1, "object"]])
    })
  )

  it.scoped("changes nothing of what a journal replays to, exports, and makes of its projections", () =>
    Effect.gen(function* () {
      const workspace = yield* oldWorkspace()
      const mound = moundIn(workspace)
      const rows = mound("journal", "replay", "--projection", "claims", "--until", "300", "--json")
      const exported = mound("journal", "export", "--to", "300")
      const asIs = [(yield* rows).stdout, (yield* exported).stdout]
      const archived = yield* mound("journal", "archive", "--before", "2026-01-05", "--vacuum", "--json")
      expect(archived.code).toBe(0)
      expect((JSON.parse(archived.stdout) as { segments: ReadonlyArray<unknown> }).segments).toHaveLength(3)
      expect([(yield* rows).stdout, (yield* exported).stdout]).toEqual(asIs)
      expect((yield* mound("journal", "verify")).code).toBe(0)
      expect((yield* mound("journal", "replay")).code).toBe(0)
      const rebuilt = yield* mound("journal", "rebuild", "claims")
      expect(rebuilt.stdout).toContain("as it was")
      const again = yield* mound("journal", "archive", "--before", "2026-01-05", "--json")
      expect([again.code, JSON.parse(again.stdout)]).toMatchObject([1, { _tag: "NothingToArchive" }])
    })
  )

  it.scoped("is taken up where it was, whatever step it was killed after", () =>
    Effect.gen(function* () {
      const steps: ReadonlyArray<(store: Store) => Effect.Effect<unknown, unknown>> = [
        ({ path }) => Effect.sync(() => writeFileSync(join(path, "../archive.writing"), "half a fi")),
        (store) => writeSegment(store, offset(1), firstTo),
        (store) =>
          Effect.gen(function* () {
            const { segment, blocks } = yield* writeSegment(store, offset(1), firstTo)
            yield* store.transaction((connection) => EventRows.insertBlocks(connection, segment.file, blocks))
            yield* store.transaction((connection) => EventRows.emptyRows(connection, offset(1), offset(17)))
          }),
        (store) => moveToSegment(store, offset(1), firstTo)
      ]
      for (const [index, step] of steps.entries()) {
        const workspace = yield* oldWorkspace(20)
        const before = yield* linesIn(workspace)
        yield* writing(workspace, step)
        expect([index, yield* faultIn(workspace)]).toEqual([index, undefined])
        expect(yield* linesIn(workspace)).toEqual(before)
        const kept = index === 0 ? {} : segmentsIn(workspace)
        const { segments } = yield* archive(workspace)
        expect(segments[0]?.toOffset).toBe(index === 0 ? 22 : firstTo)
        expect(segmentsIn(workspace)).toMatchObject(kept)
        expect((yield* linesIn(workspace)).slice(0, before.length)).toEqual(before)
        expect(yield* faultIn(workspace)).toBe(undefined)
      }
    })
  )

  it.scoped("loses nothing when its process is killed at any instant", () =>
    Effect.gen(function* () {
      const workspace = yield* oldWorkspace(300)
      const before = yield* linesIn(workspace)
      const words = ["journal", "archive", "--before", "2026-01-05", "--workspace", workspace]
      for (let round = 0; round < 3; round++) {
        const running = yield* start(binaryOf("mound"), words)
        // Wherever it is by then: the first files are there, or it is only starting.
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 450 + round * 80)))
        running.child.kill("SIGKILL")
        yield* running.ended
        expect(yield* faultIn(workspace)).toBe(undefined)
        expect((yield* linesIn(workspace)).slice(0, before.length)).toEqual(before)
      }
      const last = yield* moundIn(workspace)("journal", "archive", "--before", "2026-01-05")
      expect([0, 1]).toContain(last.code)
      expect((yield* linesIn(workspace)).slice(0, before.length)).toEqual(before)
      expect(yield* faultIn(workspace)).toBe(undefined)
    })
  )

  it.scoped("of which a file is gone or altered is named by whoever needs it, and never a silent gap", () =>
    Effect.gen(function* () {
      const workspace = yield* oldWorkspace()
      yield* archive(workspace)
      const folder = join(workspace, ".mound/archive")
      const [first = ""] = readdirSync(folder).sort()
      const mound = moundIn(workspace)
      const doctor = Effect.map(mound("doctor", "--json"), ({ code, stdout }) => ({
        code,
        archive: (
          JSON.parse(stdout.split("\n")[0] ?? "") as ReadonlyArray<{ name: string; text: string }>
        ).find(({ name }) => name === "archive")
      }))
      expect(yield* doctor).toMatchObject({
        code: 0,
        archive: { level: "OK", text: expect.stringMatching(/^3 files/) }
      })
      renameSync(join(folder, first), join(folder, "elsewhere"))
      expect(yield* doctor).toMatchObject({
        code: 1,
        archive: {
          level: "FAIL",
          text: `${join(folder, first)} is not there`,
          fix: expect.stringMatching(/^put that file back/)
        }
      })
      const gone = yield* mound("journal", "verify", "--json")
      expect([gone.code, JSON.parse(gone.stdout)]).toMatchObject([1, { _tag: "ArchiveMissing" }])
      expect(gone.stderr).toContain(first)
      expect((yield* mound("journal", "export")).code).toBe(1)
      renameSync(join(folder, "elsewhere"), join(folder, first))
      expect((yield* mound("journal", "verify")).code).toBe(0)
      const bytes = readFileSync(join(folder, first))
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
      writeFileSync(join(folder, first), bytes)
      expect(yield* doctor).toMatchObject({
        code: 1,
        archive: { level: "FAIL", text: `${join(folder, first)} was altered` }
      })
      expect((yield* mound("journal", "verify")).code).toBe(1)
      const inspected = looking(workspace, (store) => inspectSegment(store, join(folder, first), offset(1)))
      expect((yield* Effect.flip(inspected)).reason).toBe("missing")
    })
  )

  it.scoped("goes with a backup, which restores to the same journal", () =>
    Effect.gen(function* () {
      const workspace = yield* oldWorkspace()
      yield* archive(workspace)
      const before = yield* linesIn(workspace)
      const backup = join(workspace, "backup")
      expect((yield* moundIn(workspace)("journal", "backup", backup)).code).toBe(0)
      const target = yield* workspaceFolder()
      const restore = moundIn(target)("journal", "import", backup)
      const [segment = ""] = readdirSync(join(backup, "archive"))
      renameSync(join(backup, "archive", segment), join(backup, segment))
      expect((yield* restore).code).toBe(1)
      expect(readdirSync(join(target, ".mound"))).not.toContain("archive")
      renameSync(join(backup, segment), join(backup, "archive", segment))
      expect((yield* restore).code).toBe(0)
      expect((yield* linesIn(target)).slice(0, before.length)).toEqual(before)
      expect(yield* faultIn(target)).toBe(undefined)
      expect((yield* moundIn(target)("journal", "replay")).code).toBe(0)
    })
  )

  it.scopedLive("is done by a hub by itself where its settings say so", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      // In a fiber of its own: the test's clock would stay in this one, and stand still.
      const made = oldWorkspace(20).pipe(Effect.provide(TestContext.TestContext), Scope.extend(scope))
      const workspace = yield* Effect.promise(() => Effect.runPromise(made))
      const before = yield* linesIn(workspace)
      const hub = yield* startedHub({ folder: workspace, settings: { "journal.archive_after": "30d" } })
      const isDone = Effect.promise(async () => (await hub.ask("/journal?after=100&limit=1000")).text).pipe(
        Effect.map((text) => text.split("JournalArchived").length === 4)
      )
      yield* Effect.repeat(Effect.delay(isDone, 50), { until: (done) => done })
      expect(Object.keys(segmentsIn(workspace))).toHaveLength(3)
      yield* Effect.promise(hub.end)
      expect((yield* linesIn(workspace)).slice(0, before.length)).toEqual(before)
      expect(yield* faultIn(workspace)).toBe(undefined)
    })
  )

  it.scopedLive(
    "is done by a hub that serves: what is appended meanwhile is there, and followers miss nothing",
    () =>
      Effect.gen(function* () {
        const workspace = yield* oldWorkspace(200).pipe(Effect.provide(TestContext.TestContext))
        const before = yield* linesIn(workspace)
        const { url } = yield* startDev(workspace)
        const post = (path: string, body: object, id?: string) =>
          Effect.promise(() =>
            fetch(`${url}${path}`, {
              method: "POST",
              body: JSON.stringify(body),
              headers: id === undefined ? {} : { "Idempotency-Key": id }
            })
          )
        const deposit = (id: string) =>
          post("/claims", { record: { id, stanceTarget: "s", baseIntensity: 1, decayRate: 0 } }, id)
        let count = 0
        const load = yield* Effect.fork(Effect.forever(Effect.suspend(() => deposit(`load-${count++}`))))
        const archived = yield* post("/journal/archive", { before: "2026-01-05", vacuum: true })
        yield* Fiber.interrupt(load)
        const { segments } = (yield* Effect.promise(() => archived.json())) as {
          segments: ReadonlyArray<object>
        }
        expect([archived.status, segments.length]).toEqual([200, 3])
        const lines: Array<string> = []
        for (let after = 0, head = 1; after < head; ) {
          const page = yield* Effect.promise(async () =>
            (await fetch(`${url}/journal?after=${after}&limit=500`)).json()
          )
          const {
            events,
            next,
            head: end
          } = page as { events: ReadonlyArray<object>; next: number; head: number }
          lines.push(...events.map((event) => JSON.stringify(event)))
          after = next
          head = end
        }
        expect(lines.slice(0, before.length)).toEqual(before)
        expect(lines.map((line) => (JSON.parse(line) as { offset: number }).offset)).toEqual(
          lines.map((_, index) => index + 1)
        )
        expect(lines.filter((line) => line.includes("load-")).length).toBeGreaterThanOrEqual(count - 1)
        // The id of a command whose event is in a segment is still that command's.
        const { commandId } = JSON.parse(before[0] ?? "") as { commandId: string }
        const record = (JSON.parse(before[0] ?? "") as { data: { record: object } }).data.record
        const again = yield* post("/claims", { record }, commandId)
        expect(yield* Effect.promise(() => again.json())).toMatchObject({
          _tag: "CommandIdReused",
          stream: "claim/d1-0"
        })
        expect((yield* moundIn(workspace)("journal", "verify")).code).toBe(0)
      })
  )
})
