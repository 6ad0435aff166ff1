import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { startProcess } from "../../src/runtimes/ProcessHost.js"
import { nameProcess } from "../../src/runtimes/ProcessTable.js"
import { SessionFolder } from "../../src/runtimes/SessionFolder.js"
import { SessionMemory } from "../../src/runtimes/Sessions.js"
import { type RunningHub, readyHub } from "../support/hubProcess.js"
import { agent, notesOf, workspace } from "../support/peerHubs.js"

const patienceMs = 240_000

interface Event {
  readonly offset: number
  readonly stream: string
  readonly type: string
  readonly state: string
  readonly data: { readonly [key: string]: unknown }
}

const ask = <A>(hub: RunningHub, method: string, path: string, body?: unknown): Effect.Effect<A, Error> =>
  Effect.tryPromise({
    try: async () => {
      const response = await fetch(`${hub.url}${path}`, {
        method,
        ...(body !== undefined && {
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body)
        })
      })
      if (response.status === 503) throw new Error("not ready")
      return (await response.json()) as A
    },
    catch: (error) => new Error(String(error))
  })

const patiently = <A>(work: Effect.Effect<A, Error>): Effect.Effect<A, Error> =>
  Effect.retry(work, { schedule: Schedule.spaced(20), times: 2_000 })

const register = (
  hub: RunningHub,
  folder: string,
  name: string,
  args: ReadonlyArray<string>,
  more: object = {}
) => {
  const cwd = join(folder, name)
  mkdirSync(cwd, { recursive: true })
  const launch = { process: { args: [process.execPath, agent, ...args] } }
  return patiently(ask(hub, "POST", "/peers", { personality: name, cwd, launch, ...more }))
}

/** Everything that the journal holds about a peer's presence. */
const eventsOf = (hub: RunningHub, name: string): Effect.Effect<ReadonlyArray<Event>, Error> =>
  Effect.map(
    ask<{ readonly events: ReadonlyArray<Event> }>(
      hub,
      "GET",
      `/journal?limit=1000&stream=presence/process-${name}`
    ),
    ({ events }) => events
  )

const stateOf = (hub: RunningHub, name: string) =>
  Effect.map(eventsOf(hub, name), (events) => events.at(-1)?.state)

/** Completes once a presence is in a state. */
const awaitState = (hub: RunningHub, name: string, state: string): Effect.Effect<void, Error> =>
  patiently(
    Effect.flatMap(stateOf(hub, name), (now) =>
      now === state ? Effect.void : Effect.fail(new Error(`${name} is ${now}, not ${state}`))
    )
  )

const ofType = (events: ReadonlyArray<Event>, type: string) => events.filter((event) => event.type === type)

/** No session began before the one before it had ended, and each ended at most once. */
const expectOneAtATime = (events: ReadonlyArray<Event>): void => {
  let open: unknown
  const ended: Array<unknown> = []
  for (const { type, data } of events) {
    if (type === "WakeModeChosen") {
      expect(open).toBeUndefined()
      open = data.sessionId
    }
    if (type === "SessionEnded") {
      expect(data.sessionId).toBe(open)
      ended.push(open)
      open = undefined
    }
  }
  expect(new Set(ended).size).toBe(ended.length)
}

