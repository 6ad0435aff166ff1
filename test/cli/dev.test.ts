import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  binaryOf,
  end,
  jsonLines,
  moundIn,
  run,
  start,
  startDev,
  workspaceFolder
} from "../support/binaries.js"
import { deposit, eventsIn, hubTypesIn } from "../support/hubs.js"
import { temporaryFolder } from "../support/stores.js"

const startTypes = ["HubStarted", "HubBound", "ConfigLoaded", "HubReady"]
const stopTypes = ["HubDrainStarted", "HubDrained", "HubStopped"]

const portOf = (url: string): number => Number(new URL(url).port)

/** Something that is no hub on a port of its own. */
const stranger = Effect.acquireRelease(
  Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer((socket) => socket.destroy())
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      resume(Effect.succeed({ port, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("mound dev", () => {
  it.scopedLive("prints its url, then one line an event", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      yield* hub.awaitOutput(/HubReady/)
      yield* deposit(hub, "w1")
      yield* hub.awaitOutput(/PheromoneDeposited/)
      const { stdout, stderr } = yield* end(hub)
      const [first, ...lines] = stdout.trimEnd().split("\n")
      expect(first).toBe(hub.url)
      expect(
        lines.map((line) => /^ *\d+ {2}\S+ \S+ {2}(\S+ {2}\S+ -> \S+) {2}by \S+/.exec(line)?.[1])
      ).toEqual([
        "hub  HubStarted -> starting",
        "hub  HubBound -> recovering",
        "hub  ConfigLoaded -> recovering",
        "hub  HubReady -> ready",
        "claim/w1  PheromoneDeposited -> open",
        "hub  HubDrainStarted -> draining.waiting",
        "hub  HubDrained -> draining.closing",
        "hub  HubStopped -> stopped"
      ])
      expect(stderr).toBe("stopped\n")
    })
  )

  it.scopedLive("prints JSON only with --json, and no events with --quiet", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const loud = yield* startDev(workspace, ["--json"])
      yield* loud.awaitOutput(/HubReady/)
      const [where, ...events] = jsonLines((yield* end(loud)).stdout)
      expect(where).toMatchObject({ url: loud.url, pid: loud.pid })
      expect(events.map(({ type }) => type)).toEqual([...startTypes, ...stopTypes])
      const quiet = yield* startDev(workspace, ["--quiet"])
      expect((yield* end(quiet)).stdout).toBe(`${quiet.url}\n`)
    })
  )

  it.scopedLive(
    "refuses a second hub with exit code 75, naming pid, url and workspace, and the first goes on",
    () =>
      Effect.gen(function* () {
        const workspace = yield* workspaceFolder()
        const hub = yield* startDev(workspace)
        const second = yield* moundIn(workspace)("dev")
        expect(second).toMatchObject({ code: 75, stdout: "" })
        for (const part of [workspace, String(hub.pid), hub.url, "fix: "])
          expect(second.stderr).toContain(part)
        const asJson = yield* moundIn(workspace)("dev", "--json")
        expect(asJson.code).toBe(75)
        expect(JSON.parse(asJson.stdout)).toMatchObject({ _tag: "Locked", fix: expect.any(String) })
        expect((yield* moundIn(workspace)("claim", "list")).code).toBe(0)
        expect(yield* hubTypesIn(workspace)).toEqual(startTypes)
      })
  )

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it.scopedLive(`drains on ${signal}, records that it stopped clean, and ends with exit code 0`, () =>
      Effect.gen(function* () {
        const workspace = yield* workspaceFolder()
        const { code } = yield* end(yield* startDev(workspace), signal)
        expect(code).toBe(0)
        const left = readdirSync(join(workspace, ".mound")).filter((name) => name !== "cursors")
        expect(left.sort()).toEqual(["hub.lock", "logs", "mound.db"])
        const events = yield* eventsIn(workspace)
        expect(events.map(({ type }) => type)).toEqual([...startTypes, ...stopTypes])
        expect(events.at(-1)?.data).toMatchObject({ clean: true })
      })
    )
  }

  it.scopedLive(
    "records after a kill that the last boot was lost, and goes on with what was acknowledged",
    () =>
      Effect.gen(function* () {
        const workspace = yield* workspaceFolder()
        const mound = moundIn(workspace)
        const first = yield* startDev(workspace)
        yield* deposit(first, "w1")
        const { signal } = yield* end(first, "SIGKILL")
        expect(signal).toBe("SIGKILL")
        yield* startDev(workspace)
        expect(yield* hubTypesIn(workspace)).toEqual([...startTypes, "HubLossDetected", ...startTypes])
        const [loss, started] = (yield* eventsIn(workspace)).slice(5)
        expect(loss).toMatchObject({ type: "HubLossDetected", offset: 6, data: { lastOffset: 5 } })
        expect(started).toMatchObject({ type: "HubStarted", offset: 7 })
        expect((yield* mound("claim", "show", "w1")).code).toBe(0)
      })
  )

  it.scopedLive("is not ended by a reader of its output that goes away", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      hub.child.stdout?.destroy()
      hub.child.stderr?.destroy()
      for (const id of ["w1", "w2", "w3"]) expect(yield* deposit(hub, id)).toMatchObject({ id })
      expect(yield* end(hub)).toMatchObject({ code: 0, signal: null })
      expect((yield* hubTypesIn(workspace)).at(-1)).toBe("HubStopped")
    })
  )

  it.scopedLive("starts through a symbolic link, as npx does it, from any folder", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const elsewhere = yield* temporaryFolder
      const link = join(elsewhere, "mound")
      symlinkSync(binaryOf("mound"), link)
      const hub = yield* start(link, ["dev", "--workspace", workspace], { cwd: elsewhere })
      yield* hub.awaitOutput(/HubReady/)
      expect((yield* end(hub)).code).toBe(0)
      const journalLink = join(elsewhere, "journal")
      symlinkSync(binaryOf("journal"), journalLink)
      const journal = yield* start(journalLink, ["verify", "--workspace", workspace], { cwd: elsewhere })
      expect(yield* journal.ended).toMatchObject({ code: 0, stdout: "ok 7 events\n" })
    })
  )
})

