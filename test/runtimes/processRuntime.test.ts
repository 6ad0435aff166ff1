import { statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import {
  awaitPresence,
  awaitState,
  bodiesOf,
  eventsOf,
  hubIn,
  notesOf,
  processesOf,
  register,
  tell,
  typesOf,
  workspace,
  write
} from "../support/peerHubs.js"

const b = "process-b"

const awaitCut = (output: string) =>
  Effect.iterate(statSync(output).size, {
    while: (size) => size > 1_000,
    body: () => Effect.map(Effect.sleep(10), () => statSync(output).size)
  })

describe("a process peer", () => {
  it.scopedLive("is woken by a message, gets it, and its acknowledgement confirms it", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      yield* write(hub, "b", "m1", "first")
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m1", evidence: "ack" })
      expect(yield* typesOf(hub, b)).toEqual([
        "PresenceDeclared",
        "MessageAccepted",
        "WakeModeChosen",
        "SessionSpawned",
        "SessionReady",
        "DeliveryAttempted",
        "DeliveryConfirmed"
      ])
      yield* write(hub, "b", "m2", "second")
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m2" })
      expect(bodiesOf(folder, "b")).toEqual(["first", "second"])
      expect(notesOf(folder, "b").filter(({ started }) => started)).toHaveLength(1)
    })
  )

  it.scopedLive("hears its seed before its first message, and once", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", [], { seedPrompt: "be kind" })
      yield* write(hub, "b", "m1")
      yield* awaitPresence(hub, b, "DeliveryConfirmed")
      expect(notesOf(folder, "b").flatMap(({ got }) => (got ? [got.type] : []))).toEqual(["seed", "message"])
    })
  )

  it.scopedLive("is ended with its whole group, also what ignores SIGTERM", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ process: { end_grace: "100ms" } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", ["ignore-term", "grandchild"])
      yield* tell(hub, b, { type: "WakePresence" })
      yield* awaitState(hub, b, "live.waiting")
      const spawned = yield* awaitPresence(hub, b, "SessionSpawned")
      expect(processesOf(spawned).length).toBeGreaterThanOrEqual(3)
      yield* tell(hub, b, { type: "StopPresence" })
      const ended = yield* awaitPresence(hub, b, "SessionEnded")
      expect(ended.data).toMatchObject({
        reason: "stop",
        initiator: "operator",
        death: false,
        disposition: "parked"
      })
      expect(processesOf(spawned)).toEqual([])
    })
  )

  it.scopedLive("takes what it left running with it when it exits by itself", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b", ["grandchild"])
      yield* write(hub, "b", "m1", "bye")
      const ended = yield* awaitPresence(hub, b, "SessionEnded")
      const spawned = yield* awaitPresence(hub, b, "SessionSpawned")
      expect(ended.data).toMatchObject({ reason: "exit", initiator: "self", code: 0, death: false })
      expect(processesOf(spawned)).toEqual([])
    })
  )

  it.scopedLive("is shown as unconfirmed when it never acknowledges, and confirmed by a late reply", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ process: { confirm_within: "60ms" } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", ["no-ack"])
      yield* write(hub, "b", "m1")
      yield* awaitPresence(hub, b, "DeliveryUnconfirmed", { final: true })
      const attempts = notesOf(folder, "b").flatMap(({ got }) => (got ? [[got.messageId, got.attempt]] : []))
      expect(attempts).toEqual([
        ["m1", 1],
        ["m1", 2],
        ["m1", 3]
      ])
      yield* hub.parts.postman
        .send(
          { personality: "b", runtime: "process" },
          { to: "operator-b", messageId: "r1", body: "yes", replyTo: "m1" }
        )
        .pipe(Effect.exit)
      yield* tell(hub, b, { type: "ConfirmDelivery", messageId: "m1", evidence: "ack" })
      const confirmed = yield* awaitPresence(hub, b, "DeliveryConfirmed")
      expect(confirmed.data).toMatchObject({ late: true })
    })
  )

  it.scopedLive("that dies by a message gets it three times, in three sessions, and is then held", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ peers: { restart: { first: "10ms" } } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      yield* write(hub, "b", "m1", "die")
      const held = yield* awaitState(hub, b, "crashLoop")
      const events = yield* eventsOf(hub, `presence/${b}`)
      const attempts = events.filter(({ type }) => type === "DeliveryAttempted")
      expect(attempts.map(({ data }) => data.attempt)).toEqual([1, 2, 3])
      expect(new Set(attempts.map(({ data }) => data.sessionId)).size).toBe(3)
      expect(events.filter(({ type }) => type === "DeliveryUnconfirmed").at(-1)?.data).toMatchObject({
        final: true
      })
      const deaths = events.filter(({ data }) => data.death === true)
      expect(deaths.map(({ data }) => data.code)).toEqual([1, 1, 1])
      expect(held.data.heldUntil).toBe((deaths[0]?.at ?? 0) + 300_000)
      yield* write(hub, "b", "m2", "next")
      yield* tell(hub, b, { type: "ResetCrashLoop" })
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m2" })
      expect(bodiesOf(folder, "b")).toEqual(["die", "die", "die", "next"])
    })
  )

  it.scopedLive("that exits before it is ready three times is held, and what waited has failed", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace({ peers: { restart: { first: "10ms" } } }))
      yield* register(hub, "b", ["exit=7"])
      yield* write(hub, "b", "m1")
      const held = yield* awaitState(hub, b, "crashLoop")
      expect(held.data).toMatchObject({ code: 7, ready: false, death: true })
      const failed = yield* awaitPresence(hub, b, "MessageFailed")
      expect(failed.data).toMatchObject({ messageId: "m1", reason: "wake-failed" })
      const refused = yield* Effect.exit(tell(hub, b, { type: "WakePresence" }))
      expect(JSON.stringify(refused)).toContain('"_tag":"CrashLoop"')
      expect(Exit.isFailure(refused)).toBe(true)
    })
  )

  it.scopedLive("that does not get ready in its time is ended, and that is a death", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace({ peers: { boot: "1s" } }))
      yield* register(hub, "b", ["silent"])
      yield* tell(hub, b, { type: "WakePresence" })
      const ended = yield* awaitPresence(hub, b, "SessionEnded")
      expect(ended.data).toMatchObject({
        reason: "boot-timeout",
        initiator: "hub",
        death: true,
        ready: false
      })
    })
  )

  it.scopedLive("that is always on comes back by itself, and stays down once it is stopped", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace({ peers: { restart: { first: "10ms" } } }))
      yield* register(hub, "b", [], { restart: "always" })
      const first = yield* awaitState(hub, b, "live.waiting")
      yield* write(hub, "b", "m1", "bye")
      const ended = yield* awaitPresence(hub, b, "SessionEnded", {}, first.offset)
      expect(ended).toMatchObject({ state: "restarting", data: { death: false, streak: 1 } })
      const second = yield* awaitState(hub, b, "live.waiting", ended.offset)
      yield* tell(hub, b, { type: "StopPresence" })
      yield* awaitState(hub, b, "stopped", second.offset)
      yield* tell(hub, b, { type: "StartPresence" })
      yield* awaitState(hub, b, "live.waiting", second.offset + 2)
    })
  )

  it.scopedLive("is parked when idle, and goes on or begins anew as its topic says", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({
        peers: { idle: "1s" },
        process: { resume_argv: ["/usr/bin/env", "RESUMED={resume_ref}"] }
      })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      yield* write(hub, "b", "m1", "first", { topic: "t" })
      const parked = yield* awaitState(hub, b, "asleep.parked")
      expect(parked.data).toMatchObject({ reason: "idle", initiator: "hub", death: false })
      yield* write(hub, "b", "m2", "second", { topic: "t" })
      const resumed = yield* awaitPresence(hub, b, "WakeModeChosen", { mode: "resume" })
      expect(resumed.data).toMatchObject({ cause: "idle-reaped-resume" })
      const again = yield* awaitState(hub, b, "asleep.parked", resumed.offset)
      yield* write(hub, "b", "m3", "third", { topic: "other" })
      const fresh = yield* awaitPresence(hub, b, "WakeModeChosen", {}, again.offset)
      expect(fresh.data).toMatchObject({ mode: "fresh", cause: "idle-reaped-new-topic" })
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m3" })
    })
  )

  it.scopedLive("passes messages on by control lines, and hears why one was refused", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "a", ["forward=b"])
      yield* register(hub, "b")
      yield* write(hub, "a", "m1", "pass it on")
      const got = yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m1-forwarded" })
      expect(got.data.evidence).toBe("ack")
      expect(bodiesOf(folder, "b")).toEqual(["pass it on"])
      yield* tell(hub, b, { type: "StopPresence" })
      yield* write(hub, "a", "m2", "too late")
      yield* write(hub, "a", "m3", "later")
      yield* awaitPresence(hub, "process-a", "DeliveryConfirmed", { messageId: "m3" })
      expect(notesOf(folder, "a")).toMatchObject(
        expect.arrayContaining([
          expect.objectContaining({ got: expect.objectContaining({ type: "refused", reason: "Stopped" }) })
        ])
      )
    })
  )

  it.scopedLive("cannot be started in a folder that is gone: nothing dies, what waits fails", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      yield* Effect.promise(() =>
        import("node:fs/promises").then(({ rm }) => rm(`${folder}/b`, { recursive: true }))
      )
      yield* write(hub, "b", "m1")
      const failed = yield* awaitPresence(hub, b, "WakeFailed")
      expect(failed.data).toMatchObject({ phase: "decide", reason: "cwd-missing", death: false })
      expect((yield* awaitPresence(hub, b, "MessageFailed")).data).toMatchObject({ reason: "cwd-missing" })
    })
  )

  it.scopedLive(
    "cannot fill the disk: output beyond the limit is moved aside, and what it says is heard on",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace({ peers: { output_max: "1MiB" } })
        const hub = yield* hubIn(folder)
        yield* register(hub, "b", ["babble"])
        yield* write(hub, "b", "m1")
        const cut = yield* awaitPresence(hub, b, "ActivityObserved", { kind: "output-cut", outputOffset: 0 })
        const output = join(folder, ".mound/sessions", String(cut.data.sessionId), "out")
        yield* awaitCut(output)
        yield* write(hub, "b", "m2")
        const confirmed = yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m2" }, cut.offset)
        expect(confirmed.data.outputOffset).toBeLessThan(1_000)
      })
  )

  it.scopedLive("cannot fill the disk by a line that never ends either", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ peers: { output_max: "1MiB" } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", ["spin"])
      yield* write(hub, "b", "m1")
      const cut = yield* awaitPresence(hub, b, "ActivityObserved", { kind: "output-cut", outputOffset: 0 })
      yield* awaitCut(join(folder, ".mound/sessions", String(cut.data.sessionId), "out"))
    })
  )

  it.scopedLive("is parked when the hub stops, where it is told so, and left alone where not", () =>
    Effect.gen(function* () {
      for (const [onStop, reasons] of [
        ["end", ["shutdown"]],
        ["leave", []]
      ] as const) {
        const folder = yield* workspace({ peers: { on_stop: onStop } })
        const hub = yield* hubIn(folder)
        yield* register(hub, "b")
        yield* tell(hub, b, { type: "WakePresence" })
        yield* awaitState(hub, b, "live.waiting")
        yield* hub.stop({ force: true, reason: "test" })
        expect(yield* hub.stopped).toEqual({ clean: true })
        const events = yield* eventsOf(hub, `presence/${b}`)
        const ended = events.filter(({ type }) => type === "SessionEnded")
        expect(ended.map(({ data }) => data.reason)).toEqual(reasons)
        expect(ended.every(({ data, state }) => data.death === false && state === "asleep.parked")).toBe(true)
      }
    })
  )

  it.scopedLive("can say much: its control lines are found among megabytes of output", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b", ["babble"])
      yield* write(hub, "b", "m1")
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m1" })
    })
  )
})
