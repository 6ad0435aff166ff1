import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  binaryOf,
  end,
  filesIn,
  jsonLines,
  moundIn,
  start,
  startDev,
  workspaceFolder
} from "../support/binaries.js"
import { golden, goldenWorkspace, tamper } from "../support/exports.js"
import { deposit, eventsIn } from "../support/hubs.js"
import { temporaryFolder } from "../support/stores.js"

/** Every verb that only reads, with a golden journal to read. */
const readingVerbs: ReadonlyArray<ReadonlyArray<string>> = [
  ["replay"],
  ["replay", "--stream", "claim/expired"],
  ["replay", "--projection", "claims", "--until", "20"],
  ["tail", "-n", "3"],
  ["show", "5"],
  ["show", "claim/expired"],
  ["verify"],
  ["export"]
]

describe("journal verbs that read", () => {
  it.scopedLive("write nothing into a stopped workspace, and start nothing", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const stateDir = join(workspace, ".mound")
      const before = filesIn(stateDir)
      for (const words of readingVerbs) {
        const { code, stdout } = yield* moundIn(workspace)("journal", ...words)
        expect([words, code, stdout === ""]).toEqual([words, 0, false])
      }
      const { "mound.db-shm": _, "mound.db-wal": __, ...after } = filesIn(stateDir)
      expect(after).toEqual(before)
      const wal = statSync(join(stateDir, "mound.db-wal"), { throwIfNoEntry: false })
      expect(wal?.size ?? 0).toBe(0)
    })
  )

  it.scopedLive("write nothing into a workspace whose hub was killed, and see its last event", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      yield* deposit(hub, "w1")
      yield* end(hub, "SIGKILL")
      const { "mound.db-shm": _, ...before } = filesIn(join(workspace, ".mound"))
      expect(Object.keys(before)).toContain("mound.db-wal")
      expect((yield* moundIn(workspace)("journal", "show", "5")).stdout).toContain("PheromoneDeposited")
      expect((yield* moundIn(workspace)("journal", "verify")).stdout).toBe("ok 5 events\n")
      const { "mound.db-shm": __, ...after } = filesIn(join(workspace, ".mound"))
      expect(after).toEqual(before)
    })
  )

  it.scopedLive("work beside a running hub, and append nothing", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      yield* deposit(hub, "w1")
      for (const words of [["replay"], ["verify"], ["show", "claim/w1"], ["export"]]) {
        expect((yield* moundIn(workspace)("journal", ...words)).code).toBe(0)
      }
      expect(yield* eventsIn(workspace)).toHaveLength(5)
    })
  )

  it.scopedLive("say what to do where there is no journal, and make none", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      for (const words of [["replay"], ["tail"], ["verify"], ["export"], ["rebuild"]]) {
        const { code, stdout, stderr } = yield* moundIn(workspace)("journal", ...words)
        expect([words, code, stdout]).toEqual([words, 1, ""])
        expect(stderr).toContain(`there is no journal at ${join(workspace, ".mound", "mound.db")}`)
        expect(stderr).toContain("fix: start a hub there first: mound start")
      }
      expect(readdirSync(workspace)).toEqual(["mound.yaml"])
    })
  )

  it.scopedLive("say that there is no workspace", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* moundIn(yield* temporaryFolder)("journal", "show", "1", "--json")
      expect(code).toBe(1)
      expect(JSON.parse(stdout)).toMatchObject({ _tag: "WorkspaceNotFound", fix: expect.any(String) })
    })
  )
})

describe("journal show", () => {
  it.scopedLive("prints one event whole, exactly as it is exported", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const line = readFileSync(golden, "utf8").split("\n")[11] as string
      expect((yield* mound("journal", "show", "11", "--json")).stdout).toBe(`${line}\n`)
      expect(JSON.parse((yield* mound("journal", "show", "11")).stdout)).toEqual(JSON.parse(line))
    })
  )

  it.scopedLive("prints a stream, one line an event or one JSON array", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const asJson = JSON.parse((yield* mound("journal", "show", "claim/a b/ü", "--json")).stdout)
      const { stdout } = yield* mound("journal", "show", "claim/a b/ü")
      const lines = stdout.trimEnd().split("\n")
      expect(asJson.map(({ version }: { version: number }) => version)).toEqual(lines.map((_, n) => n + 1))
      expect(lines[2]).toMatch(
        /^ +11 {2}\d{4}-\d\d-\d\d [\d:.]+ {2}claim\/a b\/ü {2}ClaimGranted -> held.active {2}by ann/
      )
    })
  )

  it.scopedLive("says that an event or a stream is not there", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const ahead = yield* mound("journal", "show", "75")
      expect(ahead).toMatchObject({ code: 1, stdout: "" })
      expect(ahead.stderr).toContain("there is no event at offset 75: the journal ends at 74")
      expect((yield* mound("journal", "show", "0")).code).toBe(1)
      expect((yield* mound("journal", "show", "claim/nobody's")).stderr).toContain("no stream claim/nobody's")
    })
  )
})

