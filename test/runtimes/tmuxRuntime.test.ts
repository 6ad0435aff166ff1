/** Sessions with a screen, by a real tmux and a program that has one (contracts: peers 4, scenario 19 of 8). */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { HubHandle } from "../../src/hub/startHub.js"
import { nameProcess } from "../../src/runtimes/ProcessTable.js"
import { SessionFolder } from "../../src/runtimes/SessionFolder.js"
import { SessionMemory } from "../../src/runtimes/Sessions.js"
import {
  awaitPresence,
  awaitState,
  bodiesOf,
  eventsOf,
  hubIn,
  notesOf,
  tell,
  typesOf,
  workspace,
  write
} from "../support/peerHubs.js"
import { registerOnScreen, screenNotes, screens } from "../support/screens.js"

const b = "tmux-b"
const patienceMs = 60_000

const targetOf = (hub: HubHandle, identity: string) => hub.parts.tmux.target(identity)
const serverRuns = (hub: HubHandle, identity: string): boolean => {
  const [program = "", ...args] = targetOf(hub, identity)
  try {
    execFileSync(program, [...args.slice(0, 2), "list-sessions"], { stdio: "pipe" })
    return true
  } catch {
    return false
  }
}

describe("a session with a screen", { timeout: patienceMs }, () => {
  it.scopedLive("gets a message as one paste, whatever is in it, and it is sent once", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens({ confirm: "transcript", transcript: "{cwd}/said.jsonl" }))
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b", ["transcript=said.jsonl"])
      const nasty = `it's "quoted" $(touch hacked) \`id\`; rm -rf x ; #{pane_id} %H \x1b[201~ \x03 \t;`
      const body = Array.from({ length: 300 }, (_, n) => `${n} ${nasty}`)
        .join("\n")
        .slice(0, 15_999)
      yield* write(hub, "b", "m-1", body, { topic: "t" })
      const confirmed = yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m-1" })
      expect(confirmed.data.evidence).toBe("transcript")
      const [got, ...more] = bodiesOf(folder, "b", "tmux")
      expect(more).toEqual([])
      expect(screenNotes(folder, "b").filter(({ pasted }) => pasted)).toHaveLength(1)
      // A terminal's paste has carriage returns for line breaks; controls have become what cannot press keys.
      const shown = body.replace(/[\x1b\x03]/g, "\ufffd").replaceAll("\n", "\r")
      expect(got).toContain(`<message><![CDATA[${shown}]]></message>`)
      expect(got?.startsWith('<iap from-personality="operator"')).toBe(true)
      expect(existsSync(join(folder, "b", "hacked"))).toBe(false)
      expect(notesOf(folder, "b", "tmux")[0]).toMatchObject({ cwd: join(folder, "b") })
    })
  )

  it.scopedLive("can be attached to, and is ended with its processes and its server", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens())
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b")
      yield* tell(hub, b, { type: "WakePresence" })
      yield* awaitState(hub, b, "live.waiting")
      const target = targetOf(hub, b)
      expect(target).toEqual([
        "tmux",
        "-S",
        join(folder, ".mound/run/tmux-b.sock"),
        "attach",
        "-t",
        "=tmux-b"
      ])
      const [{ pid = 0 } = {}] = notesOf(folder, "b", "tmux")
      expect(nameProcess(pid)).toBeDefined()
      expect(serverRuns(hub, b)).toBe(true)
      // Whoever looks at it may have opened something beside it.
      execFileSync("tmux", ["-S", String(target[2]), "new-window", "-d", "sleep 1000"])
      yield* tell(hub, b, { type: "StopPresence" })
      yield* awaitState(hub, b, "stopped")
      expect(nameProcess(pid)).toBeUndefined()
      expect(serverRuns(hub, b)).toBe(false)
      const ended = yield* awaitPresence(hub, b, "SessionEnded")
      expect(ended.data).toMatchObject({ reason: "stop", initiator: "operator", death: false })
    })
  )

  it.scopedLive("has its exit code recorded, and what it said last", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens())
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b")
      yield* write(hub, "b", "m1", "leave now")
      const ended = yield* awaitPresence(hub, b, "SessionEnded")
      expect(ended.data).toMatchObject({ reason: "exit", code: 3, signal: null, detectedBy: "exit" })
      expect(String(ended.data.outputTail)).toContain("❯")
      expect(serverRuns(hub, b)).toBe(false)
    })
  )

  it.scopedLive("is asked again to send what it let stand, and then is not told twice", () =>
    Effect.gen(function* () {
      const transcript = { confirm: "transcript", transcript: "{cwd}/said.jsonl" }
      const folder = yield* workspace(
        screens({ ...transcript, confirm_within: "2s", resubmit_after: "500ms", settle: "50ms" })
      )
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b", ["transcript=said.jsonl", "swallow=1"])
      yield* write(hub, "b", "m1")
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m1", evidence: "transcript" })
      expect(screenNotes(folder, "b").filter(({ swallowed }) => swallowed)).toHaveLength(1)
      // One that writes nothing down is in doubt after one paste.
      yield* registerOnScreen(hub, "mute")
      yield* write(hub, "mute", "m2")
      const doubted = yield* awaitPresence(hub, "tmux-mute", "DeliveryUnconfirmed")
      expect(doubted.data).toMatchObject({ messageId: "m2", attempt: 1, final: true })
      expect(screenNotes(folder, "mute").filter(({ pasted }) => pasted)).toHaveLength(1)
      expect((yield* typesOf(hub, "tmux-mute")).filter((type) => type === "DeliveryAttempted")).toHaveLength(
        1
      )
    })
  )

  it.scopedLive("has its questions answered, one after the other, before it is ready", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(
        screens({
          ready: { pane: "❯" },
          dialogs: [
            { when: "Bypass", and: "❯ 2\\.", keys: ["Enter"] },
            { when: "Bypass", keys: ["Down"] },
            { when: "Do you trust", keys: ["Enter"] }
          ]
        })
      )
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b", ["trust", "bypass"])
      yield* tell(hub, b, { type: "WakePresence" })
      const ready = yield* awaitPresence(hub, b, "SessionReady")
      expect(ready.data.evidence).toBe("pane")
      expect(screenNotes(folder, "b").flatMap(({ answered }) => answered ?? [])).toEqual([
        "Yes",
        "Yes, I accept"
      ])
    })
  )

  it.scopedLive("hears its seed and its first message in one paste, and a seed alone when none waits", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens({ settle: "50ms" }))
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b", [], { seedPrompt: "you are b" })
      yield* write(hub, "b", "m1")
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m1", evidence: "written" })
      yield* write(hub, "b", "m2")
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m2" })
      yield* registerOnScreen(hub, "c", [], { seedPrompt: "you are c" })
      yield* tell(hub, "tmux-c", { type: "WakePresence" })
      const live = yield* awaitState(hub, "tmux-c", "live.waiting")
      yield* write(hub, "c", "m3")
      yield* awaitPresence(hub, "tmux-c", "DeliveryConfirmed", { messageId: "m3" }, live.offset)
      yield* awaitBodies(folder, "b", 2)
      yield* awaitBodies(folder, "c", 2)
      expect(bodiesOf(folder, "b", "tmux")[0]).toMatch(/^you are b\r\r<iap /)
      expect(bodiesOf(folder, "b", "tmux")[1]).toMatch(/^<iap /)
      expect(bodiesOf(folder, "c", "tmux")[0]).toBe("you are c")
      expect(bodiesOf(folder, "c", "tmux")[1]).toMatch(/^<iap /)
    })
  )

  it.scopedLive(
    "outlives the hub, and is found again with its screen; one that died meanwhile has its code",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace(screens({ settle: "50ms" }))
        const first = yield* Scope.make()
        const hub = yield* Scope.extend(hubIn(folder), first)
        yield* registerOnScreen(hub, "b")
        yield* registerOnScreen(hub, "dies")
        for (const name of ["b", "dies"]) yield* tell(hub, `tmux-${name}`, { type: "WakePresence" })
        for (const name of ["b", "dies"]) yield* awaitState(hub, `tmux-${name}`, "live.waiting")
        yield* Scope.close(first, Exit.void)
        process.kill(notesOf(folder, "dies", "tmux")[0]?.pid as number, "SIGTERM")
        const orphan = yield* startOrphan(hub)
        const next = yield* hubIn(folder)
        expect(nameProcess(orphan)).toBeUndefined()
        expect(serverRuns(next, "tmux-nobody")).toBe(false)
        const ended = yield* awaitPresence(next, "tmux-dies", "SessionEnded")
        expect(ended.data).toMatchObject({ reason: "exit", signal: "SIGTERM", detectedBy: "reconcile" })
        yield* write(next, "b", "m1", "still there?")
        yield* awaitPresence(next, b, "DeliveryConfirmed", { messageId: "m1" })
        yield* awaitBodies(folder, "b", 1)
        expect(screenNotes(folder, "b").filter(({ started }) => started)).toHaveLength(1)
        expect((yield* typesOf(next, b)).filter((type) => type === "SessionSpawned")).toHaveLength(1)
      })
  )

  it.scopedLive("is not started where there is no tmux: nothing dies, what waits fails", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens())
      const hub = yield* hubIn(folder)
      yield* withoutPath
      yield* registerOnScreen(hub, "b")
      yield* write(hub, "b", "m1")
      const failed = yield* awaitPresence(hub, b, "WakeFailed")
      expect(failed.data).toMatchObject({ phase: "decide", reason: "host-missing", death: false })
      expect(failed.data.detail).toContain("tmux is not on PATH")
      expect((yield* awaitPresence(hub, b, "MessageFailed")).data.reason).toBe("host-missing")
      expect((yield* eventsOf(hub)).some(({ type }) => type === "SessionSpawned")).toBe(false)
    })
  )
})

