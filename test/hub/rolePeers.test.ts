import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { reapOrphans } from "../../src/runtimes/reapOrphans.js"
import { type Client, clientOf } from "../support/client.js"
import { readyHub } from "../support/hubProcess.js"
import { agent, notesOf } from "../support/peerHubs.js"
import { bootHub } from "../support/runHubs.js"
import { ended, eventsOf, request, typesOf, until } from "../support/runSteps.js"
import { makeWorkspace } from "../support/workspaces.js"

const files = {
  "mound.yaml": JSON.stringify({
    workflows: { reviewed: { concurrency: 8 }, hurried: {}, lost: {} },
    peers: { runtimes: { process: { ready: { line: "^only by a control line$" } } } }
  }),
  "workflows/reviewed/index.ts": workflow(`
    executor: "peer", peer: "ada", lease: "5m", maxAttempts: 2, ask: ({ steps }) => "is this good: " + steps.at(-1).content
  `),
  "workflows/hurried/index.ts": workflow(`executor: "peer", peer: "ada", timeout: "1500ms"`),
  "workflows/lost/index.ts": workflow(`executor: "peer", peer: "nobody"`)
}

/** A draft by the worker, then a role that is played as `reviewer` says. */
function workflow(reviewer: string): string {
  return `
import { END } from "mound/workspace"
export default {
  roles: { writer: async () => ({ content: "a draft" }), reviewer: { ${reviewer} } },
  moderator: ({ steps }) => ["writer", "reviewer"][steps.length] ?? END
}`
}

/** A workspace whose sessions end with the scope. */
const workspace = Effect.tap(makeWorkspace(files), (folder) =>
  Effect.acquireRelease(Effect.void, () => reapOrphans(join(folder, ".mound", "sessions"), () => false))
)

const register = ({ post }: Client, folder: string, ...args: ReadonlyArray<string>) => {
  const cwd = join(folder, "ada")
  mkdirSync(cwd, { recursive: true })
  const launch = { process: { args: [process.execPath, agent, ...args] } }
  return post("/peers", { personality: "ada", cwd, launch })
}

/** What the peer was told of turns: ids of messages, in order. */
const turnsOf = (folder: string): ReadonlyArray<string> =>
  notesOf(folder, "ada").flatMap(({ got }) => (got?.type === "message" ? [String(got.messageId)] : []))

const soon = (isSo: () => boolean) =>
  Effect.repeat(Effect.delay(Effect.sync(isSo), 20), { until: (found) => found }).pipe(
    Effect.timeoutFail({ duration: 60_000, onTimeout: () => new Error("it did not happen") })
  )

const claim = (hub: Client, mark: string, peer: string) =>
  Effect.map(hub.post(`/claims/${mark}/claim`, { peer }), ({ body }) => body as { readonly token: number })

const inHub = (
  name: string,
  body: (hub: Client, folder: string) => Effect.Effect<void, unknown>,
  timeout = 60_000
) =>
  it.scopedLive(
    name,
    () => Effect.flatMap(workspace, (folder) => Effect.flatMap(bootHub(folder), (hub) => body(hub, folder))),
    {
      timeout
    }
  )

