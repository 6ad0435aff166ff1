import { createHash } from "node:crypto"
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readHubFile } from "../../src/hub/hubFile.js"
import { makeWorkspace, type Ran, runMound } from "../support/runMound.js"

const verb = (workspace: string, ...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  runMound([...args, "--workspace", workspace])

const pidOf = (workspace: string): number => readHubFile(join(workspace, ".mound"))?.pid as number

/** Types of the hub's own events, in order. */
const boots = (workspace: string) =>
  Effect.map(
    runMound(["tail", "-n", "1000", "--json", "--workspace", workspace], { binary: "journal" }),
    ({ stdout }) =>
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { readonly stream: string; readonly type: string })
        .filter(({ stream }) => stream === "hub")
        .map(({ type }) => type)
  )

const clean = [
  "HubStarted",
  "HubBound",
  "ConfigLoaded",
  "HubReady",
  "HubDrainStarted",
  "HubDrained",
  "HubStopped"
]

/** Every file below a folder with its bytes' digest; SQLite's own side files change when somebody looks. */
const contentsOf = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile() && !/-(shm|wal)$/.test(name))
    .sort()
    .map(
      (name) =>
        `${name} ${createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex")}`
    )

describe("a hub in the background", () => {
  it.live("is ready when the start returns, is found, and stops clean", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      const started = yield* verb(workspace, "start")
      expect(started).toMatchObject({ code: 0, stderr: "" })
      const url = started.stdout.trim()
      const ready = yield* Effect.promise(() => fetch(`${url}/readyz`))
      expect(ready.status).toBe(200)
      expect((yield* verb(workspace, "url")).stdout.trim()).toBe(url)
      expect((yield* verb(workspace, "status")).code).toBe(0)
      expect(yield* verb(workspace, "stop")).toEqual({ code: 0, stdout: "", stderr: "" })
      const left = readdirSync(join(workspace, ".mound")).filter((name) => name !== "cursors")
      expect(left.sort()).toEqual(["hub.lock", "logs", "mound.db"])
      expect((yield* verb(workspace, "stop")).stderr).toBe("not running\n")
      expect(yield* boots(workspace)).toEqual(clean)
      expect(existsSync(join(workspace, ".mound/hub.json"))).toBe(false)
    }).pipe(Effect.scoped)
  )

  it.live("is one hub, however many starts run at once", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      const starting = Array.from({ length: 4 }, () => verb(workspace, "start", "--json"))
      const starts = yield* Effect.all(starting, { concurrency: 4 })
      expect(starts.map(({ code }) => code)).toEqual([0, 0, 0, 0])
      const bootIds = new Set(starts.map(({ stdout }) => (JSON.parse(stdout) as { bootId: string }).bootId))
      expect(bootIds.size).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.live("takes the port of the boot before it, and the journal keeps who was lost", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      const { stdout: first } = yield* verb(workspace, "start")
      process.kill(pidOf(workspace), "SIGKILL")
      expect((yield* verb(workspace, "status")).stdout).toContain("stopped")
      const { stdout: second } = yield* verb(workspace, "start")
      expect(second).toBe(first)
      const types = yield* boots(workspace)
      expect(types).toEqual([
        "HubStarted",
        "HubBound",
        "ConfigLoaded",
        "HubReady",
        "HubLossDetected",
        "HubStarted",
        "HubBound",
        "ConfigLoaded",
        "HubReady"
      ])
    }).pipe(Effect.scoped)
  )

  it.live("says what it is told by a start that cannot be: settings, port, another place", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      writeFileSync(join(workspace, "mound.yaml"), "http:\n  port: many\nlog:\n  level: loud\n")
      const broken = yield* verb(workspace, "start")
      expect(broken.code).toBe(2)
      expect(broken.stderr).toContain("http.port must be an integer")
      expect(broken.stderr).toContain("log.level must be one of")
      expect(existsSync(join(workspace, ".mound"))).toBe(false)

      writeFileSync(join(workspace, "mound.yaml"), "")
      const foreign = createServer()
      const port = yield* Effect.async<number>((resume) => {
        foreign.listen(0, "127.0.0.1", () =>
          resume(Effect.succeed((foreign.address() as { port: number }).port))
        )
      })
      const taken = yield* verb(workspace, "start", "--port", String(port))
      foreign.close()
      expect(taken.code).toBe(1)
      expect(taken.stderr).toContain(`port ${port} on 127.0.0.1 is in use`)
      expect(yield* boots(workspace)).toEqual(["HubStarted", "HubStartFailed"])

      expect((yield* verb(workspace, "start")).code).toBe(0)
      const elsewhere = yield* verb(workspace, "start", "--port", "1")
      expect(elsewhere.code).toBe(1)
      expect(elsewhere.stderr).toContain("not on port 1")
    }).pipe(Effect.scoped)
  )

  it.live("does not stop while a timed claim is held, unless forced, and the claim outlives it", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* verb(workspace, "start")
      yield* verb(workspace, "claim", "deposit", "w1", "--stance", "review", "--base", "2")
      const { stdout: token } = yield* verb(workspace, "claim", "take", "w1", "--as", "ada")
      const refused = yield* verb(workspace, "stop", "--json")
      expect(refused.code).toBe(1)
      expect(JSON.parse(refused.stdout)).toMatchObject({
        _tag: "ActiveWork",
        claims: [{ id: "w1", peer: "ada" }],
        total: 1
      })
      expect((yield* verb(workspace, "restart")).code).toBe(0)
      expect((yield* verb(workspace, "claim", "verify", "w1", "--token", token.trim())).code).toBe(0)
      expect((yield* verb(workspace, "stop", "--force")).code).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.live("leaves nothing behind when a waiting start is interrupted", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      let kill: (signal: NodeJS.Signals) => void = () => {}
      const waiting = yield* Effect.fork(
        runMound(["start", "--workspace", workspace], {
          onSpawn: (killing) => {
            kill = killing
          }
        })
      )
      // The hub's process exists once its raw output does.
      yield* Effect.repeat(
        Effect.sync(() => existsSync(join(workspace, ".mound/logs/hub.err"))),
        { until: (exists) => exists }
      )
      kill("SIGINT")
      const { code } = yield* waiting
      expect(code).not.toBe(0)
      expect(
        JSON.parse((yield* verb(workspace, "status", "--json")).stdout.split("\n")[0] as string)
      ).toMatchObject({ state: "stopped" })
    }).pipe(Effect.scoped)
  )

  it.live("restarts only when its configuration is right; with a broken one the old hub serves on", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* verb(workspace, "start")
      const pid = pidOf(workspace)
      writeFileSync(join(workspace, "mound.yaml"), "hub:\n  drain_timeout: soon\n")
      expect((yield* verb(workspace, "restart")).code).toBe(2)
      writeFileSync(join(workspace, "mound.yaml"), "")
      expect((yield* verb(workspace, "status")).code).toBe(0)
      expect(pidOf(workspace)).toBe(pid)
    }).pipe(Effect.scoped)
  )

  it.live("is not believed to be a process that was given its number", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* verb(workspace, "start")
      const stateDir = join(workspace, ".mound")
      const file = readFileSync(join(stateDir, "hub.json"), "utf8")
      process.kill(pidOf(workspace), "SIGKILL")
      // This very process now bears the number that the file names.
      writeFileSync(join(stateDir, "hub.json"), JSON.stringify({ ...JSON.parse(file), pid: process.pid }))
      expect(yield* verb(workspace, "stop")).toMatchObject({ code: 0, stderr: "not running\n" })
    }).pipe(Effect.scoped)
  )

  it.live("is unreachable while it is frozen, and no second one is started", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* verb(workspace, "start")
      const pid = pidOf(workspace)
      process.kill(pid, "SIGSTOP")
      const seen = yield* verb(workspace, "status", "--json")
      expect(JSON.parse(seen.stdout.split("\n")[0] as string)).toEqual({ state: "unreachable", pid })
      expect((yield* verb(workspace, "start", "--ready-timeout", "1s")).code).toBe(75)
      process.kill(pid, "SIGCONT")
      expect((yield* verb(workspace, "status", "--wait", "10s")).code).toBe(0)
      expect(pidOf(workspace)).toBe(pid)
    }).pipe(Effect.scoped)
  )

  it.live("is not touched by verbs that only look, running or not", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* verb(workspace, "start")
      process.kill(pidOf(workspace), "SIGKILL")
      yield* Effect.repeat(verb(workspace, "status", "--json"), {
        until: ({ stdout }) => stdout.includes("stopped")
      })
      const before = contentsOf(join(workspace, ".mound"))
      for (const args of [["status"], ["url"], ["logs"], ["logs", "--err"], ["claim", "list"]])
        yield* verb(workspace, ...args)
      expect(contentsOf(join(workspace, ".mound"))).toEqual(before)
    }).pipe(Effect.scoped)
  )
})