describe("a hub whose state folder is removed", () => {
  it.scopedLive("ends by itself, and says why, also while it starts", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      rmSync(join(workspace, ".mound"), { recursive: true })
      const { code, stderr } = yield* hub.ended
      expect(code).toBe(1)
      expect(stderr).toContain(".mound was removed")
    })
  )

  it.scopedLive("does not make it again", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const hub = yield* startDev(workspace)
      yield* deposit(hub, "w1")
      rmSync(join(workspace, ".mound"), { recursive: true })
      expect((yield* hub.ended).code).toBe(1)
      expect(existsSync(join(workspace, ".mound"))).toBe(false)
    })
  )
})

describe("the port of mound dev", () => {
  it.scopedLive("is kept over restarts, and --port 0 is for one boot only", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const boot = (...words: ReadonlyArray<string>) =>
        Effect.tap(startDev(workspace, words), (hub) => end(hub))
      const { url } = yield* boot()
      const ephemeral = yield* boot("--port", "0")
      expect((yield* boot()).url).toBe(url)
      const bound = (yield* eventsIn(workspace)).filter(({ type }) => type === "HubBound")
      expect(bound.map(({ data }) => [data.port, data.portSource])).toEqual([
        [portOf(url), "free"],
        [portOf(ephemeral.url), "ephemeral"],
        [portOf(url), "sticky"]
      ])
    })
  )

  it.scopedLive("gives way when the remembered one is taken, and the new one is remembered", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const first = yield* startDev(workspace)
      yield* end(first)
      const taken = createServer().listen(portOf(first.url), "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => taken.close()))
      const second = yield* startDev(workspace)
      expect(portOf(second.url)).not.toBe(portOf(first.url))
      yield* end(second)
      const moved = (yield* eventsIn(workspace)).find(({ type }) => type === "HubPortReassigned")
      expect(moved?.data).toMatchObject({
        from: portOf(first.url),
        to: portOf(second.url),
        cause: "EADDRINUSE"
      })
      const third = yield* startDev(workspace)
      expect(third.url).toBe(second.url)
    })
  )

  it.scopedLive("fails the start when it was asked for and is taken, which is no loss afterwards", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const { port } = yield* stranger
      const failed = yield* moundIn(workspace)("dev", "--port", String(port))
      expect(failed).toMatchObject({ code: 1, stdout: "" })
      expect(failed.stderr).toContain(`port ${port} on 127.0.0.1 is in use`)
      expect(failed.stderr).toContain("fix: choose another with --port")
      yield* startDev(workspace)
      expect(yield* hubTypesIn(workspace)).toEqual(["HubStarted", "HubStartFailed", ...startTypes])
    })
  )

  it.scopedLive("names the hub that has it", () =>
    Effect.gen(function* () {
      const other = yield* startDev(yield* workspaceFolder())
      const failed = yield* moundIn(yield* workspaceFolder())("dev", "--port", String(portOf(other.url)))
      expect(failed.stderr).toContain(`by a hub with pid ${other.pid}`)
    })
  )
})