describe("a role that is played by a peer", () => {
  inHub("wakes the peer with its turn, and what it replies is the step", (hub, folder) =>
    Effect.gen(function* () {
      yield* register(hub, folder, "reply")
      const { runId } = yield* request(hub, "reviewed")
      expect(yield* ended(hub, runId)).toMatchObject({ status: "completed", rounds: 2 })
      const step = (yield* eventsOf(hub, runId)).find(({ data }) => data.round === 2 && "content" in data)
      expect(step?.data).toMatchObject({ role: "reviewer", content: "yes", peer: "process-ada" })
      const [turn] = notesOf(folder, "ada").flatMap(({ got }) => (got?.type === "message" ? [got] : []))
      expect(turn).toMatchObject({
        messageId: `${runId}:2:1`,
        topic: `run/${runId}`,
        from: { personality: "hub" },
        attempt: 1
      })
      expect(turn?.body).toMatch(/^is this good: a draft\n/)
      expect(turn?.body).toContain(`role:${runId}:2:1 (for 300 s)`)
    })
  )

  inHub("is nobody else's: a claim of another is revoked", (hub, folder) =>
    Effect.gen(function* () {
      yield* register(hub, folder)
      const { runId } = yield* request(hub, "reviewed")
      const mark = `role:${runId}:2:1`
      yield* soon(() => turnsOf(folder).length === 1)
      yield* claim(hub, mark, "bob")
      yield* Effect.repeat(Effect.delay(hub.get(`/claims/${mark}`), 20), {
        until: ({ body }) => (body as { readonly state: string }).state === "open"
      })
      expect(yield* typesOf(hub, runId)).not.toContain("RoleClaimed")
      const { token } = yield* claim(hub, mark, "ada")
      yield* hub.post(`/claims/${mark}/complete`, { token, result: { content: "fine", meta: { ok: true } } })
      expect((yield* ended(hub, runId)).status).toBe("completed")
      const step = (yield* eventsOf(hub, runId)).find(({ data }) => data.round === 2 && "content" in data)
      expect(step?.data).toMatchObject({ content: "fine", meta: { ok: true }, peer: "ada" })
    })
  )

  inHub(
    "tells the peer again when it gives its turn back, and fails the run when its attempts are used up",
    (hub, folder) =>
      Effect.gen(function* () {
        yield* register(hub, folder)
        const { runId } = yield* request(hub, "reviewed")
        for (const [index, turn] of [`${runId}:2:1`, `${runId}:2:1:2`].entries()) {
          yield* soon(() => turnsOf(folder).length > index)
          expect(turnsOf(folder)[index]).toBe(turn)
          const { token } = yield* claim(hub, `role:${runId}:2:1`, "process-ada")
          yield* hub.post(`/claims/role:${runId}:2:1/fail`, {
            token,
            reason: "I cannot read",
            retryAfterMs: 0
          })
        }
        const row = yield* ended(hub, runId)
        expect(row).toMatchObject({ status: "failed", reason: "role_error", exitCode: 1 })
        expect(row.error).toContain("I cannot read")
      })
  )

  inHub("ends with its time when the peer never answers, and takes its offer back", (hub, folder) =>
    Effect.gen(function* () {
      yield* register(hub, folder)
      const { runId } = yield* request(hub, "hurried")
      expect(yield* ended(hub, runId)).toMatchObject({ status: "failed", reason: "timeout", exitCode: 142 })
      yield* Effect.repeat(Effect.delay(hub.get(`/claims/role:${runId}:2:1`), 20), {
        until: ({ body }) => (body as { readonly state: string }).state === "evaporated"
      })
    })
  )

  inHub("fails, and says so, when the peer is stopped or there is none", (hub, folder) =>
    Effect.gen(function* () {
      const lost = yield* request(hub, "lost")
      const nobody = yield* ended(hub, lost.runId)
      expect(nobody).toMatchObject({ status: "failed", reason: "role_error" })
      expect(nobody.error).toContain("nobody cannot be told that it is its turn: there is no such peer")

      yield* register(hub, folder)
      // Stopped while it has its turn: it would be told again, and cannot be.
      const { runId } = yield* request(hub, "reviewed")
      yield* soon(() => turnsOf(folder).length === 1)
      const { token } = yield* claim(hub, `role:${runId}:2:1`, "process-ada")
      yield* until(hub, runId, ({ state }) => state === "running.offered")
      yield* hub.post("/peers/ada/stop?wait=20000")
      yield* hub.post(`/claims/role:${runId}:2:1/release`, { token })
      const row = yield* ended(hub, runId)
      expect(row).toMatchObject({ status: "failed", reason: "role_error" })
      expect(row.error).toContain("ada cannot be told that it is its turn: Stopped")
    })
  )

  it.scopedLive(
    "survives the hub: a peer that was told before the hub was killed answers the next one, once",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace
        const first = yield* readyHub(folder)
        const sign = join(folder, "answer-now")
        yield* register(clientOf(first.url), folder, "reply", `await-file=${sign}`)
        const { runId } = yield* request(clientOf(first.url), "reviewed")
        yield* soon(() => turnsOf(folder).length === 1)
        yield* first.kill
        const hub = clientOf((yield* readyHub(folder)).url)
        writeFileSync(sign, "")
        expect(yield* ended(hub, runId)).toMatchObject({ status: "completed", rounds: 2, resumes: 0 })
        const types = yield* typesOf(hub, runId)
        expect(types.filter((type) => type === "RoleOffered" || type === "RoleClaimed")).toEqual([
          "RoleOffered",
          "RoleClaimed"
        ])
        expect(new Set(notesOf(folder, "ada").map(({ pid }) => pid)).size).toBe(1)
      }),
    { timeout: 120_000 }
  )
})
