import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { cpSync, readdirSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { clientOf } from "../support/client.js"
import { mound } from "../support/mound.js"
import { ended, eventsOf, request } from "../support/runSteps.js"
import { temporaryFolder } from "../support/stores.js"

const root = resolve(import.meta.dirname, "../..")
const example = join(root, "examples/scratch-guard")

const copyOfExample = Effect.map(temporaryFolder, (folder) => {
  const workspace = join(folder, "scratch-guard")
  cpSync(example, workspace, {
    recursive: true,
    filter: (path) => !/\.mound|\/scratch$|\/reports$/.test(path)
  })
  return workspace
})

interface Dev {
  readonly url: string
  readonly child: ChildProcess
  readonly exited: Promise<void>
}

/** `mound dev` as a person starts it. */
const dev = (workspace: string): Effect.Effect<Dev, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Dev, Error>((resume) => {
      const env = { ...process.env, STEP_MS: "400", MOUND_PORT: "0" }
      const argv = [join(root, "dist/bin/mound.js"), "dev", "--quiet", "--workspace", workspace]
      const child = spawn(process.execPath, argv, {
        cwd: workspace,
        env,
        stdio: ["ignore", "pipe", "inherit"]
      })
      const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      child.stdout.once("data", (url) => resume(Effect.succeed({ url: String(url).trim(), child, exited })))
      child.once("exit", () => resume(Effect.fail(new Error("the hub ended"))))
    }),
    ({ child, exited }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return exited
      })
  )

const until = <A>(look: Effect.Effect<A>, isSo: (seen: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(Effect.delay(look, 30), { until: isSo })

const rows = (url: string, workflow: string) =>
  Effect.map(
    clientOf(url).get(`/workflow_runs?status=all&workflow=${workflow}`),
    ({ body }) => (body as { readonly rows: ReadonlyArray<{ readonly runId: string }> }).rows
  )

describe("examples/scratch-guard", () => {
  it.scopedLive("makes room, and goes on where it was after kill -9 in the middle of it", () =>
    Effect.gen(function* () {
      const workspace = yield* copyOfExample
      const files = Effect.sync(() => readdirSync(join(workspace, "scratch")).length)
      const first = yield* dev(workspace)
      execFileSync(process.execPath, [join(workspace, "fill.mjs"), "56MiB"])
      const [run] = yield* until(rows(first.url, "free-scratch"), (found) => found.length > 0)
      const runId = run?.runId ?? ""
      yield* until(files, (count) => count === 6)
      first.child.kill("SIGKILL")
      yield* Effect.promise(() => first.exited)

      const second = yield* dev(workspace)
      const client = clientOf(second.url)
      expect(yield* ended(client, runId)).toMatchObject({ status: "completed", rounds: 4, resumes: 1 })
      const events = yield* eventsOf(client, runId)
      const steps = events.filter(({ type }) => type === "RoleStepRecorded").map(({ data }) => data)
      expect(steps.map(({ role, attempt }) => [role, attempt])).toEqual([
        ["scout", 1],
        ["planner", 1],
        ["cleaner", 2],
        ["verifier", 1]
      ])
      expect(steps.map(({ meta }) => meta)).toMatchObject([
        { files: 8, percent: 88 },
        { files: 4 },
        { gone: 2, deleted: 2 },
        { ok: true, percent: 44 }
      ])
      const abandoned = events.filter(({ type }) => type === "RoleAttemptAbandoned")
      expect(abandoned.map(({ data }) => [data.round, data.attempt, data.reason])).toEqual([
        [3, 1, "hub_lost"]
      ])
      expect(yield* rows(second.url, "free-scratch")).toHaveLength(1)
      expect(yield* files).toBe(4)
      second.child.kill("SIGKILL")
      yield* Effect.promise(() => second.exited)
      const replay = yield* mound(workspace, "journal", "replay")
      expect([replay.code, replay.stderr]).toEqual([0, expect.any(String)])
    })
  )

  it.scopedLive("writes a report on a load that is high", () =>
    Effect.gen(function* () {
      const workspace = yield* copyOfExample
      const client = clientOf((yield* dev(workspace)).url)
      const { runId } = yield* request(client, "triage-load", { prompt: "load at 3.00 per CPU" })
      expect(yield* ended(client, runId)).toMatchObject({ status: "completed", rounds: 3 })
      expect(readdirSync(join(workspace, "reports"))).toContain(`${runId}.md`)
    })
  )
})
