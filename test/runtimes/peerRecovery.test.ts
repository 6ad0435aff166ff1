/** What a hub finds when it comes back, at every step on the way into a session and out of it (contracts: peers 4, scenarios 10, 11, 13). */
import { spawn } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { HubHandle } from "../../src/hub/startHub.js"
import { bootId, isRunning, nameProcess } from "../../src/runtimes/ProcessTable.js"
import { SessionFolder } from "../../src/runtimes/SessionFolder.js"
import {
  awaitEvent,
  awaitPresence,
  awaitState,
  bodiesOf,
  eventsOf,
  hubIn,
  register,
  tell,
  typesOf,
  workspace,
  write
} from "../support/peerHubs.js"

const b = "process-b"
const patienceMs = 60_000

/** Hubs on one workspace, one after the other. */
const boot = (folder: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const hub = yield* Scope.extend(hubIn(folder), scope)
    return { hub, close: Scope.close(scope, Exit.void) }
  })

/** A process that has nothing to do with any peer. */
const stranger = Effect.acquireRelease(
  Effect.sync(() => spawn("sleep", ["1000"], { stdio: "ignore" })),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)

const folderOf = ({ parts }: HubHandle, sessionId: unknown) =>
  new SessionFolder(parts.sessionsRoot, String(sessionId))

const killGroup = (pid: unknown) => process.kill(-Number(pid), "SIGKILL")

describe("a hub that comes back", { timeout: patienceMs }, () => {
  it.scopedLive("takes a pid for its session's only if that process is the session's", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const first = yield* boot(folder)
      yield* register(first.hub, "b", ["ready=60000"])
      yield* tell(first.hub, b, { type: "WakePresence" })
      const spawned = yield* awaitPresence(first.hub, b, "SessionSpawned")
      yield* first.close
      killGroup(spawned.data.pid)
      const other = yield* stranger
      const session = folderOf(first.hub, spawned.data.sessionId)
      rmSync(session.file("exit"), { force: true })
      writeFileSync(session.file("pid"), String(other.pid))
      const next = yield* boot(folder)
      const ended = yield* awaitPresence(next.hub, b, "SessionEnded")
      expect(ended.data).toMatchObject({
        code: null,
        signal: null,
        initiator: "unknown",
        detectedBy: "reconcile",
        death: true
      })
      expect(other.exitCode).toBeNull()
      expect(nameProcess(Number(other.pid))).toBeDefined()
      yield* next.close
    })
  )

  it("knows a process by its start and the machine's, not by its pid alone", () => {
    const own = nameProcess(process.pid)
    expect(own && isRunning(own)).toBe(true)
    expect(own && isRunning({ ...own, startTime: "1" })).toBe(false)
    expect(own && isRunning({ ...own, bootId: `not ${bootId()}` })).toBe(false)
  })

  it.scopedLive("ends one whose end had begun, once, as whoever wanted it", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ process: { end_grace: "60s" } })
      const first = yield* boot(folder)
      yield* register(first.hub, "b", ["ignore-term"])
      yield* tell(first.hub, b, { type: "WakePresence" })
      yield* awaitState(first.hub, b, "live.waiting")
      const spawned = yield* awaitPresence(first.hub, b, "SessionSpawned")
      yield* tell(first.hub, b, { type: "StopPresence" })
      yield* awaitState(first.hub, b, "ending")
      yield* first.close
      // It went while nobody looked.
      killGroup(spawned.data.pid)
      const next = yield* boot(folder)
      yield* awaitState(next.hub, b, "stopped")
      const ended = (yield* eventsOf(next.hub)).filter(({ type }) => type === "SessionEnded")
      expect(ended.map(({ data }) => [data.reason, data.initiator, data.death, data.detectedBy])).toEqual([
        ["stop", "operator", false, "reconcile"]
      ])
      yield* next.close
    })
  )

  it.scopedLive("does not write again what was in hand, and takes its late answer", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ process: { confirm_within: "60s" } })
      const first = yield* boot(folder)
      yield* register(first.hub, "b", ["no-ack"])
      yield* write(first.hub, "b", "m1")
      yield* awaitPresence(first.hub, b, "DeliveryAttempted")
      yield* awaitGot(folder)
      yield* first.close
      const next = yield* boot(folder)
      yield* awaitState(next.hub, b, "live.delivering")
      yield* tell(next.hub, b, { type: "ConfirmDelivery", messageId: "m1", evidence: "ack" })
      yield* awaitState(next.hub, b, "live.waiting")
      expect(bodiesOf(folder, "b")).toEqual(["hello"])
      expect((yield* typesOf(next.hub, b)).filter((type) => type === "DeliveryAttempted")).toHaveLength(1)
      yield* next.close
    })
  )

  it.scopedLive("keeps down what was stopped, and brings up what is always on, message and all", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ peers: { restart: { first: "500ms" } } })
      const first = yield* boot(folder)
      yield* register(first.hub, "b", [], { restart: "always" })
      yield* register(first.hub, "off", [], { restart: "always" })
      yield* awaitState(first.hub, "process-off", "live.waiting")
      yield* tell(first.hub, "process-off", { type: "StopPresence" })
      yield* awaitState(first.hub, "process-off", "stopped")
      const live = yield* awaitState(first.hub, b, "live.waiting")
      killGroup((yield* awaitPresence(first.hub, b, "SessionSpawned")).data.pid)
      const restarting = yield* awaitState(first.hub, b, "restarting", live.offset)
      yield* write(first.hub, "b", "m1", "waits")
      yield* first.close
      const next = yield* boot(folder)
      yield* awaitPresence(next.hub, b, "DeliveryConfirmed", { messageId: "m1" }, restarting.offset)
      expect((yield* eventsOf(next.hub, "presence/process-off")).at(-1)?.state).toBe("stopped")
      yield* tell(next.hub, "process-off", { type: "StartPresence" })
      yield* awaitState(next.hub, "process-off", "live.waiting", restarting.offset)
      const { system, peerKind } = next.hub.parts
      yield* system.send(peerKind, "b", { type: "RemovePeer", force: true }, { by: "test" })
      const removed = yield* awaitEvent(next.hub, ({ type }) => type === "PeerRemoved")
      yield* next.close
      const last = yield* boot(folder)
      yield* tell(last.hub, "process-off", { type: "StopPresence" })
      yield* awaitState(last.hub, "process-off", "stopped", removed.offset)
      const after = (yield* eventsOf(last.hub, `presence/${b}`)).filter(
        ({ offset }) => offset > removed.offset
      )
      expect(after).toEqual([])
      yield* last.close
    })
  )
})

const awaitGot = (folder: string): Effect.Effect<void> =>
  Effect.suspend(() => (bodiesOf(folder, "b").length > 0 ? Effect.void : Effect.delay(awaitGot(folder), 20)))
