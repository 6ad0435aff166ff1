import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HubHandle } from "../../src/hub/startHub.js"
import { findByArgument } from "../../src/runtimes/ProcessTable.js"
import {
  agent,
  awaitPresence,
  awaitState,
  eventsOf,
  hubIn,
  register,
  tell,
  workspace,
  write
} from "../support/peerHubs.js"

interface Answer {
  readonly status: number
  readonly body: { readonly [key: string]: unknown }
}

const ask = (
  hub: HubHandle,
  method: string,
  path: string,
  body?: unknown,
  headers: { readonly [name: string]: string } = {}
): Effect.Effect<Answer> =>
  Effect.promise(async () => {
    const response = await fetch(`${hub.url}${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    return { status: response.status, body: (await response.json()) as Answer["body"] }
  })

const folderFor = (folder: string, name: string): string => {
  mkdirSync(join(folder, name), { recursive: true })
  return join(folder, name)
}

const launch = { process: { args: [process.execPath, agent] } }

/** A live session's token. */
const tokenOf = (hub: HubHandle, sessionId: unknown): string =>
  readFileSync(join(hub.parts.sessionsRoot, String(sessionId), "token"), "utf8")
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe("the routes of peers", () => {
  it.scopedLive("register, show, amend and remove a peer", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      const cwd = folderFor(folder, "b")
      const body = { personality: "b", cwd, launch, description: "d".repeat(451) }
      const made = yield* ask(hub, "POST", "/peers", body)
      expect(made).toMatchObject({
        status: 201,
        body: { truncated: true, peer: { description: "d".repeat(450) } }
      })
      const amended = yield* ask(hub, "PATCH", "/peers/b", { description: "short" })
      expect(amended).toMatchObject({ status: 200, body: { peer: { description: "short" } } })
      const list = yield* ask(hub, "GET", "/registry?kind=peer")
      expect(list.body.rows).toMatchObject([{ personality: "b", cwd }])
      expect(yield* ask(hub, "DELETE", "/peers/b")).toMatchObject({
        status: 200,
        body: { action: "removed" }
      })
      expect(yield* ask(hub, "DELETE", "/peers/b")).toMatchObject({ status: 200, body: { action: "absent" } })
      expect((yield* ask(hub, "GET", "/peers/b")).status).toBe(404)
      const before = yield* ask(hub, "GET", `/peers/b?at=${Number(made.body.offset)}`)
      expect(before).toMatchObject({ status: 200, body: { personality: "b" } })
    })
  )

  it.scopedLive("refuse what is malformed or too large, and append nothing for it", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      yield* awaitPresence(hub, "process-b", "PresenceDeclared")
      const { length } = yield* eventsOf(hub)
      const status = (method: string, path: string, body: unknown) =>
        Effect.map(ask(hub, method, path, body), (answer) => answer.status)
      const cwd = folderFor(folder, "x")
      expect(yield* status("POST", "/peers", { personality: "Boris", cwd, launch })).toBe(400)
      expect(yield* status("POST", "/peers", { personality: "hub", cwd, launch })).toBe(409)
      expect(yield* status("POST", "/peers", { personality: "x", cwd: "relative", launch })).toBe(409)
      expect(yield* status("POST", "/peers", { personality: "x", cwd, runtimes: ["a-b"] })).toBe(400)
      expect(yield* status("POST", "/peers", { personality: "x", cwd, runtimes: ["ab"] })).toBe(409)
      expect(yield* status("POST", "/messages", { to: "b", body: "x".repeat(16_001) })).toBe(413)
      expect(yield* status("POST", "/messages", { to: "b", body: "x", topic: "t".repeat(201) })).toBe(400)
      expect(yield* status("POST", "/messages", { to: "b", body: "" })).toBe(400)
      expect(yield* status("POST", "/messages", { to: "nobody", body: "x" })).toBe(404)
      expect(yield* status("POST", "/messages", { to: "b", body: "x", from: "process-nobody" })).toBe(403)
      expect(yield* status("POST", "/peers/nobody/wake", {})).toBe(404)
      expect(yield* eventsOf(hub)).toHaveLength(length)
    })
  )

  it.scopedLive(
    "wake and stop, waiting as long as they are told, and give a repeated key the first answer",
    () =>
      Effect.gen(function* () {
        const hub = yield* hubIn(yield* workspace())
        yield* register(hub, "b")
        const woken = yield* ask(
          hub,
          "POST",
          "/peers/b/wake?wait=20000",
          { topic: "t" },
          { "idempotency-key": "k1" }
        )
        expect(woken).toMatchObject({
          status: 200,
          body: {
            outcomes: [
              { personality: "b", runtime: "process", action: "live", mode: "fresh", cause: "first-wake" }
            ]
          }
        })
        const stopped = yield* ask(hub, "POST", "/peers/b/stop?wait=20000", {}, { "idempotency-key": "k2" })
        expect(stopped.body).toMatchObject({ outcomes: [{ action: "stopped" }] })
        yield* ask(hub, "POST", "/peers/b/start", {})
        const c = { personality: "c", cwd: folderFor(hub.parts.settings.workspace, "c"), launch }
        const registered = yield* ask(hub, "POST", "/peers", c, { "idempotency-key": "k3" })
        yield* awaitPresence(hub, "process-c", "PresenceDeclared")
        const { length } = yield* eventsOf(hub)
        expect((yield* ask(hub, "POST", "/peers", c, { "idempotency-key": "k3" })).body.offset).toBe(
          registered.body.offset
        )
        yield* ask(hub, "POST", "/peers/b/wake", { topic: "t" }, { "idempotency-key": "k1" })
        yield* ask(hub, "POST", "/peers/b/stop", {}, { "idempotency-key": "k2" })
        expect(yield* eventsOf(hub)).toHaveLength(length)
      })
  )
})

describe("the routes of messages", () => {
  it.scopedLive("take the same message twice as one, and another under its id not at all", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const message = { to: "b", body: "hello", messageId: "m1" }
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = yield* hubIn(folder)
          yield* register(hub, "b")
          return yield* ask(hub, "POST", "/messages?wait=20000", message)
        })
      )
      expect(first).toMatchObject({
        status: 200,
        body: { state: "confirmed", evidence: "ack", to: "process-b" }
      })
      const hub = yield* hubIn(folder)
      const again = yield* ask(hub, "POST", "/messages?wait=20000", { ...message, to: "process-b" })
      expect(again.body).toMatchObject({
        messageId: "m1",
        offset: first.body.offset,
        sentAt: first.body.sentAt
      })
      const other = yield* ask(hub, "POST", "/messages", { ...message, body: "other" })
      expect(other).toMatchObject({ status: 409, body: { _tag: "MessageIdReused" } })
      const accepted = (yield* eventsOf(hub)).filter(({ type }) => type === "MessageAccepted")
      expect(accepted).toHaveLength(1)
      const shown = yield* ask(hub, "GET", "/messages/m1")
      expect(shown.body).toMatchObject({
        body: "hello",
        sender: { personality: "operator" },
        attempts: [{ attempt: 1 }]
      })
      expect((yield* ask(hub, "GET", "/messages?to=b&state=confirmed")).body.rows).toMatchObject([
        { messageId: "m1" }
      ])
    })
  )

  it.scopedLive("believe a session's token and nothing that disagrees with it", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "a", ["no-ack"])
      yield* register(hub, "b")
      yield* write(hub, "a", "m1")
      const spawned = yield* awaitPresence(hub, "process-a", "SessionSpawned")
      yield* awaitPresence(hub, "process-a", "DeliveryAttempted")
      const token = bearer(tokenOf(hub, spawned.data.sessionId))
      const send = (headers: { readonly [name: string]: string }, more: object = {}) =>
        ask(hub, "POST", "/messages", { to: "b", body: "x", ...more }, headers)
      const asA = yield* send(token)
      expect(asA.status).toBe(202)
      const shown = yield* ask(hub, "GET", `/messages/${asA.body.messageId}`)
      expect(shown.body.from).toBe("process-a")
      const header = (identity: string) => ({ "x-iapeer-identity": identity })
      expect((yield* send({ ...token, ...header("process-b") })).status).toBe(403)
      expect((yield* send(token, { from: "process-b" })).status).toBe(403)
      expect((yield* send({ ...bearer("dummy"), ...header("process-a") })).status).toBe(202)
      expect((yield* send(header("process-nobody"))).status).toBe(403)
      expect((yield* send(header("claude-a"))).status).toBe(403)
      expect((yield* send(header("nonsense"))).status).toBe(403)
      expect((yield* send(bearer("dummy"))).status).toBe(403)
      expect((yield* ask(hub, "POST", "/messages/m1/ack", {}, bearer("dummy"))).status).toBe(403)
      expect((yield* ask(hub, "POST", "/messages/m1/ack", {}, header("process-b"))).status).toBe(403)
      expect((yield* ask(hub, "POST", "/messages/m1/ack", {}, token)).body).toEqual({
        messageId: "m1",
        state: "confirmed"
      })
      expect((yield* ask(hub, "GET", "/registry?kind=peer", undefined, token)).body.rows).toMatchObject([
        { personality: "a", cwd: null, launch: null },
        { personality: "b", cwd: null, launch: null }
      ])
      const stopped = yield* ask(hub, "POST", "/peers/b/stop?wait=20000", {}, token)
      expect(stopped.status).toBe(200)
      expect((yield* ask(hub, "DELETE", "/peers/b", undefined, token)).status).toBe(403)
      yield* tell(hub, "process-a", { type: "StopPresence" })
      yield* awaitState(hub, "process-a", "stopped")
      expect((yield* send(token)).status).toBe(403)
      const secret = token.authorization.slice("Bearer ".length)
      expect(findByArgument((argument) => argument.includes(secret))).toEqual([])
      const logs = join(hub.parts.settings.stateDir, "logs")
      for (const name of readdirSync(logs)) {
        expect(readFileSync(join(logs, name), "utf8").includes(secret), name).toBe(false)
      }
      expect((yield* eventsOf(hub)).some(({ json }) => json.includes(secret))).toBe(false)
    })
  )

  it.scopedLive("tell a peer by a message of the hub what its call could not, and wake nobody for it", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({
        peers: { queue: { max_attempts: 1 } },
        process: { confirm_within: "50ms" }
      })
      const hub = yield* hubIn(folder)
      yield* register(hub, "a")
      yield* register(hub, "asleep")
      yield* register(hub, "mute", ["no-ack"])
      yield* tell(hub, "process-a", { type: "WakePresence" })
      yield* awaitState(hub, "process-a", "live.waiting")
      const send = (from: string, messageId: string, wait = 0) =>
        ask(
          hub,
          "POST",
          `/messages?wait=${wait}`,
          { to: "mute", body: "x", messageId },
          { "x-iapeer-identity": `process-${from}` }
        )
      // Who waits is told by the answer.
      expect((yield* send("a", "m1", 30_000)).body.state).toBe("unconfirmed")
      yield* send("asleep", "m2")
      yield* awaitPresence(hub, "process-mute", "DeliveryUnconfirmed", { messageId: "m2" })
      yield* send("a", "m3")
      const notice = yield* awaitPresence(hub, "process-a", "DeliveryConfirmed", { messageId: "notice:m3" })
      const accepted = (yield* eventsOf(hub)).filter(
        ({ type, data }) => type === "MessageAccepted" && String(data.messageId).startsWith("notice:")
      )
      expect(accepted.map(({ stream, data }) => [stream, data.messageId, data.replyTo])).toEqual([
        ["presence/process-a", "notice:m3", "m3"]
      ])
      expect(accepted[0]?.data).toMatchObject({
        from: { personality: "hub" },
        body: "your message m3 to process-mute may have been seen: there is no evidence"
      })
      expect(notice.offset).toBeGreaterThan(0)
      const asleep = yield* eventsOf(hub, "presence/process-asleep")
      expect(asleep.at(-1)?.state).toBe("asleep.neverRun")
    })
  )

  it.scopedLive("let a session begin anew by its own token, without a death", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "a")
      yield* tell(hub, "process-a", { type: "WakePresence" })
      const live = yield* awaitState(hub, "process-a", "live.waiting")
      const spawned = yield* awaitPresence(hub, "process-a", "SessionSpawned")
      const token = bearer(tokenOf(hub, spawned.data.sessionId))
      expect((yield* ask(hub, "POST", "/sessions/self/fresh", {}, token)).status).toBe(202)
      const ended = yield* awaitPresence(hub, "process-a", "SessionEnded", {}, live.offset)
      expect(ended.data).toMatchObject({ reason: "self-fresh", initiator: "self", death: false })
      yield* awaitState(hub, "process-a", "live.waiting", ended.offset)
      const chosen = yield* awaitPresence(hub, "process-a", "WakeModeChosen", {}, ended.offset)
      expect(chosen.data).toMatchObject({ mode: "fresh", cause: "eager-fresh" })
      expect((yield* ask(hub, "POST", "/sessions/self/fresh", {})).status).toBe(403)
    })
  )
})
