import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { binaryOf, end, moundIn, start, startDev, workspaceFolder } from "../support/binaries.js"
import { deposit, eventsIn, post } from "../support/hubs.js"
import * as peers from "../support/peerHubs.js"

/** A hub with one mark, and what happened to it so far. */
const place = Effect.gen(function* () {
  const workspace = yield* workspaceFolder()
  const hub = yield* startDev(workspace)
  yield* deposit(hub, "w1")
  const exec = (...words: ReadonlyArray<string>) => moundIn(workspace)("claim", "exec", ...words)
  const begin = (...words: ReadonlyArray<string>) =>
    start(binaryOf("mound"), ["claim", "exec", ...words], { cwd: workspace })
  const history = Effect.map(eventsIn(workspace), (events) =>
    events.filter(({ stream }) => stream === "claim/w1").map(({ type, data }) => ({ type, data }))
  )
  return { workspace, hub, exec, begin, history }
})

/** Makes every spawn keep its caller for long after the command runs, as a machine may that is busy with other things. */
const slowSpawn = `
  import childProcess from "node:child_process"
  import { syncBuiltinESMExports } from "node:module"
  const { spawn } = childProcess
  childProcess.spawn = (...words) => {
    const child = spawn(...words)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    return child
  }
  syncBuiltinESMExports()
`

const types = (history: ReadonlyArray<{ readonly type: string }>) => history.map(({ type }) => type)

