import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, TestClock } from "effect"
import type { ActorSystem } from "../../../src/actors/ActorSystem.js"
import type { Refused } from "../../../src/actors/Refused.js"
import type { ServerCommand } from "../../../src/actors/server/ServerCommand.js"
import { makeServerKind, type ServerKind } from "../../../src/actors/server/serverKind.js"
import { Journal } from "../../../src/events/Journal.js"
import { offset } from "../../support/stores.js"
import { boot, memoryJournalFor, seconds, turns } from "../../support/systems.js"

type System = ActorSystem["Type"]

/** A kind that hears by the test's clock, and its system once there is one. */
const makeKind = Effect.map(Effect.clock, (clock) => {
  const booted: { system: System | undefined } = { system: undefined }
  const kind = makeServerKind({
    ttlMs: 30_000,
    forgetAfterMs: 300_000,
    now: () => clock.unsafeCurrentTimeMillis(),
    listensSince: () => booted.system?.floorAt() ?? 0
  })
  return { kind, booted }
})

const entry = { url: "http://127.0.0.1:4000", port: 4_000, pid: 7 }
const register: ServerCommand = { type: "RegisterServer", ...entry }
const heartbeat: ServerCommand = { type: "HeartbeatServer" }

/** Runs a story on one system; `send` sends to the server `a`, and answers with what was refused, if it was. */
const story = <E>(
  name: string,
  body: (story: {
    readonly send: (command: ServerCommand, id?: string) => Effect.Effect<string | undefined>
    readonly pass: (count: number) => Effect.Effect<void>
    readonly types: Effect.Effect<ReadonlyArray<string>>
    readonly kind: ServerKind
  }) => Effect.Effect<void, E, Journal>
) =>
  it.scoped(name, () =>
    Effect.gen(function* () {
      const { kind, booted } = yield* makeKind
      yield* Effect.provide(
        Effect.gen(function* () {
          const journal = yield* Journal
          const system = yield* boot({ kinds: [kind] })
          booted.system = system
          yield* body({
            kind,
            send: (command, id = "a") =>
              Effect.zipLeft(
                Effect.map(Effect.exit(system.send(kind, id, command, { by: "test" })), reasonOf),
                turns
              ),
            pass: (count) => seconds(count, TestClock.adjust),
            types: Effect.orDie(
              Effect.map(journal.read(offset(0), 100), (events) => events.map(({ type }) => type))
            )
          })
        }),
        memoryJournalFor([kind])
      )
    })
  )

const reasonOf = (exit: Exit.Exit<unknown, Refused>): string | undefined =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error.reason._tag : undefined

describe("a server", () => {
  story(
    "is stale 30 s after it was last heard of, comes back with its token, and is gone 5 min after it was stale",
    ({ send, pass, types }) =>
      Effect.gen(function* () {
        yield* send(register)
        yield* pass(15)
        yield* send(heartbeat)
        yield* pass(29)
        expect(yield* types).toEqual(["ServerRegistered"])
        yield* pass(1)
        expect(yield* types).toEqual(["ServerRegistered", "ServerWentStale"])
        yield* pass(15)
        expect(yield* send({ ...heartbeat, token: offset(1) })).toBeUndefined()
        expect((yield* types).at(-1)).toBe("ServerRevived")
        yield* pass(30)
        expect((yield* types).at(-1)).toBe("ServerWentStale")
        yield* pass(299)
        expect((yield* types).at(-1)).toBe("ServerWentStale")
        yield* pass(2)
        expect((yield* types).at(-1)).toBe("ServerExpired")
        expect(yield* send(heartbeat)).toBe("ServerNotRegistered")
        yield* send(register)
        expect((yield* types).at(-1)).toBe("ServerRegistered")
      })
  )

  story(
    "appends nothing when it registers as it is, which is a heartbeat, and a new entry when it differs",
    ({ send, pass, types }) =>
      Effect.gen(function* () {
        yield* send(register)
        yield* pass(20)
        yield* send(register)
        yield* pass(20)
        expect(yield* types).toEqual(["ServerRegistered"])
        yield* send({ ...register, port: 4_001 })
        expect(yield* types).toEqual(["ServerRegistered", "ServerRegistered"])
      })
  )

  story("is brought back by registering as it was", ({ send, pass, types }) =>
    Effect.gen(function* () {
      yield* send(register)
      yield* pass(31)
      yield* send(register)
      expect(yield* types).toEqual(["ServerRegistered", "ServerWentStale", "ServerRevived"])
    })
  )

  story("does not listen to a process whose id another one has taken", ({ send, pass, types }) =>
    Effect.gen(function* () {
      yield* send(register)
      yield* send({ ...register, pid: 8 })
      yield* pass(20)
      expect(yield* send({ ...heartbeat, token: offset(1) })).toBe("StaleServerToken")
      expect(yield* send({ type: "UnregisterServer", token: offset(1) })).toBe("StaleServerToken")
      // What was refused was not heard: the entry ages on.
      yield* pass(10)
      expect((yield* types).at(-1)).toBe("ServerWentStale")
    })
  )

  story("leaves when it is told to, once", ({ send, pass, types }) =>
    Effect.gen(function* () {
      yield* send(register)
      expect(yield* send({ type: "UnregisterServer" })).toBeUndefined()
      expect(yield* send({ type: "UnregisterServer" })).toBeUndefined()
      yield* pass(60)
      expect(yield* types).toEqual(["ServerRegistered", "ServerUnregistered"])
    })
  )

  story("is not declared stale when it was heard of since", ({ send, types }) =>
    Effect.gen(function* () {
      yield* send(register)
      expect(yield* send({ type: "DeclareServerStale" })).toBe("HeardSince")
      expect(yield* types).toEqual(["ServerRegistered"])
    })
  )

  story("is one of ten thousand at most", ({ send, kind }) =>
    Effect.gen(function* () {
      kind.index.present = 10_000
      expect(yield* send(register)).toBe("TooManyServers")
    })
  )

  it.scoped("has a whole window after a restart, however long the hub was away", () =>
    Effect.gen(function* () {
      const { kind, booted } = yield* makeKind
      yield* Effect.gen(function* () {
        const journal = yield* Journal
        const types = Effect.map(journal.read(offset(0), 100), (events) => events.map(({ type }) => type))
        yield* Effect.scoped(
          Effect.gen(function* () {
            booted.system = yield* boot({ kinds: [kind] })
            yield* booted.system.send(kind, "a", register, { by: "test" })
          })
        )
        booted.system = undefined
        yield* TestClock.adjust(600_000)
        booted.system = yield* boot({ kinds: [kind] })
        yield* turns
        yield* seconds(29, TestClock.adjust)
        expect(yield* types).toEqual(["ServerRegistered"])
        yield* seconds(2, TestClock.adjust)
        expect(yield* types).toEqual(["ServerRegistered", "ServerWentStale"])
      }).pipe(Effect.provide(memoryJournalFor([kind])))
    })
  )
})
