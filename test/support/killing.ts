/**
 * The sample run, killed at one place of its life and taken up again: seven steps with one loop back. What must hold whatever dies and
 * whenever is checked here, for the tests that sample the places and for the script that walks them all.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { bundleProgram } from "./bundleProgram.js"
import { clientOf } from "./client.js"
import { packageRoot } from "./hubProcess.js"
import { mound } from "./mound.js"
import { ended, eventsOf, type Fate, type SeenEvent } from "./runSteps.js"
import { type Files, makeWorkspace } from "./workspaces.js"

const program = bundleProgram("runs/hub.mjs", "hub.mjs")

export interface Place {
  readonly when: "before" | "after"
  /** Of the run's events, from 1. */
  readonly event: number
  readonly whom: "hub" | "worker" | "both"
}

/** Events of the run when nothing dies. */
export const sampleEvents = 24
export const chain = ["scout", "planner", "cleaner", "verifier", "planner", "cleaner", "verifier"]

/** Each role notes its call, then leaves one mark for its round, which an earlier attempt may have left already. */
export const sample: Files = {
  "mound.yaml": "workflows:\n  sample: {}\n",
  "workflows/sample/index.ts": `
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { END } from "mound/workspace"
const play = (role) => async ({ idempotencyKey, attempt, token, steps }) => {
  appendFileSync("calls.log", [idempotencyKey.split(":")[1], attempt, token].join(" ") + "\\n")
  mkdirSync("effects", { recursive: true })
  try { writeFileSync("effects/" + idempotencyKey.split(":")[1], role, { flag: "wx" }) } catch {}
  const isFirstLook = role === "verifier" && steps.length < 4
  return { content: role + " after " + steps.length, meta: { ok: role !== "verifier" || !isFirstLook } }
}
export default {
  roles: { scout: play("scout"), planner: play("planner"), cleaner: play("cleaner"), verifier: play("verifier") },
  moderator: ({ steps }) => {
    const last = steps.at(-1)
    if (!last) return "scout"
    if (last.role === "verifier") return last.meta.ok ? END : "planner"
    return { scout: "planner", planner: "cleaner", cleaner: "verifier" }[last.role]
  }
}`
}

interface Process {
  readonly url: string
  readonly child: ChildProcess
  readonly exited: Promise<void>
}

const start = (
  workspace: string,
  ...argv: ReadonlyArray<string>
): Effect.Effect<Process, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Process, Error>((resume) => {
      const child = spawn(process.execPath, [program.path, workspace, ...argv], {
        cwd: packageRoot,
        stdio: ["ignore", "pipe", "pipe"]
      })
      const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      let said = ""
      child.stderr.on("data", (chunk) => {
        said += chunk
      })
      child.stdout.once("data", (url) => resume(Effect.succeed({ url: String(url).trim(), child, exited })))
      child.once("exit", () => resume(Effect.fail(new Error(`the hub ended: ${said}`))))
    }),
    ({ child, exited }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return exited
      })
  )

/** Asks for the run; undefined when the hub died before it answered. */
const requestFrom = ({ url, exited }: Process): Effect.Effect<Fate | undefined> =>
  Effect.raceFirst(
    Effect.promise(async () => {
      try {
        const response = await fetch(`${url}/workflows/sample/runs`, {
          method: "POST",
          body: JSON.stringify({ prompt: "tidy up" }),
          headers: { "content-type": "application/json", "idempotency-key": "the-run" }
        })
        return (await response.json()) as Fate
      } catch {
        return undefined
      }
    }),
    Effect.promise(() => exited.then(() => undefined))
  )

export interface Report {
  readonly problems: ReadonlyArray<string>
  readonly events: ReadonlyArray<SeenEvent>
  readonly calls: number
}

/** Lets the run live until it is killed at this place, boots again if the hub was, and says what does not hold. */
export const killAt = (place?: Place): Effect.Effect<Report, Error, Scope.Scope> =>
  Effect.gen(function* () {
    yield* program.make
    const workspace = yield* makeWorkspace(sample)
    const argv = place ? [place.when, String(place.event), place.whom] : []
    const first = yield* start(workspace, ...argv)
    yield* requestFrom(first)
    const isHubKilled = place !== undefined && place.whom !== "worker"
    if (isHubKilled) {
      yield* Effect.promise(() => first.exited).pipe(
        Effect.timeoutFail({ duration: 30_000, onTimeout: () => new Error("the hub was never killed") })
      )
    }
    const hub = isHubKilled ? yield* start(workspace) : first
    // Asked again under the same key: it is the same run.
    const fate = yield* requestFrom(hub)
    const client = clientOf(hub.url)
    const row = yield* ended(client, fate?.runId ?? "")
    const events = yield* eventsOf(client, row.runId)
    const { body } = yield* client.get("/workflow_runs?status=all")
    const runs = (body as { readonly rows: ReadonlyArray<unknown> }).rows.length
    const calls = readFileSync(join(workspace, "calls.log"), "utf8").trim().split("\n")
    const effects = readdirSync(join(workspace, "effects")).sort((a, b) => Number(a) - Number(b))
    const problems = [
      ...(runs === 1 ? [] : [`${runs} runs`]),
      ...(row.status === "completed" ? [] : [`${row.status}: ${row.reason} ${row.error}`]),
      ...problemsOf(events, calls, effects)
    ]
    yield* Effect.promise(() => {
      hub.child.kill("SIGKILL")
      return hub.exited
    })
    const replay = yield* mound(workspace, "journal", "replay")
    return {
      problems: replay.code === 0 ? problems : [...problems, `replay: ${replay.stdout}${replay.stderr}`],
      events,
      calls: calls.length
    }
  })

const problemsOf = (
  events: ReadonlyArray<SeenEvent>,
  calls: ReadonlyArray<string>,
  effects: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const same = (what: string, actual: unknown, expected: unknown) => {
    if (JSON.stringify(actual) !== JSON.stringify(expected))
      problems.push(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`)
  }
  const of = (type: string) => events.filter((event) => event.type === type)
  same(
    "steps",
    of("RoleStepRecorded").map(({ data }) => data.role),
    chain
  )
  same(
    "choices",
    of("RoleSelected").map(({ data }) => data.role),
    chain
  )
  same(
    "contents",
    of("RoleStepRecorded").map(({ data }) => data.content),
    chain.map((role, n) => `${role} after ${n}`)
  )
  same(
    "effects",
    effects,
    chain.map((_, n) => String(n + 1))
  )
  const abandoned = of("RoleAttemptAbandoned").length
  same("attempts", of("RoleAttemptStarted").length, chain.length + abandoned)
  if (calls.length > chain.length + abandoned)
    problems.push(`${calls.length} calls, ${abandoned} abandoned attempts`)
  const tokens = calls.map((call) => Number(call.split(" ")[2]))
  if (tokens.some((token, index) => index > 0 && token <= (tokens[index - 1] ?? 0)))
    problems.push(`tokens do not rise: ${tokens}`)
  return problems
}