/** A session with a screen that no hub knows of. */
const startOrphan = (hub: HubHandle) =>
  Effect.gen(function* () {
    const nobodys = new SessionFolder(hub.parts.sessionsRoot, "01NOBODYS")
    nobodys.create("tmux-nobody")
    const pid = yield* hub.parts.tmux.start("tmux-nobody", nobodys, new SessionMemory(), {
      argv: ["sleep", "1000"],
      cwd: hub.parts.settings.workspace,
      env: { PATH: process.env.PATH ?? "", MOUND_SESSION_ID: "01NOBODYS" }
    })
    expect(nameProcess(pid)).toBeDefined()
    return pid
  })

/** Nothing is found on PATH until the scope closes. */
const withoutPath = Effect.acquireRelease(
  Effect.sync(() => {
    const { PATH } = process.env
    process.env.PATH = "/nowhere"
    return PATH ?? ""
  }),
  (path) =>
    Effect.sync(() => {
      process.env.PATH = path
    })
)

/** What was pasted is noted a moment after tmux has taken it. */
const awaitBodies = (folder: string, name: string, count: number): Effect.Effect<void> =>
  Effect.suspend(() =>
    bodiesOf(folder, name, "tmux").length >= count
      ? Effect.void
      : Effect.delay(awaitBodies(folder, name, count), 20)
  )
