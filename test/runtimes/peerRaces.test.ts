import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { findByArgument } from "../../src/runtimes/ProcessTable.js"
import {
  awaitEvent,
  awaitPresence,
  awaitState,
  bodiesOf,
  eventsOf,
  hubIn,
  notesOf,
  register,
  tell,
  typesOf,
  workspace,
  write
} from "../support/peerHubs.js"

const b = "process-b"
const patienceMs = 120_000

describe("peers, all at once", () => {
  it.scopedLive(
    "one sleeping peer is woken once by 50 senders and gets their messages in order, each once",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace()
        const hub = yield* hubIn(folder)
        yield* register(hub, "b")
        const ids = Array.from({ length: 50 }, (_, n) => `m${n}`)
        yield* Effect.forEach(ids, (id) => write(hub, "b", id, id), { concurrency: "unbounded" })
        const accepted = (yield* eventsOf(hub, `presence/${b}`)).filter(
          ({ type }) => type === "MessageAccepted"
        )
        const order = accepted.map(({ data }) => data.messageId)
        yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: order.at(-1) })
        const events = yield* eventsOf(hub, `presence/${b}`)
        expect(events.filter(({ type }) => type === "SessionSpawned")).toHaveLength(1)
        // Also those that were handed over while others came.
        expect(events.filter(({ type }) => type === "DeliveryAttempted")).toHaveLength(50)
        const confirmed = events
          .filter(({ type }) => type === "DeliveryConfirmed")
          .map(({ data }) => data.messageId)
        expect(confirmed).toEqual(order)
        expect(bodiesOf(folder, "b")).toEqual(order)
        expect([...order].sort()).toEqual([...ids].sort())
      })
  )

  it.scopedLive(
    "a stop that races a wake ends stopped, with no process and no death, whoever is first",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace({ process: { ready: { alive: "0ms" } } })
        const hub = yield* hubIn(folder)
        const launch = { process: { args: ["sleep", "1000"] } }
        const race = (personality: string) =>
          Effect.gen(function* () {
            const presence = `process-${personality}`
            yield* register(hub, personality, [], { launch })
            let since = 0
            for (let n = 0; n < 25; n++) {
              const stop = tell(hub, presence, { type: "StopPresence" })
              const wake = Effect.ignore(tell(hub, presence, { type: "WakePresence" }))
              // Once at the same instant, once at every step on the way to a session.
              yield* n % 4 === 0
                ? Effect.all([stop, wake], { concurrency: "unbounded" })
                : Effect.zipRight(wake, Effect.zipRight(Effect.sleep((n % 4) * 3), stop))
              yield* awaitState(hub, presence, "stopped", since)
              since = (yield* tell(hub, presence, { type: "StartPresence" })).state.offset
            }
            const events = yield* eventsOf(hub, `presence/${presence}`)
            expect(events.filter(({ data }) => data.death === true)).toEqual([])
            const ended = events.filter(({ type }) => type === "SessionEnded")
            expect(ended.every(({ data }) => data.reason === "stop" && data.initiator === "operator")).toBe(
              true
            )
            expect(ended.length).toBe(events.filter(({ type }) => type === "WakeModeChosen").length)
          })
        const personalities = Array.from({ length: 8 }, (_, n) => `b${n}`)
        yield* Effect.forEach(personalities, race, { concurrency: "unbounded", discard: true })
        const root = hub.parts.sessionsRoot
        expect(findByArgument((argument) => argument.startsWith(root))).toEqual([])
      }),
    patienceMs
  )

  it.scopedLive("a namesake of a removed peer inherits nothing", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ peers: { restart: { first: "10ms" } } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", ["exit=7"])
      yield* write(hub, "b", "m1", "never heard", { topic: "t" })
      yield* awaitState(hub, b, "crashLoop")
      yield* write(hub, "b", "m2", "never heard either", { topic: "t" })
      yield* tell(hub, b, { type: "StopPresence" })
      const { system, peerKind, presenceKind } = hub.parts
      yield* system.send(peerKind, "b", { type: "RemovePeer" }, { by: "test" })
      const failed = yield* awaitPresence(hub, b, "MessageFailed", { messageId: "m2" })
      expect(failed.data.reason).toBe("removed")
      const retired = yield* awaitState(hub, b, "undeclared")
      yield* awaitEvent(hub, ({ type }) => type === "PeerRemoved")
      expect(presenceKind.index.get(b)).toBeUndefined()
      yield* register(hub, "b")
      yield* write(hub, "b", "m3", "hello", { topic: "t" })
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m3" })
      const chosen = yield* awaitPresence(hub, b, "WakeModeChosen", {}, retired.offset)
      expect(chosen.data).toMatchObject({ mode: "fresh", cause: "first-wake" })
      expect(bodiesOf(folder, "b")).toEqual(["hello"])
      const removed = (yield* eventsOf(hub, "peer/b")).find(({ type }) => type === "PeerRemoved")
      expect(removed?.data).toEqual({ sessionsEnded: 0, messagesFailed: 1 })
    })
  )

  it.scopedLive("a removal by force ends what runs, fails what waits and says so", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ process: { confirm_within: "5s" } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b", ["no-ack"], { restart: "always" })
      yield* write(hub, "b", "m1")
      yield* write(hub, "b", "m2")
      yield* awaitPresence(hub, b, "DeliveryAttempted")
      const { system, peerKind } = hub.parts
      const live = yield* Effect.exit(system.send(peerKind, "b", { type: "RemovePeer" }, { by: "test" }))
      expect(JSON.stringify(live)).toContain("RefusedLive")
      yield* system.send(peerKind, "b", { type: "RemovePeer", force: true }, { by: "test" })
      yield* awaitState(hub, b, "undeclared")
      const removed = yield* awaitEvent(hub, ({ type }) => type === "PeerRemoved")
      expect(removed.data).toEqual({ sessionsEnded: 1, messagesFailed: 2 })
      expect((yield* typesOf(hub, b)).filter((type) => type === "WakeModeChosen")).toHaveLength(1)
      const [{ pid = 0 } = {}] = notesOf(folder, "b")
      expect(() => process.kill(pid, 0)).toThrow()
    })
  )

  it.scopedLive("five renewals in a row are five fresh sessions, no death and no hold", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      let after = 0
      for (let n = 0; n < 5; n++) {
        yield* tell(hub, b, { type: "RenewPresence" })
        const chosen = yield* awaitPresence(hub, b, "WakeModeChosen", {}, after)
        expect(chosen.data).toMatchObject({ mode: "fresh", cause: "renew" })
        after = (yield* awaitState(hub, b, "live.waiting", chosen.offset)).offset
      }
      expect(notesOf(folder, "b").filter(({ started }) => started)).toHaveLength(5)
      const events = yield* eventsOf(hub, `presence/${b}`)
      expect(events.filter(({ data }) => data.death === true)).toEqual([])
    })
  )

  it.scopedLive("a hold outlives the hub, until its time", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ peers: { restart: { first: "10ms" }, crash_loop: { window: "8s" } } })
      const held = yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = yield* hubIn(folder)
          yield* register(hub, "b", ["exit=7"])
          yield* write(hub, "b", "m1")
          const loop = yield* awaitState(hub, b, "crashLoop")
          yield* write(hub, "b", "m2")
          return loop
        })
      )
      const hub = yield* hubIn(folder)
      const cleared = yield* awaitPresence(hub, b, "CrashLoopCleared")
      expect(cleared).toMatchObject({ state: "waking.deciding", data: { by: "deadline" } })
      expect(cleared.at).toBeGreaterThanOrEqual(held.data.heldUntil as number)
    })
  )
})