describe("the hub log", () => {
  it.live("has a line for every command, also for those that a killed hub had not logged yet", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* verb(workspace, "start")
      yield* verb(workspace, "claim", "deposit", "w1", "--stance", "review", "--base", "2")
      yield* verb(workspace, "claim", "take", "w1", "--as", "ada")
      process.kill(pidOf(workspace), "SIGKILL")
      yield* verb(workspace, "start")
      yield* verb(workspace, "stop", "--force")
      const { stdout } = yield* verb(workspace, "logs", "--json")
      const logged = stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { offset?: number }).offset)
      const { stdout: events } = yield* runMound(["tail", "-n", "1000", "--json", "--workspace", workspace], {
        binary: "journal"
      })
      const recorded = events
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { offset: number }).offset)
      expect(logged).toEqual(recorded)
    }).pipe(Effect.scoped)
  )

  it.live("below its floor has refusals and errors only", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace("log:\n  level: ERROR\n")
      yield* verb(workspace, "start")
      yield* verb(workspace, "claim", "deposit", "w1", "--stance", "review", "--base", "2")
      yield* verb(workspace, "claim", "take", "w1", "--as", "ada")
      expect((yield* verb(workspace, "claim", "take", "w1", "--as", "bob")).code).toBe(1)
      yield* verb(workspace, "stop", "--force")
      const lines = readFileSync(join(workspace, ".mound/logs/hub.log"), "utf8").trim().split("\n")
      expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
        { rpc: "claim.ClaimWork", agent: "bob", err: "AlreadyClaimed" }
      ])
    }).pipe(Effect.scoped)
  )
})

