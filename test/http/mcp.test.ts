import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { call, clientOf } from "../support/mcpClient.js"
import {
  awaitPresence,
  awaitState,
  bodiesOf,
  eventsOf,
  hubIn,
  register,
  tell,
  workspace
} from "../support/peerHubs.js"

const patienceMs = 120_000
const asA = { "x-iapeer-identity": "process-a" }

describe("POST /mcp", () => {
  it.scopedLive("lets an agent write to others, live or asleep, and says what became of it", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const hub = yield* hubIn(folder)
      yield* register(hub, "a")
      yield* register(hub, "b", [], { description: "listens" })
      const client = yield* clientOf(hub, asA)
      const { tools } = yield* Effect.promise(() => client.listTools())
      expect(tools.map(({ name }) => name)).toEqual([
        "send_to_peer",
        "list_peers",
        "deposit",
        "claim_next",
        "renew",
        "complete",
        "trigger_workflow",
        "run_status"
      ])
      expect(tools[0]?.inputSchema).toMatchObject({
        type: "object",
        required: ["personality", "message"],
        additionalProperties: false
      })
      const asleep = yield* call(client, "send_to_peer", { personality: "b", message: "wake up" })
      expect(asleep.structuredContent).toMatchObject({
        ok: true,
        delivered_to: { personality: "b", runtime: "process" },
        woke: true,
        state: "confirmed"
      })
      expect(JSON.parse(asleep.content[0]?.text ?? "")).toEqual(asleep.structuredContent)
      const live = yield* call(client, "send_to_peer", { personality: "b", message: "again", topic: "t" })
      expect(live.structuredContent).toMatchObject({ ok: true, woke: false })
      expect(bodiesOf(folder, "b")).toEqual(["wake up", "again"])
      const accepted = yield* awaitPresence(hub, "process-b", "MessageAccepted")
      expect(accepted.data.from).toMatchObject({ personality: "a", runtime: "process" })
      expect(asleep.structuredContent.ts).toBe(accepted.data.sentAt)
      const { structuredContent } = yield* call(client, "list_peers", {})
      expect(structuredContent.peers).toEqual([
        {
          personality: "a",
          runtime: "process",
          runtimes: ["process"],
          description: "",
          intelligence: "artificial",
          status: "asleep"
        },
        {
          personality: "b",
          runtime: "process",
          runtimes: ["process"],
          description: "listens",
          intelligence: "artificial",
          status: "live"
        }
      ])
    })
  )

  it.scopedLive("says which refusal it was, and appends nothing for it", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "a")
      yield* register(hub, "b")
      yield* tell(hub, "process-b", { type: "StopPresence" })
      yield* awaitState(hub, "process-b", "stopped")
      yield* awaitPresence(hub, "process-a", "PresenceDeclared")
      const client = yield* clientOf(hub, asA)
      const { length } = yield* eventsOf(hub)
      const refused = (given: object) =>
        Effect.map(call(client, "send_to_peer", given), ({ isError, structuredContent }) => [
          isError,
          structuredContent._tag
        ])
      expect(yield* refused({ personality: "b", message: "x" })).toEqual([true, "Stopped"])
      expect(yield* refused({ personality: "nobody", message: "x" })).toEqual([true, "UnknownPeer"])
      expect(yield* refused({ personality: "a", message: "x" })).toEqual([true, "Self"])
      expect(yield* refused({ personality: "b", message: "x", urgent: true })).toEqual([
        true,
        "InvalidCommand"
      ])
      expect(yield* refused({ personality: "b" })).toEqual([true, "InvalidCommand"])
      for (const headers of [
        {},
        { "x-iapeer-identity": "process-nobody" },
        { authorization: "Bearer dummy" }
      ] as const) {
        const other = yield* clientOf(hub, headers as never)
        const answer = yield* call(other, "send_to_peer", { personality: "b", message: "x" })
        expect(answer.isError).toBe(true)
        expect(["NotAllowed", "UnknownSender"]).toContain(answer.structuredContent._tag)
      }
      expect(yield* eventsOf(hub)).toHaveLength(length)
    })
  )

  it.scopedLive("lets a session claim work in its own name, by its token", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "a")
      yield* tell(hub, "process-a", { type: "WakePresence" })
      const spawned = yield* awaitPresence(hub, "process-a", "SessionSpawned")
      yield* awaitState(hub, "process-a", "live.waiting")
      const token = readFileSync(
        join(hub.parts.sessionsRoot, String(spawned.data.sessionId), "token"),
        "utf8"
      )
      const client = yield* clientOf(hub, { authorization: `Bearer ${token}` })
      yield* call(client, "deposit", { id: "job", stanceTarget: "worker", baseIntensity: 1 })
      const grant = yield* call(client, "claim_next", { stances: ["worker"] })
      expect(grant.structuredContent).toMatchObject({ id: "job", attempt: 1 })
      const granted = (yield* eventsOf(hub, "claim/job")).find(({ type }) => type === "ClaimGranted")
      expect(granted?.data).toMatchObject({ peer: "process-a", instance: spawned.data.sessionId })
      const held = { id: "job", token: grant.structuredContent.token }
      expect((yield* call(client, "renew", held)).structuredContent).toMatchObject({ token: held.token })
      expect((yield* call(client, "complete", { ...held, summary: "done" })).structuredContent).toMatchObject(
        { state: "done" }
      )
      expect(yield* call(client, "renew", held)).toMatchObject({
        isError: true,
        structuredContent: { _tag: "StaleToken" }
      })
    })
  )

  it.scopedLive(
    "answers a hundred calls at once, and no other method",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace()
        const hub = yield* hubIn(folder)
        yield* register(hub, "a")
        yield* register(hub, "b")
        const client = yield* clientOf(hub, asA)
        const answers = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, n) => n),
          (n) => call(client, "send_to_peer", { personality: "b", message: String(n) }),
          { concurrency: "unbounded" }
        )
        expect(answers.filter(({ structuredContent }) => structuredContent.ok === true)).toHaveLength(100)
        const last = (yield* eventsOf(hub)).findLast(({ type }) => type === "MessageAccepted")
        yield* awaitPresence(hub, "process-b", "DeliveryConfirmed", { messageId: last?.data.messageId })
        expect(new Set(bodiesOf(folder, "b")).size).toBe(100)
        const get = yield* Effect.promise(() => fetch(`${hub.url}/mcp`))
        expect(get.status).toBe(405)
      }),
    patienceMs
  )
})
