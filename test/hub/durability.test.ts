/** What a hub promises about its journal, held on the files themselves and across restarts. */
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import { Cause, Effect, Exit, type Scope } from "effect"
import { holdLock } from "../../src/hub/holdLock.js"
import { hubProcess } from "../support/hubProcess.js"
import { type Answered, type StartedHub, startedHub } from "../support/startedHub.js"
import { temporaryFolder } from "../support/stores.js"

const inWorkspace = (
  name: string,
  body: (workspace: string) => Effect.Effect<void, never, Scope.Scope>,
  timeout?: number
) => it.scopedLive(name, () => Effect.flatMap(temporaryFolder, body), timeout)

const mark = (id: string) => ({ record: { id, stanceTarget: "any", baseIntensity: 1, decayRate: 0 } })

/** The bytes of the journal: its database and what stands in the write-ahead log. */
const bytesOf = (workspace: string): string => {
  const hash = createHash("sha256")
  for (const suffix of ["", "-wal"]) hash.update(readFileSync(join(workspace, `.mound/mound.db${suffix}`)))
  return hash.digest("hex")
}

const typesOf = (hub: StartedHub) =>
  Effect.map(hub.get("/journal?limit=1000"), ({ body }) =>
    (body.events as ReadonlyArray<{ readonly type: string }>).map(({ type }) => type)
  )

const brief = ({ status, body }: Answered) => [status, body._tag ?? body.text]

describe("A refused command", () => {
  inWorkspace("leaves the journal and its projections as they were, to the byte", (workspace) =>
    Effect.gen(function* () {
      const hub = yield* startedHub(workspace)
      yield* hub.post("/claims", mark("a"), "c1")
      const grant = yield* hub.post("/claims/a/claim", { peer: "ann", ttlMs: 60_000 })
      const before = bytesOf(workspace)
      const refused = yield* Effect.forEach(
        [
          ["/claims/a/claim", { peer: "bob" }],
          ["/claims/nobody/claim", { peer: "bob" }],
          ["/claims/a/renew", { token: 1 }],
          ["/claims/a/complete", { token: 1 }],
          ["/claims/a/reopen", { reason: "no" }],
          ["/claims/next", { peer: "bob" }],
          ["/claims", { record: { id: "b" } }],
          ["/claims/a/claim", { peer: "bob", colour: "red" }],
          ["/hub/stop", {}],
          ["/pheromones/a/claim", {}]
        ] as const,
        ([path, body]) => Effect.map(hub.post(path, body), brief)
      )
      expect(refused).toEqual([
        [409, "AlreadyClaimed"],
        [404, "UnknownClaim"],
        [403, "StaleToken"],
        [403, "StaleToken"],
        [409, "NotDone"],
        [409, "NoneOpen"],
        [400, "InvalidCommand"],
        [400, "InvalidCommand"],
        [409, "ActiveWork"],
        [409, "claimed"]
      ])
      // What is so already, or was carried out before, appends nothing either.
      const unchanged = [
        yield* hub.post("/claims/a/renew", { token: grant.body.token }),
        yield* hub.post("/claims/a/verify", { token: grant.body.token }),
        yield* hub.post("/claims", mark("a"), "c1"),
        yield* hub.post("/claims/a/claim", { peer: "bob" }, "c1")
      ]
      expect(unchanged.map(({ status }) => status)).toEqual([200, 200, 201, 409])
      expect(bytesOf(workspace)).toBe(before)
    })
  )
})

describe("A repeated command id", () => {
  inWorkspace("gets the first answer again after a restart, and appends nothing", (workspace) =>
    Effect.gen(function* () {
      const claim = { peer: "ann", ttlMs: 60_000 }
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = yield* startedHub(workspace)
          yield* hub.post("/claims", mark("a"), "c1")
          const granted = yield* hub.post("/claims/a/claim", claim, "c2")
          yield* hub.post("/claims/a/release", { token: granted.body.token }, "c3")
          return granted
        })
      )
      const hub = yield* startedHub(workspace)
      const before = yield* typesOf(hub)
      const again = yield* hub.post("/claims/a/claim", claim, "c2")
      const { token, attempt, offset } = first.body
      expect(again).toMatchObject({ status: 200, body: { token, attempt, offset } })
      const another = yield* hub.post("/claims/a/claim", { peer: "bob" }, "c2")
      expect(brief(another)).toEqual([409, "CommandIdReused"])
      expect(yield* typesOf(hub)).toEqual(before)
    })
  )
})

