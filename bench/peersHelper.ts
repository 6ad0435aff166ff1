/** Runs a hub and weighs it with peers that are asleep and with the same ones awake. Started with `--expose-gc`. */
import { Effect, Scope } from "effect"
import { serveJobs } from "./Helper.js"
import { startHubHere } from "./hubHere.js"
import { awaitThat, registerPeer } from "./peers.js"
import { weigh } from "./weigh.js"

export interface SessionsJob {
  readonly workspace: string
  readonly sessions: number
}

/** How much more there was with the sessions than without, bytes. */
export interface SessionsTaken {
  readonly heapBytes: number
}

serveJobs<SessionsJob, SessionsTaken>(({ workspace, sessions }) =>
  Effect.gen(function* () {
    // The scope is never closed: the hub is to be killed.
    const scope = yield* Scope.make()
    const parts = yield* Scope.extend(startHubHere(workspace), scope)
    const { system, presenceKind } = parts
    const wakeAll = (name: string, count: number) =>
      Effect.gen(function* () {
        const names = Array.from({ length: count }, (_, n) => `${name}${n}`)
        // A process of the smallest sort: what is weighed is the hub.
        for (const each of names) yield* registerPeer(parts, each, ["sleep", "100000"])
        const before = weigh()
        const wake = (each: string) =>
          system.send(presenceKind, `process-${each}`, { type: "WakePresence" }, { by: "bench" })
        yield* Effect.forEach(names, wake, { concurrency: "unbounded", discard: true })
        yield* awaitThat(parts, () =>
          names.every((each) => presenceKind.index.get(`process-${each}`)?.state === "live.waiting")
        )
        return weigh().heapBytes - before.heapBytes
      })
    // What is loaded and made once is not a session's.
    yield* wakeAll("first", 2)
    return { heapBytes: yield* wakeAll("peer", sessions) }
  }).pipe(Effect.orDie, Effect.runPromise)
)
