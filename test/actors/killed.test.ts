/** What a system takes up again after `kill -9`, in processes of its own. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as EventRows from "../../src/events/EventRows.js"
import { layerReadOnly, SqliteStore } from "../../src/events/SqliteStore.js"
import { packageRoot } from "../support/hubProcess.js"
import type { JobCommand } from "../support/jobKind.js"
import { offset, temporaryFolder } from "../support/stores.js"

interface JobProcess {
  /** Waits for a line that begins so. */
  readonly says: (beginning: string) => Effect.Effect<string>
  readonly kill: Effect.Effect<void>
}

/** A process with jobs; it is gone with the scope. */
const jobProcess = (
  path: string,
  commands: ReadonlyArray<readonly [id: string, command: JobCommand]> = []
): Effect.Effect<JobProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const script = join(packageRoot, "dist/test/support/jobProcess.js")
      const child = spawn(process.execPath, [script, path, JSON.stringify(commands)], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      const closed = once(child, "close")
      const lines: Array<string> = []
      const listeners = new Set<() => void>()
      createInterface({ input: child.stdout }).on("line", (line) => {
        lines.push(line)
        for (const listener of listeners) listener()
      })
      return {
        says: (beginning: string) =>
          Effect.promise(
            () =>
              new Promise<string>((resolve) => {
                const look = () => {
                  const found = lines.find((line) => line.startsWith(beginning))
                  if (found !== undefined) resolve(found)
                }
                listeners.add(look)
                look()
              })
          ),
        kill: Effect.promise(async () => {
          child.kill("SIGKILL")
          await closed
        })
      }
    }),
    ({ kill }) => kill
  )

const events = (path: string) =>
  Effect.flatMap(SqliteStore, (store) => EventRows.readAfter(store, offset(0), 100)).pipe(
    Effect.provide(layerReadOnly(path))
  )

const inFile = <E>(name: string, body: (path: string) => Effect.Effect<void, E, Scope.Scope>) =>
  it.scopedLive(name, () => Effect.flatMap(temporaryFolder, (folder) => body(join(folder, "mound.db"))))

describe("After kill -9", () => {
  inFile("an invocation that was in progress is forked again, under the same idempotency key", (path) =>
    Effect.gen(function* () {
      const first = yield* jobProcess(path, [["a", { type: "Start", n: 7 }]])
      const begun = yield* first.says("work ")
      expect(begun).toBe('work job/a@1 {"n":7}')
      yield* first.kill
      const second = yield* jobProcess(path)
      expect(yield* second.says("work ")).toBe(begun)
      // It is no loss: the journal knows of one start and nothing else.
      expect((yield* events(path)).map(({ type }) => type)).toEqual(["JobStarted"])
    })
  )

  inFile("a deadline fires, by the entry that armed it, at its time", (path) =>
    Effect.gen(function* () {
      const delayMs = 2_500
      const first = yield* jobProcess(path, [
        ["a", { type: "Start", n: 3, delayMs }],
        ["a", { type: "Finish" }]
      ])
      yield* first.says("ready")
      yield* first.kill
      expect((yield* events(path)).map(({ type }) => type)).toEqual(["JobStarted", "JobFinished"])
      const second = yield* jobProcess(path)
      yield* second.says("state job/a overdue")
      const [, finished, timedOut] = yield* events(path)
      expect(timedOut).toMatchObject({ type: "JobTimedOut", by: "deadline", causation: 2, state: "overdue" })
      expect((timedOut?.at ?? 0) - (finished?.at ?? 0)).toBeGreaterThanOrEqual(delayMs)
    })
  )
})