describe("A draining hub", () => {
  inWorkspace("refuses what starts work, and nothing else", (workspace) =>
    Effect.gen(function* () {
      const hub = yield* startedHub(workspace)
      for (const id of ["a", "b"]) yield* hub.post("/claims", mark(id))
      const { body } = yield* hub.post("/claims/a/claim", { peer: "ann", ttlMs: 60_000 })
      // An answer that is under way keeps the drain waiting.
      const waiting = yield* Effect.fork(
        hub.post("/claims/next", { peer: "bob", prefix: "none", waitMs: 20_000 })
      )
      yield* Effect.zipRight(Effect.sleep(100), hub.stop({ force: true, reason: "test" }))
      const told = yield* Effect.all(
        [
          hub.parts.system
            .send(hub.parts.claimKind, "b", { type: "ClaimWork", peer: "bob" }, { by: "bob" })
            .pipe(
              Effect.flip,
              Effect.map(({ reason }) => reason._tag)
            ),
          hub.parts.system
            .send(
              hub.parts.claimKind,
              "a",
              { type: "CompleteClaim", token: body.token as never },
              { by: "ann" }
            )
            .pipe(Effect.map(({ state }) => state.name))
        ],
        { concurrency: "unbounded" }
      )
      expect(told).toEqual(["Draining", "done"])
      expect(brief(yield* Effect.flatten(waiting.await))).toEqual([503, "Draining"])
      expect(yield* hub.stopped).toEqual({ clean: true })
    }).pipe(Effect.orDie)
  )
})

describe("The writer lock", () => {
  inWorkspace("is told from a file that cannot be locked", (workspace) =>
    Effect.gen(function* () {
      mkdirSync(join(workspace, ".mound"))
      writeFileSync(
        join(workspace, ".mound/hub.lock"),
        "no lock at all, but long enough to be read as one".repeat(20)
      )
      const error = yield* Effect.flip(Effect.scoped(holdLock(join(workspace, ".mound"))))
      expect(error).toMatchObject({ _tag: "StartPrecondition", code: "lock_unusable" })
      expect(error.message).toContain("hub.lock cannot be locked: file is not a database")
    }).pipe(Effect.orDie)
  )

  inWorkspace(
    "is held for life: a second hub is told who has it and exits with 75, until the first is gone",
    (workspace) =>
      Effect.gen(function* () {
        const first = yield* hubProcess(workspace, { flags: ["--quiet"] })
        const url = yield* Effect.promise(() => first.url())
        const second = yield* hubProcess(workspace, { flags: ["--quiet"] })
        const { code, stderr } = yield* Effect.promise(() => second.exited)
        expect(code).toBe(75)
        expect(stderr).toContain(String(first.child.pid))
        expect(stderr).toContain(url)
        yield* Effect.promise(() => first.kill())
        const third = yield* hubProcess(workspace, { flags: ["--quiet"] })
        expect(yield* Effect.promise(() => third.url())).toMatch(/^http:/)
      }),
    120_000
  )
})

describe("A workspace", () => {
  inWorkspace("has one hub, also within one process, and another one after it", (workspace) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* startedHub(workspace)
          const second = yield* Effect.exit(Effect.scoped(startedHub(workspace)))
          expect(Exit.isFailure(second) && Cause.squash(second.cause)).toMatchObject({
            _tag: "Locked",
            bootId: first.bootId
          })
          expect((yield* first.post("/claims", mark("a"))).status).toBe(201)
        })
      )
      const third = yield* startedHub(workspace)
      expect((yield* third.get("/claims/a")).status).toBe(200)
    })
  )
})

describe("A projection that is not what its events make", () => {
  inWorkspace("is found and put right by a rebuild, and the journal says so", (workspace) =>
    Effect.gen(function* () {
      const hub = yield* startedHub(workspace)
      for (const id of ["a", "b"]) yield* hub.post("/claims", mark(id))
      const other = new Database(join(workspace, ".mound/mound.db"))
      other.exec("UPDATE claims SET state = 'done' WHERE id = 'b'")
      other.close()
      expect((yield* hub.get("/claims/b")).body.state).toBe("done")
      const { status, body } = yield* hub.post("/projections/claims/rebuild", {})
      expect([status, body.rows]).toEqual([200, 2])
      expect(body.digest).not.toBe(body.liveDigest)
      expect((yield* hub.get("/claims/b")).body.state).toBe("open")
      expect((yield* typesOf(hub)).slice(-2)).toEqual(["ProjectionDiverged", "ProjectionRebuilt"])
    })
  )
})
