/** The same api at a Unix socket in the state folder (contracts: hub 2, 5). */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { socketFetch } from "../../src/cli/socketFetch.js"
import { readHubFile } from "../../src/hub/hubFile.js"
import { moundIn } from "../support/binaries.js"
import { startedHub } from "../support/hub.js"
import { temporaryFolder } from "../support/stores.js"

const pathIn = (folder: string) => join(folder, ".mound/hub.sock")

const askAt = (path: string, route: string, init?: RequestInit) =>
  Effect.promise(() => socketFetch(path)(`http://localhost${route}`, init))

describe("the socket", () => {
  it.scopedLive("serves its owner without the token that others must show, and goes with the hub", () =>
    Effect.gen(function* () {
      const hub = yield* startedHub({ environment: { MOUND_TOKEN: "secret-of-the-hub" } })
      const path = pathIn(hub.folder)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect((yield* Effect.promise(() => hub.ask("/hub"))).status).toBe(401)
      const answer = yield* askAt(path, "/hub")
      expect([answer.status, yield* Effect.promise(() => answer.json())]).toMatchObject([
        200,
        { bootId: hub.bootId, socket: path }
      ])
      const ready = yield* askAt(path, "/readyz")
      expect(yield* Effect.promise(() => ready.json())).toMatchObject({ bootId: hub.bootId })
      yield* Effect.promise(() => hub.end())
      expect(existsSync(path)).toBe(false)
    })
  )

  it.scopedLive(
    "lends its owner the operator's rights where only agents have tokens, and no agent more than its own",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const file = join(folder, "tokens.json")
        writeFileSync(
          file,
          JSON.stringify({ tokens: { "token-of-ann-0123456789": { agentId: "ann", class: "worker" } } })
        )
        const hub = yield* startedHub({ folder, settings: { "ledger.auth.tokens_file": file } })
        const mark = (id: string) => JSON.stringify({ id, stanceTarget: "s", baseIntensity: 1, decayRate: 0 })
        const post = (route: string, body: string, authorization?: string) =>
          Effect.flatMap(
            askAt(pathIn(folder), route, {
              method: "POST",
              body,
              ...(authorization !== undefined && { headers: { authorization } })
            }),
            (answer) =>
              Effect.map(
                Effect.promise(() => answer.text()),
                (text) => [answer.status, text] as const
              )
          )
        expect(statSync(join(folder, ".mound/token")).mode & 0o777).toBe(0o600)
        // At the port nobody is let in without a token, whoever it is.
        expect((yield* Effect.promise(() => hub.publish("port"))).text).toBe("auth_error:401:missing_token")
        expect(yield* post("/pheromones", mark("own"))).toEqual([201, "ok"])
        expect((yield* post("/ledger/sweep", "{}"))[0]).toBe(200)
        const ann = "Bearer token-of-ann-0123456789"
        expect(yield* post("/pheromones", mark("hers"), ann)).toEqual([201, "ok"])
        expect((yield* post("/ledger/sweep", "{}", ann))[0]).toBe(403)
        expect(yield* post("/pheromones/own/claim", "", "Bearer wrong")).toEqual([
          403,
          "auth_error:403:unknown_token"
        ])
        expect((yield* post("/ledger/sweep", "{}", "Bearer wrong"))[0]).toBe(403)
        expect((yield* post("/ledger/sweep", "{}", "Basic wrong"))[0]).toBe(401)
        const rows = yield* Effect.promise(() => hub.listed())
        expect(rows.map(({ id, agentId }) => [id, agentId])).toEqual([
          ["own", undefined],
          ["hers", "ann"]
        ])
      })
  )

  it.scopedLive("carries bodies and streams both ways", () =>
    Effect.gen(function* () {
      const { folder } = yield* startedHub()
      const body = JSON.stringify({ id: "w1", stanceTarget: "s", baseIntensity: 1, decayRate: 0 })
      const sent = yield* askAt(pathIn(folder), "/pheromones", { method: "POST", body })
      expect(yield* Effect.promise(() => sent.text())).toBe("ok")
      const leave = new AbortController()
      const { body: live } = yield* askAt(pathIn(folder), "/journal?after=0", {
        headers: { Accept: "text/event-stream" },
        signal: leave.signal
      })
      const reader = (live as ReadableStream<Uint8Array>).getReader()
      let text = ""
      while (!text.includes("HubStarted")) {
        const { value, done } = yield* Effect.promise(() => reader.read())
        expect(done).toBe(false)
        text += new TextDecoder().decode(value)
      }
      leave.abort()
    })
  )

  it.scopedLive("takes the place of what a hub that was killed has left there", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* startedHub({ folder })
      yield* Effect.promise(() => first.end())
      // A bound socket whose owner died stays as a file, and binding there again is refused.
      writeFileSync(pathIn(folder), "")
      yield* startedHub({ folder })
      expect((yield* askAt(pathIn(folder), "/readyz")).status).toBe(200)
    })
  )

  it.scopedLive("is left out when its path is too long, or when it is not wanted", () =>
    Effect.gen(function* () {
      const folder = join(yield* temporaryFolder, "long".repeat(30))
      mkdirSync(folder)
      const tooLong = yield* startedHub({ folder })
      expect(readHubFile(join(folder, ".mound"))?.socket).toBe(null)
      expect((yield* Effect.promise(() => tooLong.ask("/hub"))).json.socket).toBe(null)
      const unwanted = yield* startedHub({ settings: { "http.socket": "false" } })
      expect(existsSync(pathIn(unwanted.folder))).toBe(false)
    })
  )

  it.scopedLive("is how the command line finds the hub, and the url when the socket is gone", () =>
    Effect.gen(function* () {
      const { folder } = yield* startedHub()
      const file = join(folder, ".mound/hub.json")
      const told = readFileSync(file, "utf8")
      const stranger = yield* Effect.acquireRelease(
        Effect.async<number>((resume) => {
          const server = createServer((_, response) => response.end("{}"))
          server.listen(0, "127.0.0.1", () =>
            resume(Effect.succeed((server.address() as { port: number }).port))
          )
          server.unref()
        }),
        () => Effect.void
      )
      writeFileSync(file, JSON.stringify({ ...JSON.parse(told), url: `http://127.0.0.1:${stranger}` }))
      const mound = moundIn(folder)
      const published = yield* mound("claim", "deposit", "w1", "--stance", "s", "--base", "1")
      expect([published.code, published.stderr]).toEqual([0, ""])
      expect((yield* mound("status")).code).toBe(0)
      writeFileSync(file, told)
      rmSync(pathIn(folder))
      expect((yield* mound("claim", "list")).stdout).toContain("w1")
    })
  )
})
