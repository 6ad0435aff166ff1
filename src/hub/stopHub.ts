/**
 * Ends a workspace's hub, wherever it runs (contracts: hub 3.6). It is asked first; only a process that is proved to be the hub is
 * ever signalled. Completes when the lock is free, which is when the process is gone.
 */
import { join } from "node:path"
import { Effect, Schema } from "effect"
import type { Offset } from "../events/Event.js"
import * as EventRows from "../events/EventRows.js"
import * as SqliteStore from "../events/SqliteStore.js"
import * as WriterLock from "../events/WriterLock.js"
import { askHub } from "../http/askHub.js"
import { discoverHub } from "./discoverHub.js"
import { journalPath, lockPath } from "./holdLock.js"
import { type HubFile, tokenIn } from "./hubFile.js"

/** The hub does not answer, and which process holds the lock cannot be proved. */
export class UnverifiedPid extends Schema.TaggedError<UnverifiedPid>()("UnverifiedPid", {
  stateDir: Schema.String
}) {
  override get message() {
    return `the hub of ${this.stateDir} does not answer, and no process is proved to be it`
  }
  get fix() {
    return `wait if it is just starting; else find who holds ${join(this.stateDir, "hub.lock")} and end that process yourself`
  }
}

/** It was told to stop and is still there. */
export class StopTimedOut extends Schema.TaggedError<StopTimedOut>()("StopTimedOut", {
  pid: Schema.Int
}) {
  override get message() {
    return `the hub (pid ${this.pid}) was told to stop and is still there`
  }
  get fix() {
    return "mound stop --force"
  }
}

/** The hub refused to stop; `body` is its answer. */
export class StopRefused extends Schema.TaggedError<StopRefused>()("StopRefused", {
  body: Schema.Struct(
    { _tag: Schema.String, message: Schema.String, fix: Schema.optional(Schema.String) },
    { key: Schema.String, value: Schema.Unknown }
  )
}) {}

export interface StopOptions {
  /** Whatever is active, and with SIGKILL if nothing else helps. */
  readonly force: boolean
  readonly reason: string
  readonly drainTimeoutMs: number
}

/** What became of the hub. `pid` is null when none ran. */
export interface Stopped {
  readonly stopped: boolean
  readonly clean: boolean
  readonly pid: number | null
}

const askMs = 5_000
/** Beyond its drain a hub has this long to close. */
const closingMs = 15_000
const pollMs = 25

export const stopHub = (
  stateDir: string,
  options: StopOptions
): Effect.Effect<Stopped, UnverifiedPid | StopTimedOut | StopRefused> =>
  Effect.gen(function* () {
    const found = yield* discoverHub(stateDir)
    if (found.result === "stopped") return { stopped: false, clean: true, pid: null }
    if (found.result === "running") yield* tell(stateDir, found.hub, options)
    const pid = found.result === "running" ? found.hub.pid : found.pid
    if (pid === null) return yield* new UnverifiedPid({ stateDir })
    if (found.result === "unreachable") yield* signal(pid, "SIGTERM")
    if (yield* isFreeWithin(stateDir, options.drainTimeoutMs + closingMs)) {
      return { stopped: true, clean: yield* endedClean(stateDir), pid }
    }
    if (!options.force) return yield* new StopTimedOut({ pid })
    yield* signal(pid, "SIGKILL")
    if (!(yield* isFreeWithin(stateDir, closingMs))) return yield* new StopTimedOut({ pid })
    return { stopped: true, clean: false, pid }
  })

/** Asks it to drain. One that goes while it is asked has done what it was asked. */
const tell = (
  stateDir: string,
  hub: HubFile,
  { force, reason, drainTimeoutMs }: StopOptions
): Effect.Effect<void, StopRefused> =>
  askHub(
    { ...hub, token: tokenIn(stateDir) },
    {
      method: "POST",
      path: "/hub/stop",
      body: { force, reason, drainTimeoutMs },
      timeoutMs: askMs
    }
  ).pipe(
    Effect.catchTag("NoAnswer", () => Effect.succeed({ status: 202, body: {} })),
    Effect.flatMap(({ status, body }) =>
      status === 202
        ? Effect.void
        : Effect.flatMap(Effect.orDie(decodeRefusal({ _tag: "StopRefused", body })), Effect.fail)
    )
  )

const decodeRefusal = Schema.decodeUnknown(StopRefused)

const signal = (pid: number, name: "SIGTERM" | "SIGKILL"): Effect.Effect<void> =>
  // It may be gone by now, which is what is wanted.
  Effect.ignore(Effect.try(() => process.kill(pid, name)))

/** Whether the lock is free within a time, ms. */
export const isFreeWithin = (stateDir: string, ms: number): Effect.Effect<boolean> =>
  WriterLock.isHeld(lockPath(stateDir)).pipe(
    Effect.delay(pollMs),
    Effect.repeat({ while: (isHeld) => isHeld }),
    Effect.as(true),
    Effect.timeoutTo({ duration: ms, onSuccess: (isFree) => isFree, onTimeout: () => false })
  )

/** A boot that was not lost says as its last word how it ended. */
const endedClean = (stateDir: string): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const store = yield* SqliteStore.SqliteStore
    const { offset } = yield* EventRows.head(store)
    const [last] = yield* EventRows.readAfter(store, (offset - 1) as Offset, 1)
    return last?.type === "HubStopped" && last.data.clean === true
  }).pipe(
    Effect.provide(SqliteStore.layerLast(journalPath(stateDir))),
    Effect.catchAll(() => Effect.succeed(false))
  )
