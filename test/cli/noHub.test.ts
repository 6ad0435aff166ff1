import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { end, filesIn, moundIn, run, startDev, workspaceFolder } from "../support/binaries.js"
import { eventsIn } from "../support/hubs.js"
import { temporaryFolder } from "../support/stores.js"

/** The port of a server that is no hub. */
const serverThat = (answer: RequestListener) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
      const server = createServer(answer)
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as { readonly port: number }
        resume(Effect.succeed({ port, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ port }) => port))

const verbs: ReadonlyArray<ReadonlyArray<string>> = [
  ["claim", "list"],
  ["claim", "deposit", "w1", "--stance", "s", "--base", "1"],
  ["claim", "exec", "w1", "--as", "ann", "--", "touch", "started"],
  ["ledger", "sweep"]
]

describe("a verb that needs a hub", () => {
  it.scopedLive("starts none: it says that none runs and how to start one, exit code 1", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      for (const words of verbs) {
        const failed = yield* moundIn(workspace)(...words)
        expect([words, failed.code, failed.stdout]).toEqual([words, 1, ""])
        expect(failed.stderr).toBe(
          `mound: no hub runs in ${join(workspace, ".mound")}\nfix: start it: mound start\n`
        )
      }
      const asJson = yield* moundIn(workspace)("claim", "list", "--json")
      expect(JSON.parse(asJson.stdout)).toMatchObject({ _tag: "HubNotRunning", fix: "start it: mound start" })
      expect(readdirSync(workspace)).toEqual(["mound.yaml"])
    })
  )

  it.scopedLive("tells a slip as one even so", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const slips: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["take", "w", "--as", "p", "--ttl", "soon"], "--ttl: must be a duration such as 30s or 5m"],
        [["take", "w", "--as", "p", "--ttl", "1m", "--forever"], "exclude each other"],
        [["deposit", "w", "--stance", "s", "--base", "1", "--payload", "{"], "--payload: "],
        [["deposit", "w", "--stance", "s", "--base", "1", "--payload", "@none"], "ENOENT"],
        [["next", "--as", "p", "--stance", "s=much"], "the weight must be a number"],
        [["exec", "w", "--as", "p"], "end with -- CMD"],
        [["exec", "--as", "p", "--", "true"], "name a claim, or say --next"],
        [["list", "--url", "nonsense"], "--url: must be the url of a hub, not nonsense"]
      ]
      for (const [words, message] of slips) {
        const failed = yield* moundIn(workspace)("claim", ...words)
        expect([words, failed.code]).toEqual([words, 2])
        expect(failed.stderr).toContain(message)
      }
    })
  )

  it.scopedLive("is not fooled by what a hub that was killed leaves behind", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      yield* end(yield* startDev(workspace), "SIGKILL")
      const before = filesIn(join(workspace, ".mound"))
      const failed = yield* moundIn(workspace)("claim", "list")
      expect(failed.code).toBe(1)
      expect(failed.stderr).toMatch(
        /^mound: the hub of \S+ does not answer at http:\S+\nfix: start it: mound start\n$/
      )
      expect(filesIn(join(workspace, ".mound"))).toEqual(before)
    })
  )

  it.scopedLive("speaks to no stranger, and to no other workspace's hub, that has the port now", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const other = yield* workspaceFolder()
      yield* end(yield* startDev(workspace), "SIGKILL")
      const hub = yield* startDev(other)
      const path = join(workspace, ".mound", "hub.json")
      const file = JSON.parse(readFileSync(path, "utf8"))
      writeFileSync(path, JSON.stringify({ ...file, url: hub.url }))
      const deposit = ["claim", "deposit", "w1", "--stance", "s", "--base", "1"]
      expect((yield* moundIn(workspace)(...deposit)).code).toBe(1)
      expect(yield* eventsIn(other)).toHaveLength(4)
      const port = yield* serverThat((_, response) => response.end("hello"))
      writeFileSync(path, JSON.stringify({ ...file, url: `http://127.0.0.1:${port}` }))
      expect((yield* moundIn(workspace)(...deposit)).stderr).toContain("does not answer")
    })
  )

  it.scopedLive("reaches one by --url, MOUND_URL or --workspace from anywhere", () =>
    Effect.gen(function* () {
      const workspace = yield* workspaceFolder()
      const { url } = yield* startDev(workspace)
      const cwd = yield* temporaryFolder
      expect((yield* run("mound", ["claim", "list", "--url", `${url}/`], { cwd })).code).toBe(0)
      expect((yield* run("mound", ["claim", "list"], { cwd, env: { MOUND_URL: url } })).code).toBe(0)
      expect((yield* run("mound", ["claim", "list", "--workspace", workspace], { cwd })).code).toBe(0)
      expect(
        (yield* run("mound", ["claim", "list"], { cwd, env: { MOUND_WORKSPACE: workspace } })).code
      ).toBe(0)
      const nobody = yield* run("mound", ["claim", "list", "--url", "http://127.0.0.1:2"], { cwd })
      expect(nobody).toMatchObject({ code: 1, stdout: "" })
      expect(nobody.stderr).toContain("fix: start it: mound start")
    })
  )

  it.scopedLive(
    "does not say that nothing happened when the connection breaks, or the answer is not a hub's",
    () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryFolder
        const sweep = (port: number) =>
          run("mound", ["ledger", "sweep", "--json", "--url", `http://127.0.0.1:${port}`], { cwd })
        const broken = yield* sweep(yield* serverThat((_, response) => response.destroy()))
        expect(broken.code).toBe(1)
        expect(JSON.parse(broken.stdout)).toMatchObject({ _tag: "OutcomeUnknown", fix: expect.any(String) })
        const other = yield* sweep(yield* serverThat((_, response) => response.end("hello")))
        expect(other.code).toBe(1)
        expect(JSON.parse(other.stdout)).toMatchObject({
          _tag: "AnswerNotUnderstood",
          fix: expect.any(String)
        })
      })
  )
})