describe("journal tail", () => {
  it.scopedLive("prints the newest events, as lines of JSON if asked", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const { stdout } = yield* mound("journal", "tail", "-n", "2", "--json")
      expect(jsonLines(stdout).map(({ offset }) => offset)).toEqual([73, 74])
      expect((yield* mound("journal", "tail")).stdout.trimEnd().split("\n")).toHaveLength(20)
      expect((yield* mound("journal", "tail", "-n", "-1")).code).toBe(2)
    })
  )

  it.scopedLive("goes on with -f as events happen, over a restart of the hub", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const first = yield* startDev(workspace)
      const tail = yield* start(binaryOf("journal"), ["tail", "-f", "--json"], { cwd: workspace })
      yield* tail.awaitOutput(/"HubReady"/)
      yield* deposit(first, "w1")
      yield* tail.awaitOutput(/"PheromoneDeposited"/)
      yield* end(first)
      yield* tail.awaitOutput(/"HubStopped"/)
      yield* startDev(workspace)
      yield* tail.awaitOutput(/"HubReady"[\s\S]*"HubReady"/)
      const offsets = jsonLines(tail.stdout()).map(({ offset }) => offset)
      expect(offsets).toEqual(Array.from({ length: 12 }, (_, n) => n + 1))
      expect((yield* end(tail, "SIGINT")).signal).toBe("SIGINT")
    })
  )

  it.scopedLive("ends quietly when its reader has seen enough", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      const tail = yield* start(binaryOf("journal"), ["tail", "-f"], { cwd: workspace })
      yield* tail.awaitOutput(/HubReady/)
      tail.child.stdout?.destroy()
      yield* deposit(hub, "w1")
      expect(yield* tail.ended).toMatchObject({ code: 0, stderr: "" })
    })
  )
})

