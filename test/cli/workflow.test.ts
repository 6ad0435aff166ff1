import { utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { moundIn, startDev } from "../support/binaries.js"
import { type Files, makeWorkspace } from "../support/workspaces.js"

const files: Files = {
  "mound.yaml":
    "workflows: { tidy: { concurrency: 9 }, listed: {}, one: {}, broken: {} }\nsenses: { eye: {}, blind: {} }\n",
  "workflows/listed/index.js": "module.exports = require('../tidy/index.js')",
  "workflows/tidy/index.js": `
module.exports = {
  roles: {
    scout: async ({ start, abort }) => {
      if (start.content === "wait") await new Promise((_, reject) => abort.addEventListener("abort", () => reject(new Error("stopped"))))
      if (start.content === "fail") throw new Error("the broom is gone")
      return { content: "looked at " + start.content, meta: { dryRun: start.meta.dryRun } }
    },
    keeper: { inDoubt: "hold", run: async () => process.exit(3) }
  },
  moderator: ({ start, steps }) => steps.length > 0 ? "__end__" : start.content === "hold" ? "keeper" : "scout"
}`,
  "workflows/one/index.js": `
module.exports = { roles: { r: () => new Promise(() => setInterval(() => {}, 1e6)) }, moderator: () => "r" }`,
  "workflows/broken/index.js": "module.exports = {",
  "senses/eye/compute.js":
    "exports.compute = ({ db }) => { db.exec('INSERT INTO seen VALUES (7)'); return { n: 7 } }",
  "senses/eye/migrations/001.sql": "CREATE TABLE seen (n INTEGER)",
  "senses/blind/compute.js": "exports.compute = () => { throw new Error('no light') }"
}

interface Place {
  readonly workspace: string
  /** Runs a verb that is to succeed; what it prints. */
  readonly say: (...words: ReadonlyArray<string>) => Effect.Effect<string>
  /** Runs a verb that is to fail with a code; what it prints, and what it says of it. */
  readonly fail: (
    code: number,
    ...words: ReadonlyArray<string>
  ) => Effect.Effect<{ stdout: string; stderr: string }>
}

const startPlace: Effect.Effect<Place, never, Scope.Scope> = Effect.gen(function* () {
  const workspace = yield* makeWorkspace(files)
  yield* startDev(workspace)
  const mound = moundIn(workspace)
  const fail: Place["fail"] = (code, ...words) =>
    Effect.map(mound(...words), (finished) => {
      expect([words, finished.code, finished.stderr]).toEqual([words, code, finished.stderr])
      return finished
    })
  return { workspace, fail, say: (...words) => Effect.map(fail(0, ...words), ({ stdout }) => stdout) }
})

/** One hub for the file: its start costs as much as several verbs. */
const scope = Effect.runSync(Scope.make())
let place: Place | undefined
beforeAll(async () => {
  place = await Effect.runPromise(Scope.extend(startPlace, scope))
}, 60_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 30_000)

const onPlace = (name: string, body: (place: Place) => Effect.Effect<void, unknown>) =>
  it.live(name, () => Effect.suspend(() => body(place as Place)), { timeout: 120_000 })

const idIn = (text: string): string => text.split("\t")[0]?.trim() as string
const cells = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/))