describe("what mound dev asks of a workspace", () => {
  it.scopedLive("names every error of mound.yaml at once with its place, and starts nothing", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder(
        "http:\n  port: 99999\nledger:\n  lease:\n    ttl: soon\n  sweeep: {}\nhub: 5\n"
      )
      const failed = yield* moundIn(workspace)("dev", "--drain-timeout", "never")
      expect(failed).toMatchObject({ code: 2, stdout: "" })
      const path = join(workspace, "mound.yaml")
      expect(failed.stderr.split("\n").slice(0, 5)).toEqual([
        expect.stringContaining(`${path}:6:3: ledger.sweeep is not a setting; did you mean ledger.sweep`),
        expect.stringContaining(`hub must be a mapping of settings`),
        expect.stringContaining(`${path}:2:3: http.port must be an integer from 0 to 65535`),
        expect.stringContaining("--drain-timeout: hub.drain_timeout must be a duration"),
        expect.stringContaining(`${path}:5:5: ledger.lease.ttl must be a duration`)
      ])
      expect(existsSync(join(workspace, ".mound"))).toBe(false)
    })
  )

  it.scopedLive("says where a mound.yaml is no YAML, or cannot be read", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder("ledger: [1,\nhttp: {")
      const path = join(workspace, "mound.yaml")
      const broken = yield* moundIn(workspace)("dev")
      expect(broken.code).toBe(2)
      expect(broken.stderr).toMatch(/mound\.yaml:\d+:\d+ - not_yaml /)
      rmSync(path)
      mkdirSync(path)
      const unreadable = yield* moundIn(workspace)("dev", "--json")
      expect(unreadable.code).toBe(2)
      expect(JSON.parse(unreadable.stdout).message).toContain(`${path}: mound.yaml cannot be read`)
      expect(readdirSync(workspace)).toEqual(["mound.yaml"])
    })
  )

  it.scopedLive("needs one, and makes no state folder where there is none", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const nowhere = yield* moundIn(folder)("dev")
      expect(nowhere.code).toBe(1)
      expect(nowhere.stderr).toContain(`no workspace at ${folder}`)
      expect(nowhere.stderr).toContain("fix: ")
      expect(readdirSync(folder)).toEqual([])
      const missing = join(folder, "missing")
      const named = yield* run("mound", ["dev", "--workspace", missing])
      expect(named.code).toBe(1)
      expect(named.stderr).toContain(`there is no folder ${missing}`)
    })
  )

  it.scopedLive("refuses to start on a journal whose end was tampered with, and appends nothing", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      yield* end(yield* startDev(workspace))
      const path = join(workspace, ".mound", "mound.db")
      const bytes = readFileSync(path)
      const at = bytes.lastIndexOf('"clean":true')
      writeFileSync(path, bytes.fill("m", at + 5, at + 6))
      const failed = yield* moundIn(workspace)("dev")
      expect(failed.code).toBe(1)
      expect(failed.stderr).toContain("damaged or was tampered with at offset 7")
      expect(yield* hubTypesIn(workspace)).toEqual([...startTypes, ...stopTypes])
    })
  )
})