describe("journal replay", () => {
  it.scopedLive("prints a table by kind and state, its speed, and nothing else in a pipe", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const { code, stdout, stderr } = yield* moundIn(workspace)("journal", "replay")
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(stdout).toMatch(/^replayed 74 events of 14 streams up to offset 74 in \S+ \(\d+ events\/s\)$/m)
      expect(stdout).toMatch(/^claim {2}held\.active {2}4$/m)
      expect(stdout).toMatch(/^claims +13$/m)
      expect(stdout.trimEnd().split("\n").at(-1)).toBe("no divergences")
    })
  )

  it.scopedLive("comes to the same on several threads, from a workspace and from an exported file", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      for (const source of [[], [golden]]) {
        const replayed = yield* Effect.forEach(["1", "3"], (threads) =>
          Effect.map(mound("journal", "replay", ...source, "--json", "--threads", threads), ({ stdout }) => {
            const { tookMs: _, eventsPerSecond: __, ...rest } = JSON.parse(stdout)
            return rest
          })
        )
        expect(replayed[1]).toEqual(replayed[0])
        expect(replayed[0]).toMatchObject({ events: 74, divergedStreams: 0 })
      }
      expect((yield* mound("journal", "replay", "--threads", "0")).code).toBe(2)
    })
  )

  it.scopedLive("takes an exported file, in a folder without a workspace", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* moundIn(yield* temporaryFolder)("journal", "replay", golden, "--json")
      expect(code).toBe(0)
      const replayed = JSON.parse(stdout)
      expect(replayed).toMatchObject({ events: 74, upTo: 74, divergedStreams: 0, tookMs: expect.any(Number) })
      expect(replayed.actors.claim).toEqual({ "held.active": 4, done: 2, evaporated: 2, open: 5 })
    })
  )

  it.scopedLive("goes back to an offset or an instant", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const at = JSON.parse((yield* mound("journal", "show", "7", "--json")).stdout).at as number
      const byOffset = yield* mound("journal", "replay", "--until", "7", "--json")
      const byTime = yield* mound("journal", "replay", "--until", new Date(at).toISOString(), "--json")
      const { tookMs: _, ...then } = JSON.parse(byOffset.stdout)
      expect(then).toMatchObject({ events: 7, actors: { claim: { "held.active": 2 } } })
      expect(JSON.parse(byTime.stdout)).toMatchObject(then)
      const before = yield* mound("journal", "replay", "--until", new Date(at - 1).toISOString(), "--json")
      expect(JSON.parse(before.stdout).events).toBe(6)
    })
  )

  it.scopedLive("prints the rows of a projection as they were", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const { stdout } = yield* mound("journal", "replay", "--projection", "claims", "--until", "5")
      expect(jsonLines(stdout)).toMatchObject([{ id: "expired", state: "held.active", peer: "ann" }])
      const asJson = yield* mound("journal", "replay", "--projection", "claims", "--until", "4", "--json")
      expect(JSON.parse(asJson.stdout)).toMatchObject([{ id: "expired", state: "open" }])
    })
  )

  it.scopedLive("tells a stream step by step: states, what changed, who, how long after, and why", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const { stdout } = yield* mound("journal", "replay", "--stream", "claim/expired")
      expect(stdout).toMatch(/ClaimGranted {2}by ann\n +open -> held\.active\n/)
      expect(stdout).toMatch(/ {8}holder: null -> {"peer":"ann"}\n/)
      expect(stdout).toMatch(
        /\+\S+s {2}ClaimExpired {2}by deadline {2}because of offset \d+\n +held\.grace -> open/
      )
      const asJson = yield* mound("journal", "replay", "--stream", "claim/expired", "--json", "--from", "6")
      const [graceStarted] = JSON.parse(asJson.stdout)
      expect(graceStarted).toMatchObject({
        event: { type: "ClaimGraceStarted", by: "deadline", causation: 5 },
        before: "held.active",
        after: "held.grace",
        problem: null
      })
    })
  )

  it.scopedLive(
    "names offset, stream, event, expected and actual state of the first divergence, exit code 1",
    () =>
      Effect.gen(function* () {
        const workspace = yield* goldenWorkspace
        const mound = moundIn(workspace)
        yield* tamper(workspace, `UPDATE events SET state = 'held.grace' WHERE "offset" = 5`)
        const elsewhere = yield* mound("journal", "replay")
        expect(elsewhere.code).toBe(1)
        const named = "offset 5 of claim/expired: ClaimGranted: expected held.grace, actual held.active"
        expect(elsewhere.stderr).toContain(named)
        expect(elsewhere.stdout).toContain("1 stream diverges; the first:")
        const told = yield* mound("journal", "replay", "--stream", "claim/expired")
        expect(told.code).toBe(1)
        expect(told.stderr).toContain(named)
        yield* tamper(workspace, `UPDATE events SET type = 'ClaimReopened' WHERE "offset" = 5`)
        const refused = yield* mound("journal", "replay", "--json")
        expect(refused.code).toBe(1)
        expect(refused.stderr).toContain(
          "offset 5 of claim/expired: ClaimReopened: expected held.grace, actual refused"
        )
        expect(JSON.parse(refused.stdout).divergences[0]).toMatchObject({
          offset: 5,
          before: "open",
          actual: null
        })
      })
  )

  it.scopedLive(
    "says that live rows are not what the journal makes them, exit code 1, until they are made anew",
    () =>
      Effect.gen(function* () {
        const workspace = yield* goldenWorkspace
        const mound = moundIn(workspace)
        yield* tamper(workspace, "UPDATE claims SET peer = 'mallory' WHERE id = 'strongest'")
        const differs = yield* mound("journal", "replay")
        expect(differs.code).toBe(1)
        expect(differs.stdout).toContain("claims strongest: peer is mallory, replayed cyd")
        expect(differs.stderr).toContain("fix: make them anew: mound journal rebuild")
        expect((yield* mound("journal", "rebuild")).stdout).toContain(
          "claims: 13 rows at offset 74, OTHERWISE than it was"
        )
        expect((yield* mound("journal", "replay")).code).toBe(0)
      })
  )

  it.scopedLive("says which option cannot be, and what can", () =>
    Effect.gen(function* () {
      const mound = moundIn(yield* goldenWorkspace)
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, number, string]> = [
        [["--until", "75"], 1, "the journal ends at offset 74"],
        [["--until", "yesterday"], 2, "--until: must be an offset or an ISO 8601 date, not yesterday"],
        [["--from", "12 oclock 5"], 2, "--from: must be an offset or an ISO 8601 date"],
        [["--stream", "ghost/1"], 2, "choose one of hub"],
        [["--stream", "claim/ghost"], 1, "claim/ghost has no events up to offset 74"],
        [["--projection", "ghosts"], 2, "choose one of claims"],
        [["/nonexistent"], 2, "/nonexistent"]
      ]
      for (const [words, code, text] of wrong) {
        const failed = yield* mound("journal", "replay", ...words)
        expect([words, failed.code, failed.stdout]).toEqual([words, code, ""])
        expect(failed.stderr).toContain(text)
      }
    })
  )
})

