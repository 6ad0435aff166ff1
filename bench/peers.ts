/** Peers: messages between live ones, what the hub adds to a wake, the registry when it is large, and what a session takes of it. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { PresenceCommand } from "../src/actors/presence/PresenceCommand.js"
import type { Offset } from "../src/events/Event.js"
import type { HubParts } from "../src/hub/HubParts.js"
import { reapOrphans } from "../src/runtimes/reapOrphans.js"
import { type Figure, least, most } from "./Figure.js"
import { startHelper } from "./Helper.js"
import { startHubHere } from "./hubHere.js"
import { peerArgs } from "./peerScript.js"
import type { SessionsJob, SessionsTaken } from "./peersHelper.js"
import { alternate, median, perSecond, type Rounds } from "./rounds.js"
import type { Scenario } from "./Scenario.js"
import { startHubProcess } from "./servers.js"
import { temporaryFolder } from "./temporaryFolder.js"

export const peers: Scenario = {
  name: "peers",
  about: "agents: confirmed messages between live ones, wakes, the registry",
  run: ({ sizes: { rounds, longRounds, pairs, messages, peers: registered, sessions } }) =>
    Effect.gen(function* () {
      const workspace = yield* peersWorkspace
      const talk = yield* Effect.scoped(measureTalk(workspace, rounds, pairs, messages))
      const crowd = yield* measureRegistry(registered, rounds)
      const alive = yield* measureSessions(longRounds, sessions)
      return [...talk, ...crowd, ...alive]
    })
}

/** A workspace whose sessions end with the bench. */
export const peersWorkspace: Effect.Effect<string, never, Scope.Scope> = Effect.tap(
  temporaryFolder,
  (folder) =>
    Effect.acquireRelease(
      Effect.sync(() => writeFileSync(join(folder, "mound.yaml"), "peers: {max_booting: 16}\n")),
      () => reapOrphans(join(folder, ".mound", "sessions"), () => false)
    )
)

export const registerPeer = (
  { system, peerKind, settings }: HubParts,
  name: string,
  args: ReadonlyArray<string>
) => {
  const cwd = join(settings.workspace, "cwd")
  mkdirSync(cwd, { recursive: true })
  const launch = { process: { args } }
  return Effect.orDie(system.send(peerKind, name, { type: "RegisterPeer", cwd, launch }, { by: "bench" }))
}

/** Completes as soon as something is so; it is looked at whenever the journal has grown. */
export const awaitThat = ({ journal }: HubParts, isSo: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (;;) {
      const { offset } = yield* journal.head
      if (isSo()) return
      yield* journal.awaitBeyond(offset)
    }
  }).pipe(Effect.orDie)

const measureTalk = (workspace: string, rounds: Rounds, pairs: number, messages: number) =>
  Effect.gen(function* () {
    const parts = yield* startHubHere(workspace)
    const { presenceKind, postman, system, journal } = parts
    const stateOf = (name: string) => presenceKind.index.get(`process-${name}`)
    const tell = (name: string, command: PresenceCommand) =>
      Effect.orDie(system.send(presenceKind, `process-${name}`, command, { by: "bench" }))
    const names = Array.from({ length: pairs }, (_, n) => [`a${n}`, `b${n}`] as const)
    for (const name of names.flat()) yield* registerPeer(parts, name, peerArgs)

    const wakes: Array<{ readonly toSpawn: number; readonly toConfirmed: number }> = []
    const deaths: Array<number> = []
    const wake = (name: string) =>
      Effect.gen(function* () {
        const { offset } = yield* Effect.orDie(journal.head)
        const from = { personality: "operator", runtime: "operator" }
        yield* Effect.orDie(postman.send(from, { to: name, messageId: `wake-${name}-${offset}`, body: "x" }))
        yield* awaitThat(parts, () => stateOf(name)?.state === "live.waiting" && stateOf(name)?.waiting === 0)
        const events = yield* Effect.orDie(journal.read(offset, 1_000, `presence/process-${name}` as never))
        const at = (type: string) => events.find((event) => event.type === type)?.at ?? Number.NaN
        wakes.push({
          toSpawn: at("SessionSpawned") - at("MessageAccepted"),
          toConfirmed: at("DeliveryConfirmed") - at("SessionReady")
        })
      })
    const kill = (name: string) =>
      Effect.gen(function* () {
        const pid = yield* pidOf(parts, name)
        const startedAt = performance.now()
        process.kill(-pid, "SIGKILL")
        yield* awaitThat(parts, () => stateOf(name)?.state.startsWith("live.") !== true)
        deaths.push(performance.now() - startedAt)
      })
    // One after the other: what is measured is a wake, not a crowd of them.
    for (const name of names.flat()) {
      yield* wake(name)
      yield* kill(name)
      yield* tell(name, { type: "ResetCrashLoop" })
      yield* tell(name, { type: "RenewPresence" })
      yield* awaitThat(parts, () => stateOf(name)?.state === "live.waiting")
    }

    let batch = 0
    const send = (some: ReadonlyArray<readonly [string, string]>) =>
      Effect.gen(function* () {
        batch += 1
        const startedAt = performance.now()
        const { offset } = yield* Effect.orDie(journal.head)
        const from = { personality: "operator", runtime: "operator" }
        for (const [a, b] of some) {
          const body = `send ${b} ${messages}`
          yield* Effect.orDie(postman.send(from, { to: a, messageId: `batch-${batch}-${a}`, body }))
        }
        yield* Effect.forEach(some, ([, b]) => awaitConfirmed(parts, b, messages, offset), {
          concurrency: "unbounded",
          discard: true
        })
        return perSecond(messages * some.length, startedAt)
      })
    const rates = yield* alternate(rounds, { one: send(names.slice(0, 1)), all: send(names) })
    const unit = "messages/s"
    return [
      { what: "one pair, confirmed", value: median(rates.one), unit, target: least(300) },
      { what: `${pairs} pairs, confirmed`, value: median(rates.all), unit, target: least(1_000) },
      {
        what: "a wake, from the message to the process",
        value: median(wakes.map(({ toSpawn }) => toSpawn)),
        unit: "ms",
        target: most(30)
      },
      {
        // With what the peer takes for its answer.
        what: "a wake, from ready to confirmed",
        value: median(wakes.map(({ toConfirmed }) => toConfirmed)),
        unit: "ms",
        target: most(10)
      },
      { what: "a death, until it is noticed", value: median(deaths), unit: "ms", target: most(100) }
    ] satisfies ReadonlyArray<Figure>
  })

