/** Leases that are bound to a presence, by real hubs and real sessions (contracts: ledger 3.3, scenario 10 of 8). */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { ActorKind } from "../../src/actors/ActorKind.js"
import type { ClaimCommand } from "../../src/actors/claim/ClaimCommand.js"
import type { Offset } from "../../src/events/Event.js"
import { boundClaims } from "../../src/hub/boundClaims.js"
import type { HubHandle } from "../../src/hub/startHub.js"
import {
  awaitEvent,
  awaitPresence,
  awaitState,
  eventsOf,
  hubIn,
  register,
  tell,
  workspace
} from "../support/peerHubs.js"

const b = "process-b"
const presence = `presence/${b}`

const send = ({ parts }: HubHandle, id: string, command: ClaimCommand) =>
  Effect.orDie(parts.system.send(parts.claimKind, id, command, { by: "test" }))

const publish = (hub: HubHandle, id: string) =>
  send(hub, id, {
    type: "DepositPheromone",
    record: { id, stanceTarget: "s", baseIntensity: 1, decayRate: 0 }
  })

/** A mark that peer b holds for as long as its session lives; answers with the token. */
const bindClaim = (hub: HubHandle, id: string) =>
  Effect.gen(function* () {
    yield* publish(hub, id)
    const { state } = yield* send(hub, id, {
      type: "ClaimWork",
      peer: b,
      boundTo: presence,
      graceMs: 3_600_000
    })
    return state.offset as Offset
  })

const awaitClaim = (hub: HubHandle, id: string, type: string) =>
  awaitEvent(hub, (event) => event.stream === `claim/${id}` && event.type === type)

const wake = (hub: HubHandle, after = 0) =>
  Effect.zipRight(tell(hub, b, { type: "WakePresence" }), awaitState(hub, b, "live.waiting", after))

const typesOf = (hub: HubHandle, id: string) =>
  Effect.map(eventsOf(hub, `claim/${id}`), (events) => events.map(({ type }) => type))

/** Ends the session's process as if it had crashed. */
const crash = (hub: HubHandle) =>
  Effect.map(awaitPresence(hub, b, "SessionSpawned"), ({ data }) =>
    process.kill(-Number(data.pid), "SIGKILL")
  )

describe("a lease that is bound to a presence", () => {
  it.scopedLive("is kept by its session, and gets its grace when that is parked", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b")
      yield* wake(hub)
      const token = yield* bindClaim(hub, "a")
      yield* tell(hub, b, { type: "StopPresence" })
      const graced = yield* awaitClaim(hub, "a", "ClaimGraceStarted")
      expect(graced.data).toEqual({ token, cause: "presence" })
      const ended = yield* awaitPresence(hub, b, "SessionEnded", { disposition: "parked" })
      expect([graced.by, graced.causation]).toEqual(["reflex:bound-claims", ended.offset])
      // The next session does not inherit it in silence, but may go on with it.
      yield* tell(hub, b, { type: "StartPresence" })
      yield* wake(hub, ended.offset)
      yield* send(hub, "a", { type: "RenewClaim", token })
      expect(yield* typesOf(hub, "a")).toEqual([
        "PheromoneDeposited",
        "ClaimGranted",
        "ClaimGraceStarted",
        "ClaimRenewed"
      ])
    })
  )

  it.scopedLive("ends at once when its session is gone, and no other does", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b")
      yield* wake(hub)
      const token = yield* bindClaim(hub, "a")
      yield* publish(hub, "timed")
      yield* send(hub, "timed", { type: "ClaimWork", peer: b })
      yield* crash(hub)
      const revoked = yield* awaitClaim(hub, "a", "ClaimRevoked")
      expect([revoked.state, revoked.data]).toEqual([
        "open",
        { token, reason: `the session of ${presence} has ended: exit` }
      ])
      expect(yield* typesOf(hub, "timed")).toEqual(["PheromoneDeposited", "ClaimGranted"])
    })
  )

  it.scopedLive("ends also when the end of its session is only found at the next start", () =>
    Effect.gen(function* () {
      const folder = yield* workspace()
      const first = yield* Scope.make()
      const hub = yield* Scope.extend(hubIn(folder), first)
      yield* register(hub, "b")
      yield* wake(hub)
      yield* bindClaim(hub, "a")
      const { data } = yield* awaitPresence(hub, b, "SessionSpawned")
      yield* Scope.close(first, Exit.void)
      process.kill(-Number(data.pid), "SIGKILL")
      const next = yield* hubIn(folder)
      const revoked = yield* awaitClaim(next, "a", "ClaimRevoked")
      const ended = yield* awaitPresence(next, b, "SessionEnded", { detectedBy: "reconcile" })
      expect(revoked.causation).toBe(ended.offset)
    })
  )

  it.scopedLive("is what a session gets that claims for itself and asks for no time", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b")
      yield* wake(hub)
      const { data } = yield* awaitPresence(hub, b, "SessionSpawned")
      const sessionId = String(data.sessionId)
      const token = readFileSync(join(hub.parts.sessionsRoot, sessionId, "token"), "utf8")
      const post = (path: string, body: object) =>
        Effect.promise(async () => {
          const headers = { Authorization: `Bearer ${token}` }
          const request = { method: "POST", headers, body: JSON.stringify(body) }
          return (await (await fetch(`${hub.url}${path}`, request)).json()) as Record<string, unknown>
        })
      for (const id of ["a", "timed", "other"]) yield* publish(hub, id)
      expect(yield* post("/claims/a/claim", {})).toMatchObject({ ttlMs: null, boundTo: presence })
      expect(yield* post("/claims/timed/claim", { peer: b, ttlMs: 5_000 })).toMatchObject({
        ttlMs: 5_000,
        boundTo: null
      })
      // Where nobody asks for tokens it may still act for others.
      expect(yield* post("/claims/other/claim", { peer: "bob" })).toMatchObject({ boundTo: null })
      const granted = yield* eventsOf(hub, "claim/a")
      expect(granted.at(-1)).toMatchObject({ by: b, data: { peer: b, instance: sessionId } })
    })
  )

  it.scopedLive("is refused while that presence is not live", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b")
      yield* publish(hub, "a")
      const { system, claimKind } = hub.parts
      const command = { type: "ClaimWork", peer: b, boundTo: presence } as const
      const refused = yield* Effect.flip(system.send(claimKind as ActorKind, "a", command, { by: "test" }))
      expect(refused.reason).toEqual({ _tag: "PresenceNotLive", presence })
    })
  )

  it.scopedLive("is left alone by an end that came before it", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b")
      yield* wake(hub)
      const token = yield* bindClaim(hub, "a")
      const [granted] = (yield* eventsOf(hub, "claim/a")).slice(-1)
      const { rule } = boundClaims(hub.parts.claimKind, hub.parts.projector.read)
      const endAt = (offset: number, at: number, ready = true) => {
        const ended = { stream: presence, offset, at, data: { ready, disposition: "gone", reason: "exit" } }
        const ruled = rule({ ...granted, ...ended } as never)
        return Effect.isEffect(ruled) ? ruled : Effect.succeed(ruled)
      }
      const at = granted?.at ?? 0
      const ids = (found: ReadonlyArray<{ readonly id: string }>) => found.map(({ id }) => id)
      expect(ids(yield* endAt(token - 1, at))).toEqual([])
      expect(ids(yield* endAt(token + 1, at - 1))).toEqual([])
      expect(ids(yield* endAt(token + 1, at, false))).toEqual([])
      expect(ids(yield* endAt(token + 1, at))).toEqual(["a"])
    })
  )
})