describe("mound claim exec", () => {
  it.scopedLive("runs the command under the claim and completes it", () =>
    Effect.gen(function* () {
      const { hub, exec, history } = yield* place
      const script = 'echo "$MOUND_CLAIM $MOUND_FENCING_TOKEN $MOUND_URL"; echo words >&2; echo "$@"'
      const ran = yield* exec("w1", "--as", "ann", "--", "sh", "-c", script, "sh", "--help", "--json", "--")
      expect(ran).toMatchObject({ code: 0, stderr: "words\n" })
      expect(ran.stdout).toBe(`w1 6 ${hub.url}\n--help --json --\n`)
      expect(types(yield* history)).toEqual(["PheromoneDeposited", "ClaimGranted", "ClaimCompleted"])
    })
  )

  it.scopedLive("fails the claim and ends as the command does", () =>
    Effect.gen(function* () {
      const { exec, history } = yield* place
      expect((yield* exec("--next", "--as", "ann", "--", "sh", "-c", "exit 7")).code).toBe(7)
      expect((yield* history).at(-1)).toMatchObject({
        type: "ClaimFailed",
        data: { reason: "the command ended with exit code 7", retry: true }
      })
    })
  )

  it.scopedLive("runs nothing when the claim is refused", () =>
    Effect.gen(function* () {
      const { hub, exec, history } = yield* place
      yield* post(hub, "/claims/w1/claim", { peer: "bob" })
      const refused = yield* exec("w1", "--as", "ann", "--json", "--", "echo", "ran")
      expect(refused.code).toBe(1)
      expect(JSON.parse(refused.stdout)).toMatchObject({ _tag: "AlreadyClaimed", by: "bob" })
      expect(yield* history).toHaveLength(2)
    })
  )

  it.scopedLive("gives the claim back when the command cannot be run", () =>
    Effect.gen(function* () {
      const { exec, history } = yield* place
      const { code, stderr } = yield* exec("w1", "--as", "ann", "--", "no-such-command")
      expect(code).toBe(1)
      expect(stderr).toContain("no-such-command cannot be run")
      expect((yield* history).at(-1)?.type).toBe("ClaimReleased")
    })
  )

  it.scopedLive("keeps the lease for as long as the command runs", () =>
    Effect.gen(function* () {
      const { begin, history } = yield* place
      const script = "echo running; read line; echo $line"
      const running = yield* begin("w1", "--as", "ann", "--ttl", "1s", "--", "sh", "-c", script)
      yield* running.awaitOutput(/running/)
      yield* Effect.iterate([] as ReadonlyArray<string>, {
        while: (seen) => seen.filter((type) => type === "ClaimRenewed").length < 2,
        body: () => Effect.map(history, types)
      })
      running.child.stdin?.end("enough\n")
      expect(yield* running.ended).toMatchObject({ code: 0, stdout: "running\nenough\n" })
      const seen = types(yield* history)
      expect(seen.at(-1)).toBe("ClaimCompleted")
      expect(seen).not.toContain("ClaimExpired")
    })
  )

  it.scopedLive("ends the command when the claim is lost, exit code 1, and leaves the successor alone", () =>
    Effect.gen(function* () {
      const { hub, begin, history } = yield* place
      const script = 'trap "echo told to end; exit 0" TERM; echo running; while :; do sleep 0.1; done'
      const running = yield* begin("w1", "--as", "ann", "--ttl", "1s", "--", "sh", "-c", script)
      yield* running.awaitOutput(/running/)
      yield* post(hub, "/claims/w1/revoke", { reason: "needed" })
      yield* post(hub, "/claims/w1/claim", { peer: "bob", ttlMs: null })
      const { code, stdout, stderr } = yield* running.ended
      expect([code, stdout]).toEqual([1, "running\ntold to end\n"])
      expect(stderr).toContain("w1 is lost to us")
      expect((yield* history).at(-1)).toMatchObject({ type: "ClaimGranted", data: { peer: "bob" } })
    })
  )

  it.scopedLive("passes a signal on and gives the claim back", () =>
    Effect.gen(function* () {
      const { begin, history } = yield* place
      const script = 'trap "echo stopping; exit 5" TERM; echo running; while :; do sleep 0.1; done'
      const running = yield* begin("w1", "--as", "ann", "--", "sh", "-c", script)
      yield* running.awaitOutput(/running/)
      expect(yield* end(running, "SIGTERM")).toMatchObject({ code: 5, stdout: "running\nstopping\n" })
      expect((yield* history).at(-1)).toMatchObject({
        type: "ClaimReleased",
        data: { reason: "ended by SIGTERM" }
      })
    })
  )

  it.scopedLive("passes on a signal that comes before the call that starts the command is back", () =>
    Effect.gen(function* () {
      const { workspace, history } = yield* place
      const script = 'trap "exit 5" TERM; echo running; while :; do sleep 0.1; done'
      const running = yield* start(
        binaryOf("mound"),
        ["claim", "exec", "w1", "--as", "ann", "--", "sh", "-c", script],
        {
          cwd: workspace,
          env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(slowSpawn)}` }
        }
      )
      yield* running.awaitOutput(/running/)
      expect(yield* end(running, "SIGTERM")).toMatchObject({ code: 5 })
      expect((yield* history).at(-1)).toMatchObject({
        type: "ClaimReleased",
        data: { reason: "ended by SIGTERM" }
      })
    })
  )

  it.scopedLive("tells how the work ended to a hub that comes back", () =>
    Effect.gen(function* () {
      const { workspace, hub, begin, history } = yield* place
      const running = yield* begin("w1", "--as", "ann", "--", "sh", "-c", "echo running; read line")
      yield* running.awaitOutput(/running/)
      yield* end(hub, "SIGKILL")
      running.child.stdin?.end("\n")
      yield* startDev(workspace)
      expect((yield* running.ended).code).toBe(0)
      expect(types(yield* history).at(-1)).toBe("ClaimCompleted")
    })
  )

  it.scopedLive("ends the command of a bound claim when the session is gone that it was bound to", () =>
    Effect.gen(function* () {
      const hub = yield* peers.hubIn(yield* peers.workspace())
      yield* peers.register(hub, "b")
      yield* peers.tell(hub, "process-b", { type: "WakePresence" })
      yield* peers.awaitState(hub, "process-b", "live.waiting")
      yield* deposit(hub, "w1")
      const words = ["w1", "--as", "b", "--bound", "presence/process-b", "--grace", "1s", "--url", hub.url]
      const running = yield* start(binaryOf("mound"), [
        ...["claim", "exec", ...words, "--"],
        ...["sh", "-c", "echo begun; exec sleep 600"]
      ])
      yield* running.awaitOutput(/begun/)
      const { data } = yield* peers.awaitPresence(hub, "process-b", "SessionSpawned")
      process.kill(-Number(data.pid), "SIGKILL")
      const { code, stderr } = yield* running.ended
      expect([code, stderr]).toEqual([1, expect.stringContaining("w1 is lost to us: ending sh")])
    })
  )
})