describe("journal rebuild", () => {
  it.scopedLive("makes rows anew in a stopped workspace, and asks the hub if one runs", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      yield* deposit(hub, "w1")
      const running = yield* moundIn(workspace)("journal", "rebuild", "claims", "--json")
      expect(JSON.parse(running.stdout)).toMatchObject([{ name: "claims", rows: 1, offset: 5 }])
      expect((yield* eventsIn(workspace)).at(-1)).toMatchObject({ type: "ProjectionRebuilt" })
      yield* end(hub, "SIGKILL")
      const stopped = yield* moundIn(workspace)("journal", "rebuild")
      expect(stopped.stdout).toMatch(/^claims: 1 rows at offset 6, as it was$/m)
      const unknown = yield* moundIn(workspace)("journal", "rebuild", "ghosts")
      expect(unknown.code).toBe(2)
      expect(unknown.stderr).toContain("there is no projection ghosts\nfix: choose one of claims")
      expect(existsSync(join(workspace, ".mound", "hub.json"))).toBe(true)
    })
  )
})

describe("journal export", () => {
  it.scopedLive("writes a part, and says so", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const mound = moundIn(workspace)
      const part = yield* mound("journal", "export", "--from", "3", "--to", "5")
      const [header, ...events] = jsonLines(part.stdout)
      const golds = jsonLines(readFileSync(golden, "utf8"))
      expect(header).toMatchObject({ from: 3, to: 5, prevHash: golds[2]?.hash })
      expect(events).toEqual([...golds.slice(3, 6), { rows: 3, lastHash: golds[5]?.hash }])
      expect(part.stderr).toBe("3 events exported\n")
      const stream = yield* mound("journal", "export", "--stream", "claim/expired")
      expect(jsonLines(stream.stdout)[0]).toMatchObject({ stream: "claim/expired" })
      expect(
        new Set(
          jsonLines(stream.stdout)
            .slice(1, -1)
            .map(({ stream }) => stream)
        )
      ).toEqual(new Set(["claim/expired"]))
    })
  )

  it.scopedLive("writes no file that exists, none of what is not there, and leaves none behind", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const mound = moundIn(workspace)
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, number, string]> = [
        [["--out", "mound.yaml"], 2, "mound.yaml exists already"],
        [["--out", "no/such/folder"], 2, "cannot be written (ENOENT)"],
        [["--from", "0"], 2, "offsets begin at 1"],
        [["--from", "75"], 1, "the journal ends at offset 74"],
        [["--to", "75"], 1, "the journal ends at offset 74"],
        [["--from", "5", "--to", "4"], 2, "--from: 5 is after --to 4"],
        [["--stream", "claim/ghost"], 1, "there is no stream claim/ghost"]
      ]
      for (const [words, code, text] of wrong) {
        const failed = yield* mound("journal", "export", ...words)
        expect([words, failed.code, failed.stdout]).toEqual([words, code, ""])
        expect(failed.stderr).toContain(text)
      }
      expect(readFileSync(join(workspace, "mound.yaml"), "utf8")).toBe("")
      expect(readdirSync(workspace).sort()).toEqual([".mound", "mound.yaml"])
    })
  )

  it.scopedLive("is not told as done when its disk is full", () =>
    Effect.gen(function* () {
      const workspace = yield* goldenWorkspace
      const shell = `"${process.execPath}" "${binaryOf("journal")}" export > /dev/full`
      const full = join(workspace, "full.mjs")
      writeFileSync(
        full,
        `import { spawnSync } from "node:child_process"
         const { status, stderr } = spawnSync("/bin/sh", ["-c", ${JSON.stringify(shell)}], { encoding: "utf8" })
         process.stderr.write(stderr); process.exit(status)`
      )
      const { ended } = yield* start(full, [], { cwd: workspace })
      const { code, stderr } = yield* ended
      expect(code).toBe(1)
      expect(stderr).toContain("ENOSPC")
    })
  )
})