const pidOf = ({ journal }: HubParts, name: string): Effect.Effect<number> =>
  Effect.map(Effect.orDie(journal.read(0 as Offset, 10_000, `presence/process-${name}` as never)), (events) =>
    Number(events.findLast(({ type }) => type === "SessionSpawned")?.data.pid)
  )

/** Reads on until so many messages of a presence have been confirmed. */
const awaitConfirmed = ({ journal }: HubParts, name: string, count: number, after: Offset) =>
  Effect.gen(function* () {
    let confirmed = 0
    for (let cursor = after; confirmed < count; ) {
      const { offset } = yield* journal.head
      const events = yield* journal.read(cursor, 1_000, `presence/process-${name}` as never)
      confirmed += events.filter(({ type }) => type === "DeliveryConfirmed").length
      cursor = events.at(-1)?.offset ?? cursor
      if (events.length === 0 && confirmed < count) yield* journal.awaitBeyond(offset)
    }
  }).pipe(Effect.orDie)

const measureRegistry = (registered: number, rounds: Rounds) =>
  Effect.scoped(
    Effect.gen(function* () {
      const workspace = yield* temporaryFolder
      yield* Effect.scoped(
        Effect.gen(function* () {
          const parts = yield* startHubHere(workspace)
          const names = Array.from({ length: registered }, (_, n) => `peer-${n}`)
          yield* Effect.forEach(names, (name) => registerPeer(parts, name, peerArgs), {
            concurrency: 256,
            discard: true
          })
          yield* awaitThat(parts, () => parts.presenceKind.index.count("asleep.neverRun") === registered)
        })
      )
      // In a process of its own, as people ask it.
      const { port } = yield* startHubProcess(workspace)
      const page = (query: string) =>
        Effect.promise(async () => {
          const response = await fetch(`http://127.0.0.1:${port}/registry?kind=peer${query}`)
          return (await response.json()) as { readonly next: string | null }
        })
      const timed = (work: Effect.Effect<unknown>) =>
        Effect.suspend(() => {
          const startedAt = performance.now()
          return Effect.map(work, () => performance.now() - startedAt)
        })
      const all = Effect.gen(function* () {
        for (let next: string | null = ""; next !== null; ) {
          next = (yield* page(`&limit=1000&cursor=${encodeURIComponent(next)}`)).next
        }
      })
      const took = yield* alternate(
        { ...rounds, counted: rounds.counted * 4 },
        { page: timed(page("&limit=100")), all: timed(all) }
      )
      const many = `${registered.toLocaleString("en-US")} peers`
      return [
        { what: `${many}, a page of 100`, value: median(took.page), unit: "ms", target: most(5) },
        { what: `${many}, all`, value: median(took.all), unit: "ms", target: most(200) }
      ] satisfies ReadonlyArray<Figure>
    })
  )

const measureSessions = (rounds: Rounds, sessions: number) =>
  Effect.gen(function* () {
    const measure = Effect.scoped(
      Effect.gen(function* () {
        const workspace = yield* peersWorkspace
        const { heapBytes } = yield* Effect.scoped(
          Effect.gen(function* () {
            const helper = yield* startHelper<SessionsJob, SessionsTaken>("./peersHelper.js", ["--expose-gc"])
            return yield* helper({ workspace, sessions })
          })
        )
        // The helper is dead now, by force; its sessions are not.
        const { startedInMs } = yield* Effect.scoped(startHubProcess(workspace))
        return { heapBytes, startedInMs }
      })
    )
    const { taken } = yield* alternate(rounds, { taken: measure })
    return [
      {
        what: `memory of the hub for a live session, of ${sessions}`,
        value: median(taken.map(({ heapBytes }) => heapBytes)) / sessions / 1_000,
        unit: "kB",
        target: most(40)
      },
      {
        what: `start of a hub that finds ${sessions} sessions again`,
        value: median(taken.map(({ startedInMs }) => startedInMs)) / 1_000,
        unit: "s",
        target: most(2)
      }
    ] satisfies ReadonlyArray<Figure>
  })