describe("mound workflow", () => {
  onPlace("triggers a run, waits for it, follows it, and ends with its code", ({ say, fail }) =>
    Effect.gen(function* () {
      expect(yield* say("workflow", "trigger", "tidy", "--prompt", "a", "--wait", "30s")).toMatch(
        /^[0-9A-Z]{26}\tcompleted\n$/
      )
      const payload = '{"prompt":"b","maxRounds":3,"dryRun":true}'
      const row = JSON.parse(
        yield* say("workflow", "trigger", "tidy", "--payload", payload, "--wait", "30s", "--json")
      )
      expect(row).toMatchObject({
        status: "completed",
        prompt: "b",
        maxRounds: 3,
        dryRun: true,
        origin: { kind: "cli" }
      })
      const followed = yield* fail(0, "workflow", "trigger", "tidy", "--prompt", "d", "--follow")
      expect(followed.stdout).toMatch(/^[0-9A-Z]{26}\tcompleted\n$/)
      expect(followed.stderr.split("\n").map((line) => line.slice(25))).toMatchObject([
        "requested: d",
        "started",
        "#1 scout",
        expect.stringMatching(/^#1 scout done in \d+ ms$/),
        "completed after 1 rounds",
        ""
      ])
      const events = (yield* say("workflow", "trigger", "tidy", "--prompt", "e", "-f", "--json"))
        .trim()
        .split("\n")
      expect(events.map((line) => JSON.parse(line).type)).toEqual([
        "RunRequested",
        "RunStarted",
        "RoleSelected",
        "RoleAttemptStarted",
        "RoleStepRecorded",
        "RunCompleted"
      ])
      const failed = yield* fail(1, "workflow", "trigger", "tidy", "--prompt", "fail", "--follow")
      expect(failed.stderr).toContain("failed: role_error: Error: the broom is gone")
      expect(
        (yield* fail(1, "workflow", "trigger", "tidy", "--prompt", "fail", "--wait", "30s")).stdout
      ).toMatch(/\tfailed\n$/)
    })
  )

  onPlace("refuses what makes no run: 2 for a slip, 1 for what the hub refuses or drops", ({ say, fail }) =>
    Effect.gen(function* () {
      const slips: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [[], "a run needs a prompt"],
        [["--payload", '{"prompt":"x","rounds":1}'], "rounds is not one of prompt, maxRounds, dryRun"],
        [["--prompt", "x", "--wait", "soon"], "--wait: must be a duration"]
      ]
      for (const [words, message] of slips) {
        expect((yield* fail(2, "workflow", "trigger", "tidy", ...words)).stderr).toContain(message)
      }
      expect((yield* fail(2, "workflow", "list", "--limit", "0")).stderr).toContain("must be from 1 to 500")
      const unknown = yield* fail(1, "workflow", "trigger", "nope", "--prompt", "x")
      expect(unknown.stderr).toContain('there is no workflow "nope"')
      expect((yield* fail(2, "workflow", "trigger", "tidy", "--prompt", " ")).stderr).toContain(
        "must not be blank"
      )
      for (const verb of ["inspect", "resume"]) {
        expect((yield* fail(1, "workflow", verb, "nope")).stderr).toContain('there is no run "nope"')
      }
      const first = idIn(yield* say("workflow", "trigger", "one", "--prompt", "x"))
      const dropped = yield* fail(1, "workflow", "trigger", "one", "--prompt", "y")
      expect(dropped.stdout).toMatch(/\tdropped\n$/)
      yield* say("workflow", "kill", first)
    })
  )

  onPlace("lists, inspects and pages runs", ({ say }) =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      for (const prompt of ["a", "b"]) {
        ids.unshift(idIn(yield* say("workflow", "trigger", "listed", "--prompt", prompt, "--wait", "30s")))
      }
      expect(yield* say("workflow", "list", "--workflow", "listed")).toBe(
        "RUN  WORKFLOW  STATUS  EXIT  ROUNDS  ROLE  AGE\n"
      )
      const [head, ...rows] = cells(yield* say("workflow", "list", "--all", "--workflow", "listed"))
      expect(head).toEqual(["RUN", "WORKFLOW", "STATUS", "EXIT", "ROUNDS", "ROLE", "AGE"])
      expect(rows.map((row) => row.slice(0, 6))).toEqual(
        ids.map((id) => [id, "listed", "completed", "0", "1", "-"])
      )
      const second = [
        "--status",
        "completed",
        "--workflow",
        "listed",
        "--limit",
        "1",
        "--offset",
        "1",
        "--json"
      ]
      expect(JSON.parse(yield* say("workflow", "list", ...second)).rows).toMatchObject([{ runId: ids[1] }])

      const [newest = ""] = ids
      const shown = yield* say("workflow", "inspect", newest, "--limit", "1", "--offset", "1")
      expect(shown).toContain('"prompt": "b"')
      expect(shown).toContain("RunStarted -> running.selecting")
      expect(shown).not.toContain("RunRequested")
      expect(JSON.parse(yield* say("workflow", "show", newest, "--json")).events).toHaveLength(6)
      expect(yield* say("workflow", "thread", newest)).toMatch(
        /^\[#1 scout\] \S+Z\n---\ndryRun: false\n---\nlooked at b\n$/
      )
      const page = JSON.parse(yield* say("workflow", "thread", newest, "--before", "1", "--json"))
      expect(page).toMatchObject({ total: 1, rounds: [] })
    })
  )

  onPlace("kills, and lets what is held go on with a person's word", ({ say, fail }) =>
    Effect.gen(function* () {
      const waiting = idIn(yield* say("workflow", "trigger", "tidy", "--prompt", "wait"))
      expect(["running", "killed"]).toContain(
        (yield* say("workflow", "kill", waiting, "--reason", "enough")).trim()
      )
      const killed = yield* fail(1, "workflow", "resume", waiting)
      expect(killed.stderr).toContain("only one that crashed, was interrupted or is held can be resumed")

      const held = idIn(yield* say("workflow", "trigger", "tidy", "--prompt", "hold"))
      const isHeld = Effect.map(say("workflow", "inspect", held), (text) => text.includes('"suspended.held"'))
      yield* Effect.repeat(isHeld, { until: (found) => found })
      expect((yield* fail(2, "workflow", "resume", held, "--output", "done")).stderr).toContain("--output: ")
      yield* say("workflow", "resume", held, "--output", '{"content":"it was done","meta":{"by":"hand"}}')
      yield* Effect.repeat(say("workflow", "list"), { until: (text) => !text.includes(held) })
      expect(yield* say("workflow", "thread", held)).toContain("it was done")
    })
  )

  onPlace(
    "goes over to mended code, and closes the circuit of what does not load",
    ({ say, fail, workspace }) =>
      Effect.gen(function* () {
        yield* fail(1, "workflow", "trigger", "broken", "--prompt", "x", "--wait", "30s")
        expect((yield* fail(1, "workflow", "trigger", "broken", "--prompt", "x")).stdout).toMatch(
          /\tdropped\n$/
        )
        expect((yield* fail(1, "workflow", "reload", "broken")).stderr).toContain("mend the new code")
        writeFileSync(
          join(workspace, "workflows/broken/index.js"),
          "module.exports = { roles: { r: () => ({ content: 'mended' }) }, moderator: ({ steps }) => steps.length ? '__end__' : 'r' }"
        )
        yield* say("workflow", "reload", "broken")
        yield* say("workflow", "reset", "broken")
        const run = idIn(yield* say("workflow", "trigger", "broken", "--prompt", "x", "--wait", "30s"))
        expect(yield* say("workflow", "thread", run)).toContain("mended")
        expect((yield* fail(1, "workflow", "reset", "nope")).stderr).toContain('there is no workflow "nope"')
      })
  )
})

