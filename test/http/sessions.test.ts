/** What is done to a session that runs, over HTTP: attach, interrupt, compact (contracts: peers 5). */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HubHandle } from "../../src/hub/startHub.js"
import {
  awaitPresence,
  awaitState,
  eventsOf,
  hubIn,
  notesOf,
  register,
  tell,
  typesOf,
  workspace,
  write
} from "../support/peerHubs.js"
import { registerOnScreen, screenNotes, screens } from "../support/screens.js"

interface Answer {
  readonly status: number
  readonly body: { readonly _tag?: string; readonly outcomes?: ReadonlyArray<{ readonly action: string }> }
}

const post = (hub: HubHandle, path: string, body: object = {}): Effect.Effect<Answer> =>
  Effect.promise(async () => {
    const headers = { "content-type": "application/json" }
    const response = await fetch(`${hub.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })
    return { status: response.status, body: (await response.json()) as Answer["body"] }
  })

const outcome = ({ body }: Answer) => body.outcomes?.[0]
const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.delay(until(isSo), 20)))

const onScreen = {
  transcript: "{cwd}/said.jsonl",
  settle: "50ms",
  compact: { text: "/compact", within: "20s", match: "compact_boundary" },
  resume_argv: []
}

describe("a session that runs", { timeout: 60_000 }, () => {
  it.scopedLive("is attached to where it has a screen", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens())
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b")
      const nothing = yield* post(hub, "/peers/b/attach?wait=20000")
      expect([nothing.status, nothing.body._tag]).toEqual([409, "NothingToResume"])
      yield* tell(hub, "tmux-b", { type: "WakePresence" })
      const live = yield* awaitState(hub, "tmux-b", "live.waiting")
      const attached = yield* post(hub, "/peers/b/attach")
      expect(outcome(attached)).toMatchObject({
        action: "attached",
        target: ["tmux", "-S", join(folder, ".mound/run/tmux-b.sock"), "attach", "-t", "=tmux-b"]
      })
      yield* awaitPresence(hub, "tmux-b", "SessionAttached", {}, live.offset)
      yield* register(hub, "plain")
      expect((yield* post(hub, "/peers/plain/attach")).body._tag).toBe("Unsupported")
    })
  )

  it.scopedLive("goes on with its last session to be attached to", () =>
    Effect.gen(function* () {
      const resume_argv = [process.execPath]
      const folder = yield* workspace(screens({ resume_argv }))
      const hub = yield* hubIn(folder)
      yield* registerOnScreen(hub, "b")
      yield* tell(hub, "tmux-b", { type: "WakePresence" })
      yield* awaitState(hub, "tmux-b", "live.waiting")
      yield* tell(hub, "tmux-b", { type: "StopPresence" })
      const stopped = yield* awaitState(hub, "tmux-b", "stopped")
      expect((yield* post(hub, "/peers/b/attach")).body._tag).toBe("Stopped")
      yield* tell(hub, "tmux-b", { type: "StartPresence" })
      // What it is resumed with does not matter here; that it is, does.
      yield* post(hub, "/peers/b/attach")
      const chosen = yield* awaitPresence(hub, "tmux-b", "WakeModeChosen", {}, stopped.offset)
      expect(chosen.data).toMatchObject({ mode: "resume", cause: "attach", trigger: "attach" })
    })
  )

  it.scopedLive("is interrupted: by a signal to its group, or by keys on its screen", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens())
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", ["interruptible"])
      yield* registerOnScreen(hub, "c")
      const offline = yield* post(hub, "/peers/b/interrupt")
      expect([offline.status, offline.body._tag]).toEqual([409, "Offline"])
      for (const identity of ["process-b", "tmux-c"]) {
        yield* tell(hub, identity, { type: "WakePresence" })
        yield* awaitState(hub, identity, "live.waiting")
        const [, name] = identity.split("-")
        expect(outcome(yield* post(hub, `/peers/${name}/interrupt`))).toMatchObject({ action: "interrupted" })
        yield* awaitPresence(hub, identity, "SessionInterrupted")
      }
      yield* until(() => screenNotes(folder, "b", "process").some(({ interrupted }) => interrupted))
      yield* until(() => screenNotes(folder, "c").some(({ pressed }) => pressed === "Escape"))
      expect((yield* awaitState(hub, "process-b", "live.waiting")).state).toBe("live.waiting")
      expect((yield* typesOf(hub, "process-b")).includes("SessionEnded")).toBe(false)
    })
  )

  it.scopedLive("is made smaller, which counts on evidence alone", () =>
    Effect.gen(function* () {
      const folder = yield* workspace(screens(onScreen))
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      yield* register(hub, "deaf", ["cannot-compact"])
      yield* registerOnScreen(hub, "c", ["transcript=said.jsonl"])
      expect((yield* post(hub, "/peers/b/compact")).body._tag).toBe("NothingToCompact")
      for (const identity of ["process-b", "process-deaf", "tmux-c"]) {
        yield* tell(hub, identity, { type: "WakePresence" })
        yield* awaitState(hub, identity, "live.waiting")
      }
      expect(outcome(yield* post(hub, "/peers/b/compact?wait=20000"))?.action).toBe("compacted")
      expect(outcome(yield* post(hub, "/peers/c/compact?wait=20000"))?.action).toBe("compacted")
      expect(outcome(yield* post(hub, "/peers/deaf/compact?wait=200"))?.action).toBe("unconfirmed")
      const evidence = (yield* eventsOf(hub)).filter(({ type }) => type === "SessionCompacted")
      expect(evidence.map(({ stream, data }) => [stream, data.evidence])).toEqual([
        ["presence/process-b", "control"],
        ["presence/tmux-c", "transcript"]
      ])
      yield* registerOnScreen(hub, "d")
    })
  )

  it.scopedLive("must be told apart from another of its peer's that runs too", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ runtimes: { other: {}, third: {} } })
      const hub = yield* hubIn(folder)
      const launch = Object.fromEntries(
        ["other", "third"].map((runtime) => [runtime, { args: ["sleep", "1000"], env: {} }])
      )
      yield* register(hub, "b", [])
      yield* register(hub, "b", [], { runtimes: ["process", "other", "third"], launch })
      for (const runtime of ["other", "third"]) {
        yield* tell(hub, `${runtime}-b`, { type: "WakePresence" })
        yield* awaitState(hub, `${runtime}-b`, "live.waiting")
      }
      const refused = yield* post(hub, "/peers/b/interrupt")
      expect([refused.status, refused.body]).toMatchObject([
        409,
        { _tag: "Ambiguous", runtimes: ["other", "third"] }
      ])
      expect(outcome(yield* post(hub, "/peers/b/interrupt", { runtime: "third" }))?.action).toBe(
        "interrupted"
      )
    })
  )
})

describe("a peer with a session for each message", { timeout: 60_000 }, () => {
  const b = "process-b"
  const ephemeral = { wake: "ephemeral" }
  const quick = { peers: { ephemeral: { quiet: "100ms", unarmed_idle: "60s" } } }

  /** What was told to each of its sessions. */
  const toldIn = (folder: string) => {
    const sessions = new Map<number, Array<string>>()
    for (const { pid, got } of notesOf(folder, "b")) {
      const told = sessions.get(pid) ?? []
      sessions.set(pid, told)
      if (got?.type === "message") told.push(got.body)
    }
    return [...sessions.values()]
  }

  for (const [how, args] of [
    ["says that it is done", ["done"]],
    ["leaves in good order", ["leave"]],
    ["answers", ["reply"]]
  ] as const) {
    it.scopedLive(`begins the next when it ${how}`, () =>
      Effect.gen(function* () {
        const folder = yield* workspace(quick)
        const hub = yield* hubIn(folder)
        yield* register(hub, "a")
        yield* register(hub, "b", args, ephemeral)
        yield* tell(hub, "process-a", { type: "WakePresence" })
        yield* awaitState(hub, "process-a", "live.waiting")
        const from = { personality: "a", runtime: "process" }
        for (const n of [1, 2, 3]) {
          yield* hub.parts.postman.send(from, { to: "b", messageId: `m${n}`, body: String(n) })
        }
        yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m3" })
        yield* awaitEndOfAll(hub)
        expect(toldIn(folder)).toEqual([["1"], ["2"], ["3"]])
        const events = yield* eventsOf(hub, `presence/${b}`)
        const chosen = events.filter(({ type }) => type === "WakeModeChosen")
        expect(chosen.map(({ data }) => data.cause)).toEqual(Array(3).fill("ephemeral-policy"))
        const ended = events.filter(({ type }) => type === "SessionEnded")
        expect(ended.map(({ data }) => [data.reason, data.death, data.disposition])).toEqual(
          Array(3).fill(["ephemeral-done", false, "discarded"])
        )
      })
    )
  }

  it.scopedLive("is ended when it never says that it is done", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ peers: { ephemeral: { quiet: "100ms", unarmed_idle: "300ms" } } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", [], ephemeral)
      yield* write(hub, "b", "m1")
      const ended = yield* awaitPresence(hub, b, "SessionEnded")
      expect(ended).toMatchObject({
        state: "asleep.gone",
        data: { reason: "ephemeral-unarmed", initiator: "hub", death: false, disposition: "discarded" }
      })
    })
  )

  const awaitEndOfAll = (hub: HubHandle) =>
    Effect.gen(function* () {
      let offset = 0
      for (let n = 0; n < 3; n++) offset = (yield* awaitPresence(hub, b, "SessionEnded", {}, offset)).offset
    })
})