describe("a hub that is killed", () => {
  it.scopedLive(
    "finds every presence as it was, whatever it was doing, and what happened meanwhile",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace({
          peers: { restart: { first: "2s" }, max_booting: 2 },
          process: { confirm_within: "1s", end_grace: "1s" }
        })
        const hub = yield* readyHub(folder)
        yield* register(hub, folder, "waiting", [])
        yield* register(hub, folder, "dies", [])
        yield* register(hub, folder, "never", [])
        yield* register(hub, folder, "stopped", [])
        yield* register(hub, folder, "parked", [])
        yield* register(hub, folder, "doubted", ["ack-second"])
        yield* register(hub, folder, "stubborn", ["ignore-term", "grandchild"])
        yield* register(hub, folder, "always", ["exit=1"], { restart: "always" })
        const wake = (name: string) => patiently(ask(hub, "POST", `/peers/${name}/wake?wait=60000`, {}))
        for (const name of ["waiting", "dies", "parked", "doubted", "stubborn"]) yield* wake(name)
        yield* ask(hub, "POST", "/peers/stopped/stop", {})
        yield* ask(hub, "POST", "/peers/parked/stop?wait=20000", {})
        yield* ask(hub, "POST", "/peers/parked/start", {})
        yield* awaitState(hub, "always", "restarting")
        // Both places among those that boot are taken: the third has to wait.
        yield* register(hub, folder, "slow", ["ready=6000"])
        yield* register(hub, folder, "slower", ["ready=6000"])
        yield* register(hub, folder, "third", [])
        yield* ask(hub, "POST", "/peers/slow/wake", {})
        yield* ask(hub, "POST", "/peers/slower/wake", {})
        yield* awaitState(hub, "slow", "waking.booting")
        yield* patiently(
          Effect.filterOrFail(
            eventsOf(hub, "slow"),
            (events) => ofType(events, "SessionSpawned").length > 0,
            () => new Error("not spawned")
          )
        )
        yield* awaitState(hub, "slower", "waking.booting")
        yield* ask(hub, "POST", "/messages", { to: "third", messageId: "third-1", body: "hello" })
        yield* awaitState(hub, "third", "waking.deciding")
        yield* ask(hub, "POST", "/messages", { to: "doubted", messageId: "doubted-1", body: "hello" })
        yield* ask(hub, "POST", "/peers/stubborn/stop", {})
        yield* awaitState(hub, "stubborn", "ending")
        yield* awaitState(hub, "doubted", "live.delivering")
        yield* hub.kill

        // While nobody looks one session ends, and one runs that belongs to nobody.
        const dying = notesOf(folder, "dies")[0]?.pid as number
        process.kill(dying, "SIGKILL")
        const nobodys = new SessionFolder(join(folder, ".mound", "sessions"), "01NOBODYS")
        nobodys.create("process-nobody")
        const orphan = yield* startProcess(nobodys, new SessionMemory(), {
          argv: ["sleep", "1000"],
          cwd: folder,
          env: { PATH: process.env.PATH ?? "", MOUND_SESSION_ID: "01NOBODYS" }
        })
        expect(nameProcess(orphan)).toBeDefined()

        const again = yield* readyHub(folder)
        yield* awaitState(again, "slow", "live.waiting")
        yield* awaitState(again, "slower", "live.waiting")
        yield* awaitState(again, "third", "live.waiting")
        yield* awaitState(again, "doubted", "live.waiting")
        yield* awaitState(again, "stubborn", "stopped")
        yield* awaitState(again, "dies", "asleep.gone")
        expect(nameProcess(orphan)).toBeUndefined()
        yield* patiently(
          Effect.filterOrFail(
            ask<{ readonly components: ReadonlyArray<object> }>(again, "GET", "/health"),
            (health) => JSON.stringify(health).includes('"reason":"orphans"'),
            () => new Error("nobody tells of the orphan")
          )
        )

        for (const name of ["waiting", "slow", "slower", "third", "doubted", "stubborn", "dies"]) {
          const events = yield* eventsOf(again, name)
          expectOneAtATime(events)
          expect(ofType(events, "SessionSpawned"), name).toHaveLength(1)
          expect(
            notesOf(folder, name).filter(({ started }) => started !== undefined),
            name
          ).toHaveLength(1)
        }
        const [died] = ofType(yield* eventsOf(again, "dies"), "SessionEnded")
        expect(died?.data).toMatchObject({
          reason: "exit",
          signal: "SIGKILL",
          detectedBy: "reconcile",
          death: true
        })
        const [ended] = ofType(yield* eventsOf(again, "stubborn"), "SessionEnded")
        expect(ended?.data).toMatchObject({ reason: "stop", initiator: "operator", death: false })
        const grandchild = notesOf(folder, "stubborn").find((note) => note.grandchild)?.grandchild as number
        expect(nameProcess(grandchild)).toBeUndefined()
        const attempts = notesOf(folder, "doubted").flatMap(({ got }) => (got ? [got.attempt] : []))
        expect(attempts).toEqual([1, 2])
        expect(yield* stateOf(again, "waiting")).toBe("live.waiting")
        expect(yield* stateOf(again, "stopped")).toBe("stopped")
        expect(yield* stateOf(again, "parked")).toBe("asleep.parked")
        expect(yield* stateOf(again, "never")).toBe("asleep.neverRun")
        const sent = yield* ask<{ readonly state: string }>(again, "POST", "/messages?wait=20000", {
          to: "waiting",
          body: "are you there?"
        })
        expect(sent.state).toBe("confirmed")
        const always = yield* eventsOf(again, "always")
        expectOneAtATime(always)
        expect(ofType(always, "SessionEnded").every(({ data }) => data.code === 1)).toBe(true)
      }),
    patienceMs
  )

  it.scopedLive(
    "loses no message and delivers them in order, however often it is killed while it works",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace({
          process: { confirm_within: "500ms" },
          peers: { queue: { max_attempts: 20 } }
        })
        let hub = yield* readyHub(folder)
        yield* register(hub, folder, "b", [])
        const total = 40
        const kills = 4
        const send = (n: number): Effect.Effect<unknown, Error> =>
          patiently(
            Effect.suspend(() =>
              ask(hub, "POST", "/messages", { to: "b", messageId: `m${n}`, body: String(n) })
            )
          )
        for (let n = 0; n < total; n++) {
          yield* send(n)
          if (n % (total / kills) !== total / kills / 2) continue
          yield* hub.kill
          hub = yield* readyHub(folder)
        }
        yield* patiently(
          Effect.filterOrFail(
            eventsOf(hub, "b"),
            (events) =>
              new Set(ofType(events, "DeliveryConfirmed").map(({ data }) => data.messageId)).size === total,
            () => new Error("not all are confirmed")
          )
        )
        const events = yield* eventsOf(hub, "b")
        expectOneAtATime(events)
        expect(ofType(events, "MessageAccepted").map(({ data }) => data.messageId)).toEqual(
          Array.from({ length: total }, (_, n) => `m${n}`)
        )
        expect(ofType(events, "DeliveryConfirmed")).toHaveLength(total)
        expect(ofType(events, "SessionSpawned")).toHaveLength(1)
        // What was in hand at a kill may come twice, under its id; otherwise all came once, in order of acceptance.
        const got = notesOf(folder, "b").flatMap((note) => (note.got ? [note.got.messageId] : []))
        expect([...new Set(got)]).toEqual(Array.from({ length: total }, (_, n) => `m${n}`))
      }),
    patienceMs
  )

  it.scopedLive(
    "finishes what it was killed at, at each step on the way into a session and out of it",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace()
        let hub = yield* readyHub(folder)
        yield* register(hub, folder, "b", [])
        const killAfter = (ms: number) =>
          Effect.gen(function* () {
            yield* Effect.sleep(ms)
            yield* hub.kill
            hub = yield* readyHub(folder)
          })
        for (const ms of steps) {
          yield* patiently(ask(hub, "POST", "/peers/b/wake", {}))
          yield* killAfter(ms)
          yield* awaitState(hub, "b", "live.waiting")
          yield* ask(hub, "POST", "/peers/b/stop", {})
          yield* killAfter(ms)
          yield* awaitState(hub, "b", "stopped")
          yield* ask(hub, "POST", "/peers/b/start", {})
        }
        const events = yield* eventsOf(hub, "b")
        expectOneAtATime(events)
        expect(ofType(events, "WakeModeChosen")).toHaveLength(steps.length)
        const ended = ofType(events, "SessionEnded")
        expect(ended.map(({ data }) => [data.reason, data.initiator, data.death])).toEqual(
          steps.map(() => ["stop", "operator", false])
        )
        expect(notesOf(folder, "b").filter(({ started }) => started !== undefined)).toHaveLength(steps.length)
      }),
    patienceMs
  )
})

/** How long a hub gets for its work before it is killed, ms. */
const steps = [0, 15, 60]
