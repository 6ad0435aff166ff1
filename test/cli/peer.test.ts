import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readyHub } from "../support/hubProcess.js"
import { agent, bodiesOf, workspace } from "../support/peerHubs.js"
import { runMound } from "../support/runMound.js"
import { screenAgent, screens } from "../support/screens.js"

const mound = (folder: string, ...args: ReadonlyArray<string>) => runMound(args, { cwd: folder })

const register = (folder: string, name: string, ...args: ReadonlyArray<string>) => {
  mkdirSync(join(folder, name))
  return mound(folder, "peer", "register", name, "--cwd", name, "--", process.execPath, agent, ...args)
}

/** Each call starts a process of its own. */
const patienceMs = 300_000

describe("mound peer", () => {
  it.scopedLive(
    "serves a new user: two scripts, a message between them, a stop, a hub that is killed",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace()
        const hub = yield* readyHub(folder)
        expect((yield* mound(folder, "peer", "list", "--json")).stdout).toBe("[]\n")
        expect((yield* register(folder, "a", "forward=b")).stdout).toBe("a (process): registered\n")
        yield* register(folder, "b")
        const sent = yield* mound(folder, "peer", "send", "a", "--message", "pass it on")
        expect([sent.code, sent.stdout]).toEqual([0, "delivered to process-a (ack)\n"])
        // A wake that finds it waking waits until it is up.
        expect((yield* mound(folder, "peer", "wake", "b")).stdout).toMatch(
          /^b \(process\): live, fresh \(first-wake\) in /
        )
        const again = yield* mound(folder, "peer", "send", "b", "--message", "directly")
        expect(again.stdout).toBe("delivered to process-b (ack)\n")
        expect(bodiesOf(folder, "b")).toEqual(["pass it on", "directly"])
        expect((yield* mound(folder, "peer", "stop", "b")).stdout).toBe("b (process): stopped\n")
        yield* hub.kill
        yield* readyHub(folder)
        const listed = JSON.parse((yield* mound(folder, "peer", "list", "--json")).stdout)
        expect(
          listed.map((peer: { runtimes: ReadonlyArray<{ status: string }> }) => peer.runtimes[0]?.status)
        ).toEqual(["live", "stopped"])
        const refused = yield* mound(folder, "peer", "send", "b", "--message", "too late")
        expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("was stopped")])
        const why = JSON.parse((yield* mound(folder, "peer", "why", "b", "--json")).stdout)
        expect(why).toMatchObject({
          identity: "process-b",
          state: "stopped",
          decision: { data: { cause: "first-wake", trigger: "message" } },
          lastEnd: { data: { reason: "stop", initiator: "operator", death: false } },
          deaths: [],
          queue: []
        })
        const live = yield* mound(folder, "peer", "remove", "a")
        expect([live.code, live.stderr]).toEqual([1, expect.stringContaining("process-a is live.waiting")])
        expect((yield* mound(folder, "peer", "remove", "a", "--force")).stdout).toBe(
          "a: removed, 1 session ended, 0 messages failed\n"
        )
        const absent = yield* mound(folder, "peer", "remove", "a")
        expect([absent.code, absent.stdout]).toEqual([0, "a: absent\n"])
      }),
    patienceMs
  )

  it.scopedLive(
    "shows a session's screen and what it said, and does to it what can be done",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace(screens())
        yield* readyHub(folder)
        mkdirSync(join(folder, "s"))
        const args = ["s", "--cwd", "s", "--runtime", "tmux", "--", process.execPath, screenAgent]
        expect((yield* mound(folder, "peer", "register", ...args)).stdout).toBe("s (tmux): registered\n")
        const nothing = yield* mound(folder, "peer", "attach", "s")
        expect([nothing.code, nothing.stderr]).toEqual([
          1,
          expect.stringContaining("no session to go on with")
        ])
        expect((yield* mound(folder, "peer", "wake", "s")).code).toBe(0)
        const target = `tmux -S ${folder}/.mound/run/tmux-s.sock attach -t '=tmux-s'\n`
        expect((yield* mound(folder, "peer", "attach", "s")).stdout).toBe(target)
        const asJson = JSON.parse((yield* mound(folder, "peer", "attach", "s", "--json")).stdout)
        expect(asJson).toMatchObject({ action: "attached", target: expect.arrayContaining(["=tmux-s"]) })
        const said = yield* mound(folder, "peer", "logs", "s")
        expect(said.stdout).toContain("❯")
        expect(JSON.parse((yield* mound(folder, "peer", "logs", "s", "--json")).stdout).output).toBe(
          said.stdout
        )
        expect((yield* mound(folder, "peer", "interrupt", "s")).stdout).toBe("s (tmux): interrupted\n")
        const compact = yield* mound(folder, "peer", "compact", "s")
        expect([compact.code, compact.stderr]).toEqual([1, expect.stringContaining("cannot be made smaller")])
        const runtimes = JSON.parse((yield* mound(folder, "peer", "runtimes", "--json")).stdout)
        expect(runtimes.map(({ name }: { readonly name: string }) => name)).toEqual([
          "process",
          "tmux",
          "claude",
          "codex"
        ])
        expect(runtimes[2].ready).toEqual({ _tag: "Pane", pattern: "❯" })
      }),
    patienceMs
  )

  it.scopedLive(
    "tells usage from refusal by its exit code",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace()
        yield* readyHub(folder)
        const code = (...args: ReadonlyArray<string>) =>
          Effect.map(mound(folder, "peer", ...args), (ran) => ran.code)
        expect(yield* code("send", "x")).toBe(2)
        expect(yield* code("stop")).toBe(2)
        expect(yield* code("register", "Boris", "--", "node")).toBe(2)
        expect(yield* code("why", "x")).toBe(1)
        expect(yield* code("self-fresh")).toBe(1)
        expect(yield* code("start", "--all")).toBe(0)
      }),
    patienceMs
  )
})