describe("mound sense", () => {
  onPlace("lists and triggers senses, and looks into what they keep", ({ say, fail }) =>
    Effect.gen(function* () {
      const offset = (yield* say("sense", "trigger", "eye")).split("\t")[0]
      expect(Number(offset)).toBeGreaterThan(0)
      expect(yield* say("sense", "trigger", "eye", "--wait", "30s")).toBe('signal\t{"n":7}\n')
      expect(JSON.parse(yield* say("sense", "trigger", "eye", "--wait", "30s", "--json"))).toMatchObject({
        outcome: "signal",
        payload: { n: 7 }
      })
      const blind = yield* fail(1, "sense", "trigger", "blind", "--wait", "30s")
      expect(blind.stdout).toContain("no light")
      const [head, ...rows] = cells(yield* say("sense", "list"))
      expect(head).toEqual(["NAME", "GROUP", "STATE", "LAST OUTCOME", "LAST START", "NEXT DUE", "CIRCUIT"])
      expect(rows.map(([name, group, , outcome]) => [name, group, outcome])).toEqual([
        ["blind", "default", "failed"],
        ["eye", "default", "signal"]
      ])

      const [, ...signals] = cells(yield* say("sense", "query", "eye"))
      expect(signals.length).toBeGreaterThanOrEqual(2)
      expect(signals[0]?.[2]).toBe('{"n":7}')
      expect(yield* say("sense", "query", "eye", "SELECT DISTINCT n FROM seen")).toBe("n\n7\n")
      expect(
        JSON.parse(yield* say("sense", "query", "eye", "SELECT n FROM seen", "--limit", "1", "--json"))
      ).toEqual([{ n: 7 }])
      expect(yield* say("sense", "schema", "eye")).toBe("CREATE TABLE seen (n INTEGER);\n")
      expect((yield* fail(1, "sense", "query", "eye", "DELETE FROM seen")).stdout).toBe("")
      expect(yield* say("sense", "reset", "eye")).toContain("active")
      expect((yield* fail(1, "sense", "trigger", "nope")).stderr).toContain("there is no sense nope")
      yield* fail(1, "sense", "schema", "nope")
      expect((yield* fail(2, "sense", "trigger", "eye", "--wait", "soon")).stderr).toContain(
        "--wait: must be"
      )
    })
  )
})

describe("mound store and mound blob", () => {
  onPlace(
    "archive what is old, name damaged blobs, and remove what is old and named by nothing",
    ({ say, fail, workspace }) =>
      Effect.gen(function* () {
        expect((yield* fail(1, "store", "archive")).stderr).toContain("is old enough")
        const nothing = JSON.parse(yield* say("store", "archive", "--vacuum", "--json"))
        expect(nothing).toMatchObject({ segments: [] })
        expect((yield* fail(2, "store", "archive", "--before", "yesterday")).stderr).toContain(
          "--before: must be"
        )

        writeFileSync(join(workspace, "kept.txt"), "kept")
        writeFileSync(join(workspace, "lost.txt"), "lost")
        const kept = (yield* say("blob", "put", "kept.txt")).trim()
        const lost = (yield* say("blob", "put", "lost.txt")).trim()
        const pathOf = (sha256: string) =>
          join(workspace, ".mound/blobs", sha256.slice(0, 2), sha256.slice(2))
        expect(yield* say("blob", "verify")).toBe("")
        yield* say("workflow", "trigger", "tidy", "--prompt", `see ${kept}`, "--wait", "30s")
        // Nothing is a day old yet.
        expect(yield* say("blob", "gc")).toBe("")
        for (const sha256 of [kept, lost]) utimesSync(pathOf(sha256), 0, 0)
        expect(yield* say("blob", "gc")).toBe(`${lost}\n`)
        expect(yield* say("blob", "get", kept)).toBe("kept")
        writeFileSync(pathOf(kept), "Kept")
        const damaged = yield* fail(1, "blob", "verify")
        expect(damaged.stdout).toMatch(new RegExp(`^${kept}\\t[0-9a-f]{64}\\n$`))
        yield* say("blob", "put", "kept.txt")
        expect(yield* say("blob", "verify", "--json")).toBe("[]\n")
      })
  )
})