describe("mound doctor", () => {
  it.live("finds nothing wrong with a hub that is well, and names what is, with what to do", () =>
    Effect.gen(function* () {
      const workspace = yield* makeWorkspace()
      yield* verb(workspace, "start")
      const well = yield* verb(workspace, "doctor", "--deep", "--json")
      expect(well.code).toBe(0)
      chmodSync(join(workspace, ".mound"), 0o755)
      writeFileSync(join(workspace, "mound.yaml"), "hub:\n  drain_timeout: soon\n")
      const unwell = yield* verb(workspace, "doctor", "--json")
      expect(unwell.code).toBe(1)
      const found = JSON.parse(unwell.stdout.split("\n")[0] as string) as ReadonlyArray<{
        name: string
        level: string
        fix?: string
      }>
      const bad = found
        .filter(({ level }) => level === "WARN" || level === "FAIL")
        .map(({ name, level }) => `${level} ${name}`)
      expect(bad).toEqual(["FAIL settings", "WARN state folder"])
      expect(found.find(({ name }) => name === "state folder")?.fix).toContain("chmod 700")
      writeFileSync(join(workspace, "mound.yaml"), "")
      expect((yield* verb(workspace, "doctor")).code).toBe(0)
      expect((yield* verb(workspace, "doctor", "--strict")).code).toBe(1)
    }).pipe(Effect.scoped)
  )
})
