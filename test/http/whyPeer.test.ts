/** `why` names the events that each decision was made from (contracts: peers 3.3, scenario 21 of 8). */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { PeerCommand } from "../../src/actors/peer/PeerCommand.js"
import type { HubHandle } from "../../src/hub/startHub.js"
import {
  awaitPresence,
  awaitState,
  eventsOf,
  hubIn,
  register,
  tell,
  workspace,
  write
} from "../support/peerHubs.js"

const b = "process-b"
const patienceMs = 60_000

interface Why {
  readonly decision: {
    readonly row: string
    readonly data: { readonly cause: string; readonly mode: string; readonly basis: ReadonlyArray<number> }
    readonly basis: ReadonlyArray<{ readonly offset: number; readonly type: string }>
  }
}

const why = (hub: HubHandle, name = "b"): Effect.Effect<Why["decision"]> =>
  Effect.promise(async () => {
    const { decision } = (await (await fetch(`${hub.url}/peers/${name}/why`)).json()) as Why
    return decision
  })

const headOf = (hub: HubHandle) => Effect.map(eventsOf(hub), (events) => events.at(-1)?.offset ?? 0)

/** Ends the session in good order, by a stop that is taken back. */
const park = (hub: HubHandle) =>
  Effect.gen(function* () {
    const { state } = yield* tell(hub, b, { type: "StopPresence" })
    yield* awaitState(hub, b, "stopped", state.offset - 1)
    yield* tell(hub, b, { type: "StartPresence" })
  })

const amend = (hub: HubHandle, changes: Omit<Extract<PeerCommand, { type: "AmendPeer" }>, "type">) =>
  Effect.gen(function* () {
    const after = yield* headOf(hub)
    const { system, peerKind } = hub.parts
    yield* system.send(peerKind, "b", { type: "AmendPeer", ...changes }, { by: "test" })
    yield* awaitPresence(hub, b, "PresenceDeclared", {}, after)
  })

describe("GET /peers/:personality/why", { timeout: patienceMs }, () => {
  it.scopedLive("tells for each cause of a start from which events it follows", () =>
    Effect.gen(function* () {
      const folder = yield* workspace({ process: { resume_argv: ["/usr/bin/env"] } })
      const hub = yield* hubIn(folder)
      yield* register(hub, "b")
      let sent = 0
      const say = (topic?: string, body = "hello") =>
        write(hub, "b", `m${++sent}`, body, topic === undefined ? {} : { topic })
      const told: Array<readonly [cause: string, mode: string, ...basis: ReadonlyArray<string>]> = []
      /** What was decided when this had happened. */
      const when = (happens: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function* () {
          const head = yield* headOf(hub)
          yield* Effect.orDie(happens)
          const chosen = yield* awaitPresence(hub, b, "WakeModeChosen", {}, head)
          yield* awaitState(hub, b, "live.waiting", chosen.offset)
          const { data, basis } = yield* why(hub)
          expect(basis.map(({ offset }) => offset)).toEqual(data.basis)
          expect(basis.every(({ offset }) => offset < chosen.offset)).toBe(true)
          told.push([data.cause, data.mode, ...basis.map(({ type }) => type)])
        })

      yield* when(say("t"))
      yield* park(hub)
      yield* when(say("t"))
      yield* park(hub)
      yield* when(say("u"))
      yield* park(hub)
      yield* when(say())
      yield* park(hub)
      yield* when(tell(hub, b, { type: "WakePresence", intent: "fresh" }))
      yield* park(hub)
      yield* when(tell(hub, b, { type: "WakePresence", intent: "resume" }))
      yield* tell(hub, b, { type: "RefreshPresence" })
      yield* park(hub)
      yield* when(say("t"))
      yield* when(tell(hub, b, { type: "RenewPresence" }))
      const spawned = (yield* eventsOf(hub, `presence/${b}`)).findLast(
        ({ type }) => type === "SessionSpawned"
      )
      yield* when(tell(hub, b, { type: "SelfFresh", sessionId: String(spawned?.data.sessionId) }))
      const beforeEnd = yield* headOf(hub)
      yield* say("t", "bye")
      yield* awaitState(hub, b, "asleep.gone", beforeEnd)
      yield* when(say("t"))
      yield* amend(hub, { resume: "always" })
      yield* park(hub)
      yield* when(say("v"))
      yield* amend(hub, { resume: "never" })
      yield* park(hub)
      yield* when(say("v"))
      yield* amend(hub, { wake: "ephemeral" })
      yield* park(hub)
      yield* when(say("v"))

      expect(told).toEqual([
        ["first-wake", "fresh", "PresenceDeclared"],
        [
          "idle-reaped-resume",
          "resume",
          "SessionEnded",
          "MessageAccepted",
          "DeliveryAttempted",
          "SessionReady"
        ],
        ["idle-reaped-new-topic", "fresh", "SessionEnded", "MessageAccepted"],
        ["idle-reaped-no-topic", "fresh", "SessionEnded", "MessageAccepted"],
        ["operator-fresh", "fresh", "WakeRequested"],
        ["attach", "resume", "WakeRequested", "SessionReady"],
        ["soft-reload", "fresh", "FreshNextArmed"],
        ["renew", "fresh", "SessionEndRequested"],
        ["eager-fresh", "fresh", "SessionEndRequested"],
        ["crash-or-self-close", "fresh", "SessionEnded"],
        ["idle-reaped-human", "resume", "SessionEnded", "SessionReady"],
        ["idle-reaped-no-resume", "fresh", "SessionEnded"],
        ["ephemeral-policy", "fresh", "PresenceDeclared", "MessageAccepted"]
      ])
    })
  )

  it.scopedLive("tells of people whose session cannot be gone on with", () =>
    Effect.gen(function* () {
      const hub = yield* hubIn(yield* workspace())
      yield* register(hub, "b", [], { resume: "always" })
      yield* write(hub, "b", "m1")
      yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m1" })
      yield* park(hub)
      const head = yield* headOf(hub)
      yield* write(hub, "b", "m2")
      yield* awaitPresence(hub, b, "WakeModeChosen", {}, head)
      const { data, row, basis } = yield* why(hub)
      expect([data.cause, data.mode, row[0], basis.map(({ type }) => type)]).toEqual([
        "idle-reaped-human-no-resume",
        "fresh",
        "9",
        ["SessionEnded"]
      ])
    })
  )
})
